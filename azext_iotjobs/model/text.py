"""Texts that name fields and commands as data, so that each door can spell them. Pure.

A `Text` is a str: whoever only shows it sees fields by their Python names. The command line's door renders it anew,
fields as options and commands with what was typed, so that they can be pasted (cli/output/hints.py). `printable` is for
texts that a hub or a device wrote.
"""

import shlex
from collections.abc import Sequence
from string import Formatter
from typing import NamedTuple

MAX_NAMES = 10  # in a sentence that lists what there is
MAX_SHOWN = 500  # characters of a text that somebody else wrote


class Field(str):
    """A value that somebody gave, by its name in Python such as `poll_interval_s`."""


class Shell(str):
    """A line for a shell that is typed as it stands, such as another program's command."""


class Fact(str):
    """Something that a door may know, such as who is signed in; these words stand for it where it does not."""


class Argument(NamedTuple):
    """A field of a command, with its value."""

    field: str
    value: str | None  # not yet quoted; None: a flag, which has none; a Fact: as the door knows it

    def __str__(self) -> str:
        return self.field if self.value is None else f"{self.field}={shlex.quote(self.value)}"


class Command(NamedTuple):
    """A command to type."""

    words: str  # without az, such as "iot hub job wait"
    arguments: tuple[str | Argument, ...] = ()  # a str: as the command line's door spells it, not yet quoted

    def __str__(self) -> str:
        shown = (str(each) if isinstance(each, Argument) else shlex.quote(each) for each in self.arguments)
        return " ".join(("az", self.words, *shown))

    def replacing(self, placeholder: str, value: str) -> "Command":
        """The same with `value` wherever an argument's value is `placeholder`."""
        return self._replace(
            arguments=tuple(
                each._replace(value=value) if isinstance(each, Argument) and each.value == placeholder else each
                for each in self.arguments
            )
        )


Part = str | Command  # a str may be a Field, a Fact, a Shell, or a Text with parts of its own


class Text(str):
    """A text that knows its parts: they are joined as they stand, so each brings its own spaces."""

    parts: tuple[Part, ...]

    def __new__(cls, *parts: Part) -> "Text":
        flat: list[Part] = []
        for each in parts:
            flat += each.parts if isinstance(each, Text) else (each,)
        made = super().__new__(cls, "".join(map(str, flat)))
        made.parts = tuple(flat)
        return made

    @classmethod
    def of(cls, template: str, **values: object) -> "Text":
        """A sentence by its template.

        template: `{name}` stands for the value of that name, and for the field so called where none is given.
        values: Fields, Commands and Texts keep their parts; anything else is shown by `str`.
        """
        parts: list[Part] = []
        for words, name, _, _ in Formatter().parse(template):
            parts.append(words)
            if name is not None:
                value = values[name] if name in values else Field(name)
                parts.append(value if isinstance(value, str | Command) else str(value))
        return cls(*(each for each in parts if each))


def parts_of(text: str) -> tuple[Part, ...]:
    """The parts of any text; a plain one is its only part."""
    return text.parts if isinstance(text, Text) else (text,)


def command(words: str, *typed: str, **fields: str | bool) -> Command:
    """A command to type.

    words: without az.  fields: their values, not yet quoted; True for a flag, a Fact for what the door may know.
    typed: arguments as options, for the command line's own room alone.
    """
    given = (Argument(name, value if isinstance(value, str) else None) for name, value in fields.items())
    return Command(words, (*typed, *given))


def shown_duration(seconds: float) -> str:
    """A duration as an option takes it: 7d, 90m, 45s, 0.5s."""
    units = (("d", 86_400), ("h", 3_600), ("m", 60))
    unit, size = next(((unit, size) for unit, size in units if seconds and seconds % size == 0), ("s", 1))
    return f"{seconds / size:.10g}{unit}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count and what is counted: "1 device", "2 devices".

    noun: for one.  plural: for any other count, 0 included; None: the noun with an s. A verb may follow in both, as in
    counted(2, "device is", "devices are").
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def existing(names: Sequence[str]) -> str:
    """A sentence about what there is, for an error about a name that nothing has; the first MAX_NAMES of them."""
    if not names:
        return "None is saved yet."
    more = len(names) - MAX_NAMES
    return f"The ones there are: {', '.join(names[:MAX_NAMES])}{f' and {more} more' if more > 0 else ''}."


def printable(text: str) -> str:
    """A text of the hub's or a device's as it may stand on a terminal: one line, no control characters, not long."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…"
