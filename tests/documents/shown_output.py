"""What a page says that commands show, compared with what they have shown."""

import re

# What differs from run to run: ports, times, and the dashes below a table's header, which are as long as its cells.
VARYING = ((r"localhost:\d+", r"localhost:\d+"), (r"\d+\.\d+ ?s\b", r"\d+\.\d+ ?s"), (r"-{3,}", r"-+"), ("…", ".*"))


def missing_lines(text: str, shown: str) -> list[str]:
    """The lines of a page's block that were not shown in their order, whatever was shown between them.

    text: `…` in it stands for anything; blanks, ports, seconds and lines below headers may differ.
    """
    lines = iter(shown.replace("\r", "\n").splitlines())
    missing = []
    for line in filter(None, map(str.strip, text.splitlines())):
        wanted = _pattern(line)
        if not any(wanted.fullmatch(each.strip()) for each in lines):
            missing.append(line)
            lines = iter(shown.splitlines())  # what follows is looked for from the beginning
    return missing


def _pattern(line: str) -> re.Pattern[str]:
    """What a line may look like; on stderr az says before some of them what they are."""
    wanted = ""
    for part in re.split(r"(\s+|" + "|".join(what for what, _ in VARYING) + ")", line):
        if part.isspace():
            wanted += r"\s+"
        else:
            fitting = (pattern for what, pattern in VARYING if re.fullmatch(what, part))
            wanted += next(fitting, re.escape(part))
    return re.compile(rf"(WARNING: |=+ )?{wanted}( =+)?")
