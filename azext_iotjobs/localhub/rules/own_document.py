"""Documents of the hub's own REST, read strictly: a table says which members there are, and nothing else is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE

Json = Any

SHOWN = 60  # characters of what was seen, in an error
_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


class DocumentMistake(Exception):
    """Something in a document that cannot be; `path` names the member, and is empty for the whole."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}" if path else text)
        self.path = path


@dataclass(frozen=True, kw_only=True)
class Member:
    """What one member may be. A float takes whole numbers too; null is as if the member were absent."""

    kind: type[str] | type[int] | type[float] | type[bool]
    is_required: bool = False
    one_of: tuple[str | int, ...] = ()
    least: float | None = None  # of a number; of a text, how many characters
    most: float | None = None

    @property
    def allowed(self) -> str:
        """What it may be, for people."""
        if self.one_of:
            return " or ".join(filter(None, [", ".join(map(str, self.one_of[:-1])), str(self.one_of[-1])]))
        limits = (
            f"{_number(self.least)} to {_number(self.most)}" if self.least is not None and self.most is not None else ""
        )
        if self.kind is str:
            return f"{_KINDS[str]} of {limits} characters" if limits else _KINDS[str]
        return f"{_KINDS[self.kind]}, {limits}" if limits else _KINDS[self.kind]

    def holds(self, value: Json) -> bool:
        """Whether a value is allowed."""
        kinds = (int, float) if self.kind is float else (self.kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.kind is not bool):
            return False
        if self.one_of:
            return value in self.one_of
        if isinstance(value, str):
            return self._is_within(len(value)) and not LONE_SURROGATE.search(value)
        return self._is_within(value)

    def _is_within(self, number: float) -> bool:
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


def read_members(document: Json, members: Mapping[str, Member]) -> dict[str, Any]:
    """The members of an object that are there and not null.

    members: every name that there may be.  Raises DocumentMistake for an unknown name, a wrong value, and for a
    required member that is missing.
    """
    if not isinstance(document, dict):
        raise DocumentMistake("", f"It must be a JSON object. It may have {', '.join(members)}.")
    for name in document:
        if name not in members:
            raise DocumentMistake(_shown(name), f"There is no such member. There may be {', '.join(members)}.")
    found = {name: value for name, value in document.items() if value is not None}
    for name, member in members.items():
        if name not in found:
            if member.is_required:
                raise DocumentMistake(name, f"It is missing. It is {member.allowed}.")
        elif not member.holds(found[name]):
            raise DocumentMistake(name, f"{_shown(found[name])} is not allowed. It is {member.allowed}.")
    return found


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _shown(value: Json) -> str:
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
