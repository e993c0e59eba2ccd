"""${name} in the values of a file: what was typed for each name, and what is filled in.

`${name}` stands for a value, `${name:-default}` for one that has a default, and `$${` for the characters `${`. Values
are filled into texts that were read already, so that nothing in them can change how a file is read.
"""

import re
from collections.abc import Iterable, Sequence

from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
BEGINS, LITERAL, DEFAULT = "${", "$${", ":-"
_MARK = re.compile(r"\$\$\{|\$\{(?:(?P<inner>[^{}]*)\})?")


class Unfit(ValueError):
    """A text whose parameters cannot be filled in; says why."""


class Parameters:
    """The values of parameters, and which of them were needed."""

    def __init__(self, values: dict[str, str], option: str) -> None:
        """option: what gives a value, for errors."""
        self._values = values
        self._option = option
        self._used: set[str] = set()

    def filled(self, text: str) -> tuple[str, bool]:
        """The text with values in the place of parameters, and whether it was nothing but one.

        Raises Unfit for a parameter without a value, and for one that is not written so.
        """
        if BEGINS not in text:
            return text, False
        whole = _MARK.fullmatch(text)
        return _MARK.sub(self._value, text), whole is not None and whole["inner"] is not None

    def filled_condition(self, text: str) -> str:
        """A query's condition with values in the place of parameters; within quotes a value stays a text.

        Raises Unfit, as `filled`.
        """
        parts, quote, end = [], "", 0
        for found in _MARK.finditer(text):
            before, value = text[end : found.start()], self._value(found)
            quote, end = _open_quote(before, quote), found.end()
            parts += [before, value if found[0] == LITERAL else _escaped(value, quote)]
        return "".join([*parts, text[end:]])

    def note(self, text: str) -> None:
        """Count the parameters of a text as needed, whether it is read or not."""
        if BEGINS in text:
            self._used |= {_name(each["inner"]) for each in _MARK.finditer(text) if each["inner"]}

    def unused(self) -> list[str]:
        """What is wrong with each value that nothing needed."""
        known = sorted(self._used)
        there = f"its parameters: {', '.join(known)}" if known else "it has no parameter"
        return [
            f"{self._option} {name}: the file has no ${{{name}}}{_like(name, known)}; {there}."
            for name in self._values
            if name not in self._used
        ]

    def _value(self, found: re.Match[str]) -> str:
        if found[0] == LITERAL:
            return BEGINS
        inner = found["inner"]
        if inner is None:
            raise Unfit("${ is not closed by }; as characters it is written $${")
        name, colon, default = inner.partition(DEFAULT)
        if not NAME.fullmatch(name):
            raise Unfit(
                f"${{{inner[:40]}}} is not a parameter: a name has letters, digits, dots, dashes and underscores"
            )
        if name in self._values:
            return self._values[name]
        if colon:
            return default
        like = _like(name, self._values)
        raise Unfit(f"the parameter {name} has no value{like}: give {self._option} {name}=…, or write ${{{name}:-…}}")


def parse_values(pairs: Sequence[str], option: str) -> dict[str, str]:
    """ "name=value" each -> values by name. Raises BadValue, naming the option."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not NAME.fullmatch(name):
            raise BadValue(f"{option}: {shown(pair)} is not name=value.", hint=f"{option} version=2.0.1 ring=1")
        if name in values:
            raise BadValue(f"{option}: {name} is given twice.")
        values[name] = value
    return values


def _like(name: str, known: Iterable[str]) -> str:
    from azext_iotjobs.model.similar import did_you_mean  # here: it is for errors alone

    return did_you_mean(name, known)


def _name(inner: str) -> str:
    return inner.partition(DEFAULT)[0]


def _open_quote(text: str, quote: str) -> str:
    """The quote that is open behind a part of a condition; "": none. quote: the one that is open before it."""
    letters = iter(text)
    for letter in letters:
        if not quote:
            quote = letter if letter in "'\"" else ""
        elif letter == "\\":
            next(letters, None)
        elif letter == quote:
            quote = ""
    return quote


def _escaped(value: str, quote: str) -> str:
    return value.replace("\\", "\\\\").replace(quote, f"\\{quote}") if quote else value
