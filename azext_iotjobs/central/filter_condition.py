"""The filter of an IoT Central device group -> a condition of IoT Hub's query language. Pure.

Names of properties and of cloud properties look alike in a filter. Each is read as a reported property, unless its path
in twins is given; the report says so of each.
"""

import re
from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from azext_iotjobs.central.documents import is_number_as_text
from azext_iotjobs.central.filter_parser import (
    AllOf,
    Comparison,
    Literal,
    Membership,
    Negation,
    Node,
    parse_filter,
)
from azext_iotjobs.central.report import MemberList
from azext_iotjobs.model.condition import PERHAPS_RESERVED, RESERVED
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query import quoted
from azext_iotjobs.model.selection import ALL, Selection
from azext_iotjobs.model.text import Text

ID, TEMPLATE = "$id", "$template"
KNOWN = {ID: "deviceId", TEMPLATE: "modelId"}
STATES = ("$provisioned", "$simulated")  # that IoT Central keeps of a device, and a hub does not
REPORTED = "properties.reported"
TWIN_PATH = re.compile(
    r"(?:tags|properties\.(?:reported|desired))(?:\.[A-Za-z_$][\w$-]{0,511}){1,10}|deviceId|modelId", re.ASCII
)

OF_TEMPLATE = Text.of(
    "devices announce the id of their model, which differs from the id of a template that IoT Central has made; where "
    "no device announces it, give the path of a tag with {map}"
)
OF_PROPERTY = Text.of(
    "read as a reported property; for a writable one, whose value devices report one level down (.value), or a cloud "
    "property, which is a tag, give its path with {map}"
)
SET_BY_JOBS = "read as a reported property; but jobs in the files set it, so give {map} {name}={path}"


@dataclass(frozen=True)
class FilterChoices:
    """What a filter does not say. Raises BadValue for what no twin or no device has."""

    paths: Mapping[str, str] = field(default_factory=dict)  # names in filters -> paths in twins
    states: Mapping[str, bool] = field(default_factory=dict)  # of STATES -> what every device of the hub is
    likely: Mapping[str, str] = field(default_factory=dict)  # names -> paths to suggest, which are not taken

    def __post_init__(self) -> None:
        for name, path in self.paths.items():
            if not TWIN_PATH.fullmatch(path):
                raise BadValue(
                    Text.of("{map} {name}: {path} is not a path in a twin.", name=name, path=repr(path[:60])),
                    hint="Give tags.site, properties.reported.version, properties.desired.light, modelId or deviceId.",
                )


class Clause(NamedTuple):
    """A part of a condition; one that is the same for all devices says so."""

    text: str
    binds: int  # how tightly: LOOSE, MIDDLE, TIGHT
    is_true: bool | None = None  # None: it depends on the device


LOOSE, MIDDLE, TIGHT = range(3)  # OR, AND, a comparison
TRUE, FALSE = Clause(ALL, TIGHT, True), Clause("", TIGHT, False)


def condition_of(text: str, choices: FilterChoices, members: MemberList) -> str:
    """The condition of a filter.

    choices: what the filter does not say.  members: where each name in it is recorded.
    Gives "*" for all devices. Raises BadValue for what cannot be translated, and where no device can be meant.
    """
    node = parse_filter(text)
    whole = TRUE if node is None else _Translator(choices, members).translate(node)
    if whole.is_true is False:
        raise BadValue(Text.of("filter selects no device, as {assume} says."))
    Selection(condition=whole.text).as_condition()  # raises what a condition that is typed would
    members.became("filter", whole.text, "all devices of the hub" if whole.is_true else "")
    return whole.text


