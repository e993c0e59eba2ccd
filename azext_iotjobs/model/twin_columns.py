"""Columns of results whose values stand in twins: how they are named, and the queries that read them. Pure.

A column is a path as conditions write it: tags.site, properties.reported.fw, connectionState. What results have under
the same name, too, has `devices.` before it, as queries also take it: devices.status. A name may stand in double
brackets; a query gets it so where it would not be read otherwise. The number of a list's item is in brackets, [0].
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from azext_iotjobs.model.condition import PERHAPS_RESERVED, RESERVED
from azext_iotjobs.model.condition_paths import ALIAS, Path
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.query import MAX_CHARACTERS, chunks, in_list, quoted

STEP = re.compile(r"\.?(?:\[\[(?P<escaped>[^\[\]]+)\]\]|\[(?P<number>\d{1,9})\])|(?:^|\.)(?P<name>[^.\[\]]+)")
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\$[A-Za-z]+")  # a name that every query takes without brackets
SECTIONS = ("reported", "desired")
FACTS = tuple(
    """
    connectionState lastActivityTime modelId statusReason statusUpdateTime authenticationType deviceScope parentScopes
    capabilities.iotEdge
    """.split()
)
ALIASED = ("status", "version", "etag")  # results, or the definitions that they are of, have such names too
EXAMPLES = f"tags.site, properties.reported.fw, {', '.join(FACTS)}, {', '.join(f'{ALIAS}.{name}' for name in ALIASED)}"
DEVICES_A_QUERY = 100  # as many as a page has: what a query gives, it gives at once
MAX_SHOWN = 80  # characters of a text that is not a column
MOST_CHARACTERS = MAX_CHARACTERS // 2  # of the columns in a query; the other half is for the devices' ids


class TwinColumn(NamedTuple):
    """A column."""

    name: str  # as it was typed
    path: Path  # of the member that a query reads
    inside: tuple[str | int, ...] = ()  # where the value stands in that: numbers of items, and names in them

    @property
    def title(self) -> str:
        """What messages call it: a name that is not a path, with the path."""
        return self.name if "." in self.name or len(self.path) == 1 else f"{self.name} ({'.'.join(self.path)})"


def parse_twin_column(text: str, where: str) -> TwinColumn:
    """A column by its name. where: what gave it, for the error. Raises BadValue for what no twin has."""
    steps = _steps(text, where)
    has_alias = len(steps) > 1 and str(steps[0]).lower() == ALIAS
    own = steps[1:] if has_alias else steps
    number = next((number for number, each in enumerate(own) if isinstance(each, int)), len(own))
    path = _known_path(tuple(map(str, own[:number])), has_alias=has_alias)
    if path is None:
        raise BadValue(f"{where}: {text[:MAX_SHOWN]!r} is not a column.", hint=_hint_for(text))
    return TwinColumn(text, path, tuple(own[number:]))


def check_length(columns: Sequence[TwinColumn], where: str) -> None:
    """Raise BadValue for columns that leave no room for devices in a query. where: what gave them."""
    if (size := len(_selected(columns))) > MOST_CHARACTERS:
        raise BadValue(f"{where}: the paths of the columns have {size} characters; {MOST_CHARACTERS} fit into a query.")


def queries(columns: Sequence[TwinColumn], module_id: str | None, device_ids: Sequence[str]) -> Iterator[str]:
    """The queries that read columns, each for as many devices as one page has, or as fit.

    columns: each is called c1, c2, … in the rows, in this order.  module_id: of the modules on the devices; None: the
    devices themselves.  device_ids: each once.
    Source: IoT Hub devguide "query language": AS names what is selected.
    """
    collection = "devices" if module_id is None else "devices.modules"
    of_module = "" if module_id is None else f"moduleId = {quoted(module_id)} AND "
    text = f"SELECT {_selected(columns)} FROM {collection} WHERE {of_module}"
    for begin in range(0, len(device_ids), DEVICES_A_QUERY):
        for ids in chunks("deviceId", device_ids[begin : begin + DEVICES_A_QUERY], len(text)):
            yield text + in_list("deviceId", ids)


def _selected(columns: Sequence[TwinColumn]) -> str:
    paths = (".".join(map(_written, each.path)) for each in columns)
    return ", ".join(("deviceId", *(f"{path} AS c{number}" for number, path in enumerate(paths, 1))))


def _written(name: str) -> str:
    is_plain = PLAIN.fullmatch(name) and name.upper() not in RESERVED | PERHAPS_RESERVED
    return name if is_plain else f"[[{name}]]"


def _steps(text: str, where: str) -> list[str | int]:
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = STEP.match(text, at)
        if found is None or (at == 0 and (found["number"] is not None or text[0] == ".")):
            raise BadValue(f"{where}: {text[:MAX_SHOWN]!r} is not a path.", hint=_hint_for(text))
        number = found["number"]
        name = str(found["escaped"] or found["name"]).strip()
        if number is None and not name:
            raise BadValue(f"{where}: {text[:MAX_SHOWN]!r} is not a path.", hint=_hint_for(text))
        steps.append(int(number) if number is not None else name)
        at = found.end()
    return steps


def _known_path(path: Path, *, has_alias: bool) -> Path | None:
    """The path as the hub spells it; None: no twin has such a member."""
    root, second = (*(each.lower() for each in path[:2]), "", "")[:2]
    if root == "tags":
        return ("tags", *path[1:])
    if root == "properties" and second in SECTIONS:
        return ("properties", second, *path[2:])
    facts = (*FACTS, *ALIASED) if has_alias else FACTS
    fact = next((each for each in facts if each.lower() == ".".join(path).lower()), None)
    return None if fact is None else tuple(fact.split("."))


def _hint_for(text: str) -> str:
    first, _, rest = text.partition(".")
    if first.lower() in SECTIONS:
        return f"Write properties.{first.lower()}.{rest or 'fw'}"
    close = get_close_matches(first, ("tags", "properties", *FACTS), 1, cutoff=0.75)
    if close and close[0] != first:
        return f"Write {'.'.join((close[0], *([rest] if rest else ())))}"
    return f"Of twins there are: {EXAMPLES}."
