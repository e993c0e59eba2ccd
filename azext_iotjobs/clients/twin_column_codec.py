"""A row of a query for columns of twins -> their values. A device wrote it: it may hold anything."""

from collections.abc import Iterable, Sequence
from typing import Any

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.clients.twin_codec import NEVER
from azext_iotjobs.model.twin_columns import TwinColumn

OWN_OF_HUB = ("$metadata", "$version")  # what the hub puts into the properties; a column may name them
TIMES = (("lastActivityTime",), ("statusUpdateTime",))


def parse_device_id(row: Any) -> str:
    """Whose twin a row is of. Raises HubFault for what is not an object."""
    return str(json_object(row).get("deviceId"))


def parse_values(row: Any, columns: Sequence[TwinColumn]) -> dict[str, Any]:
    """The values of the columns that a twin has, by the columns' names. columns: those of the query."""
    twin = json_object(row)
    found = ((each.name, _inside(twin.get(f"c{number}"), each)) for number, each in enumerate(columns, 1))
    return {name: value for name, value in found if value is not None}


def value_at(value: Any, steps: Iterable[str | int]) -> Any:
    """What a JSON value has at a path of names and numbers of items; None where it has nothing."""
    for step in steps:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _inside(value: Any, column: TwinColumn) -> Any:
    value = value_at(value, column.inside)
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if name not in OWN_OF_HUB}
    return None if column.path in TIMES and str(value).startswith(NEVER) else value