class _Translator:
    """Translates the nodes of one filter; each name is recorded once."""

    def __init__(self, choices: FilterChoices, members: MemberList) -> None:
        self._choices = choices
        self._members = members
        self._paths: dict[str, str] = {}

    def translate(self, node: Node) -> Clause:
        if isinstance(node, Comparison):
            return self._comparison(node)
        if isinstance(node, Membership):
            values = ", ".join(map(_rendered, node.literals))
            return Clause(f"{self._path(node.path)} IN [{values}]", TIGHT)
        if isinstance(node, Negation):
            return _negated(self.translate(node.part))
        parts = [self.translate(each) for each in node.parts]
        return _joined(parts, "AND", MIDDLE) if isinstance(node, AllOf) else _joined(parts, "OR", LOOSE)

    def _comparison(self, node: Comparison) -> Clause:
        if node.path in STATES and node.path not in self._choices.paths:
            return self._state(node)
        path = self._path(node.path)
        if not node.literal.is_number and is_number_as_text(node.literal.value):
            self._members.became(
                f"filter: {node.path}", "text", "it is compared with a number in quotes: the value stays text"
            )
        return Clause(f"{path} {node.operator} {_rendered(node.literal)}", TIGHT)

    def _state(self, node: Comparison) -> Clause:
        known = self._choices.states.get(node.path)
        if known is None:
            raise BadValue(
                Text.of(
                    "filter names {name}, which IoT Central keeps of a device and a hub does not: say what all devices "
                    "of the hub are, with {assume} {bare}=true or false, or where it is in their twins, with {map}.",
                    name=node.path,
                    bare=node.path[1:],
                )
            )
        if not isinstance(node.literal.value, bool) or node.operator not in ("=", "!=", "<>"):
            raise BadValue(f"filter compares {node.path} with something other than true and false.")
        is_so = (known is node.literal.value) is (node.operator == "=")
        self._members.became(f"filter: {node.path}", str(is_so).lower(), Text.of("as {assume} says, for every device"))
        return TRUE if is_so else FALSE

    def _path(self, name: str) -> str:
        """The path in a twin that a name means. Raises BadValue for one of IoT Central's own that a hub has not."""
        if name not in self._paths:
            path, note = self._found(name)
            self._paths[name] = _bracketed(path)
            self._members.became(f"filter: {name}", self._paths[name], note)
        return self._paths[name]

    def _found(self, name: str) -> tuple[str, str]:
        if name in self._choices.paths:
            return self._choices.paths[name], Text.of("as {map} says")
        if name == TEMPLATE:
            return KNOWN[name], OF_TEMPLATE
        if name in KNOWN:
            return KNOWN[name], ""
        if "$" in name:
            raise BadValue(
                Text.of(
                    "filter names {name}, which a hub does not know: say where it is in twins, with {map}.", name=name
                )
            )
        likely = self._choices.likely.get(name)
        return f"{REPORTED}.{name}", OF_PROPERTY if likely is None else Text.of(SET_BY_JOBS, name=name, path=likely)


def _joined(parts: list[Clause], word: str, binds: int) -> Clause:
    """Parts with AND or OR between them; of those that are the same for all devices only what decides is left."""
    decides = word == "OR"  # one that is true decides an OR, one that is false an AND
    if any(each.is_true is decides for each in parts):
        return TRUE if decides else FALSE
    left = [each for each in parts if each.is_true is None]
    if not left:
        return FALSE if decides else TRUE
    if len(left) == 1:
        return left[0]
    return Clause(f" {word} ".join(_in_parentheses(each, binds) for each in left), binds)


def _negated(part: Clause) -> Clause:
    if part.is_true is not None:
        return FALSE if part.is_true else TRUE
    return Clause(f"NOT ({part.text})", TIGHT)


def _in_parentheses(part: Clause, binds: int) -> str:
    return f"({part.text})" if part.binds < binds else part.text


def _rendered(literal: Literal) -> str:
    if literal.value is None:
        return "null"
    if isinstance(literal.value, bool):
        return str(literal.value).lower()
    return literal.value if literal.is_number else quoted(literal.value)


def _bracketed(path: str) -> str:
    """A path whose names that are words of the query language stand in double brackets."""
    words = RESERVED | PERHAPS_RESERVED
    return ".".join(f"[[{each}]]" if each.upper() in words else each for each in path.split("."))
