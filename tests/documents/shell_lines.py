"""A block of shell lines, taken apart into commands as bash does."""

import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from tests.documents.pages import BadPage, Block

EXIT_CODE = re.compile(r"(?:^|\s)#\s*exit code (\d+)\b")


class Command(NamedTuple):
    """One command of a block, with all of its lines."""

    text: str
    line: int  # where it begins, from 1
    exit_code: int


def commands_of(block: Block) -> Iterator[Command]:
    """The commands of a block, with the exit codes that are said. Raises BadPage if the last is not whole."""
    found: list[Command] = []
    lines: list[str] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if not lines and re.fullmatch(r"\s*(#.*)?", line):
            continue
        lines.append(line)
        if _is_whole(text := "\n".join(lines)):
            (code,) = EXIT_CODE.findall(text) or ("0",)
            found.append(Command(text, number - len(lines) + 1, int(code)))
            lines = []
    if lines:
        raise BadPage(f"line {block.line}: bash waits for more after: {lines[0]}")
    if found and block.exit_code is not None:
        which = (block.exit_of or len(found)) - 1
        if which >= len(found):
            raise BadPage(f"line {block.line}: there is no command {block.exit_of} here")
        found[which] = found[which]._replace(exit_code=block.exit_code)
    yield from found


def _is_whole(text: str) -> bool:
    """Whether bash would run these lines without waiting for more."""
    if re.search(r"(?<!\\)(\\\\)*\\$", text):
        return False
    if not re.search(r"['\"`(){}<]|\b(do|then|case|in|if|for|while|until)\b", text):
        return True
    looked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    return looked.returncode == 0 and "here-document" not in looked.stderr
