"""What to do next, as data: text, and commands with their arguments. Pure.

A hint is a text, so that whoever only shows it needs to know nothing. The command line's door renders its commands
anew, with what was typed to say which hub and which folder are meant, so that they can be pasted.
"""

import shlex
from typing import NamedTuple


class Command(NamedTuple):
    """A command to type."""

    words: str  # such as "iot hub job wait"
    arguments: tuple[str, ...] = ()  # not yet quoted

    def __str__(self) -> str:
        return self.typed()

    def typed(self, *more: str) -> str:
        """As it is typed; `more` arguments stand last."""
        return " ".join(["az", self.words, *(shlex.quote(each) for each in (*self.arguments, *more))])


class Shell(str):
    """A line for a shell that is typed as it stands, such as another program's command."""


class Hint(str):
    """A hint that knows its commands."""

    parts: tuple[str | Command, ...]

    def __new__(cls, *parts: str | Command) -> "Hint":
        made = super().__new__(cls, "".join(map(str, parts)))
        made.parts = parts
        return made


def command(words: str, *arguments: str) -> Command:
    """A command to type: `words` without az, and its arguments, not yet quoted."""
    return Command(words, arguments)
