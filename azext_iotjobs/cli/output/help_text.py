"""Plain text -> the YAML that knack reads: no quoting of colons and quotes by hand."""

import json

from knack.help_files import helps


def group(name: str, short: str, long: str = "") -> None:
    """The help of a group of commands."""
    helps[name] = "\n".join(["type: group", *_summary(short, long)])


def command(name: str, short: str, *examples: tuple[str, str], long: str = "") -> None:
    """The help of a command; `examples` are title and text."""
    lines = ["type: command", *_summary(short, long), "examples:"]
    for title, text in examples:
        # A JSON string is a YAML string too.
        lines += [f"  - name: {json.dumps(title)}", f"    text: {json.dumps(text)}"]
    helps[name] = "\n".join(lines)


def _summary(short: str, long: str) -> list[str]:
    lines = [f"short-summary: {json.dumps(short)}"]
    return [*lines, f"long-summary: {json.dumps(long)}"] if long else lines
