"""A device -> the cells of its row in a table of devices. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from azext_iotjobs.cli.identity.csv_columns import (
    DEVICE_ID,
    DEVICE_NAME,
    KEYS,
    KNOWN,
    THUMBPRINTS,
    WITH_KEYS,
    WITHOUT_KEYS,
)
from azext_iotjobs.cli.input.columns import names_in
from azext_iotjobs.cli.input.device_tables import ID_NAMES, plain_name
from azext_iotjobs.cli.input.display_name import display_name
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.cli.input.tag_paths import TagPath
from azext_iotjobs.cli.output.csv_cells import cell
from azext_iotjobs.clients.identity_codec import thumbprints_in
from azext_iotjobs.clients.twin_column_codec import OWN_OF_HUB, value_at
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.twin_columns import ALIASED, parse_twin_column
from azext_iotjobs.operations.identity.export_devices import ExportedDevice

OPTION = "--columns"
Steps = tuple[str | int, ...]
ReadCell = Callable[[ExportedDevice], Any]


class ExportColumn(NamedTuple):
    """A column of an export."""

    name: str
    read: ReadCell


def export_columns(typed: str | None, name_tag: TagPath, *, with_keys: bool) -> list[ExportColumn]:
    """The columns that are exported, in order.

    typed: names with commas between them; None: those that an import needs.  name_tag: where the display name is.
    with_keys: whether keys are read.
    Raises BadValue for a column that no device has, MissingChoice for a key that is not read.
    """
    names = (WITH_KEYS if with_keys else WITHOUT_KEYS) if typed is None else _listed(typed)
    if not with_keys and (keys := [name for name in names if _known(name) in KEYS]):
        raise MissingChoice(
            f"{OPTION} {shown(keys[0])}: keys are read only if they are asked for.", hint="Give --keys."
        )
    return [ExportColumn(name, _reader(name, name_tag)) for name in names]


def cells_of(device: ExportedDevice, columns: Sequence[ExportColumn]) -> list[str]:
    """The cells of a device's row."""
    return [cell(each.read(device)) for each in columns]


def _listed(typed: str) -> Sequence[str]:
    names = names_in(typed)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadValue(f"{OPTION} {shown(twice)}: give each column once.")
    return names


def _known(name: str) -> str | None:
    plain = plain_name(name)
    return DEVICE_ID if plain in ID_NAMES else KNOWN.get(plain)


def _reader(name: str, name_tag: TagPath) -> ReadCell:
    known = _known(name)
    if known == DEVICE_ID:
        return lambda device: device.twin.device_id
    if known == DEVICE_NAME:
        return lambda device: display_name(device.twin.document.get("tags"), name_tag)
    if known in KEYS:
        at = KEYS.index(known)
        return lambda device: _keys(device)[at]
    if known in THUMBPRINTS:
        at = THUMBPRINTS.index(known)
        return lambda device: _thumbprints(device)[at]
    path = _path(known or name)
    return lambda device: _without_own_of_hub(value_at(device.twin.document, path))


def _path(name: str) -> Steps:
    """Where a column's value stands in a twin. Raises BadValue for what no twin has."""
    if name in ALIASED:
        return (name,)
    found = parse_twin_column(name, OPTION)
    return (*found.path, *found.inside)


def _keys(device: ExportedDevice) -> tuple[str | None, str | None]:
    return (None, None) if device.identity is None else (device.identity.primary_key, device.identity.secondary_key)


def _thumbprints(device: ExportedDevice) -> tuple[str | None, str | None]:
    return thumbprints_in(device.twin.document.get("x509Thumbprint"))


def _without_own_of_hub(value: Any) -> Any:
    """A value of a twin without what the hub puts into it."""
    if not isinstance(value, Mapping):
        return value
    return {name: _without_own_of_hub(inner) for name, inner in value.items() if name not in OWN_OF_HUB}
