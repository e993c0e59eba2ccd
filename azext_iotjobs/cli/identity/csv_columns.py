"""The columns of a table of devices: what each means when devices are imported, and what is exported under which name.

IoT Central's names, those of IoT Hub's documents, and paths of tags are known. Any other column becomes a tag by --map.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.cli.input.device_tables import ID_NAMES, plain_name
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.cli.input.tag_paths import ROOT, TagPath, parse_tag_path
from azext_iotjobs.model.errors import BadValue, ConflictingChoice

DEVICE_ID = "IOTC_DEVICEID"
DEVICE_NAME = "IOTC_DEVICENAME"
PRIMARY_KEY, SECONDARY_KEY = "IOTC_SASKEY_PRIMARY", "IOTC_SASKEY_SECONDARY"
PRIMARY_THUMBPRINT, SECONDARY_THUMBPRINT = "IOTC_X509THUMBPRINT_PRIMARY", "IOTC_X509THUMBPRINT_SECONDARY"
SIGN_IN, STATUS, REASON, EDGE = "authenticationType", "status", "statusReason", "capabilities.iotEdge"
TAGS = ROOT

KEYS = (PRIMARY_KEY, SECONDARY_KEY)
THUMBPRINTS = (PRIMARY_THUMBPRINT, SECONDARY_THUMBPRINT)
# What is exported where no columns are chosen: an import makes the same devices of it.
WITHOUT_KEYS = (DEVICE_ID, DEVICE_NAME, *THUMBPRINTS, SIGN_IN, STATUS, REASON, EDGE, TAGS)
WITH_KEYS = (DEVICE_ID, DEVICE_NAME, *KEYS, *THUMBPRINTS, SIGN_IN, STATUS, REASON, EDGE, TAGS)
OTHER_NAMES = {
    "deviceName": DEVICE_NAME,
    "displayName": DEVICE_NAME,
    "primaryKey": PRIMARY_KEY,
    "secondaryKey": SECONDARY_KEY,
    "primaryThumbprint": PRIMARY_THUMBPRINT,
    "secondaryThumbprint": SECONDARY_THUMBPRINT,
    "iotEdge": EDGE,
}
KNOWN = {plain_name(name): known for name, known in OTHER_NAMES.items()} | {
    plain_name(name): name for name in WITH_KEYS if name != DEVICE_ID
}


class TagType(Enum):
    """What the cells of a column are as a tag."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"


class TagColumn(NamedTuple):
    """A column whose cells become tags."""

    name: str  # as the header has it
    at: int  # among the columns, from 0
    path: TagPath
    type: TagType


class Columns(NamedTuple):
    """What the columns of a table mean."""

    known: Mapping[str, int]  # where each is, by its name here
    tags: Sequence[TagColumn]
    others: Sequence[str]  # that are not imported, as the header has them


class MappedColumn(NamedTuple):
    """A column that is to become a tag."""

    column: str  # as typed
    path: TagPath
    type: TagType


def parse_map(text: str) -> MappedColumn:
    """Read COLUMN=tags.path or COLUMN=tags.path:TYPE. Raises BadValue."""
    column, equals, rest = text.rpartition("=")
    path, colon, word = rest.partition(":")
    if not equals or not column.strip() or not path.strip():
        raise BadValue(f"--map {shown(text)}: give COLUMN=tags.path, for example Site=tags.site.")
    types = {each.value: each for each in TagType}
    if colon and word.strip().lower() not in types:
        raise BadValue(
            f"--map {shown(text)}: {shown(word)} is not a type of tag.", hint=f"Types are {', '.join(types)}."
        )
    return MappedColumn(
        column.strip(), parse_tag_path(path, "--map"), types[word.strip().lower()] if colon else TagType.TEXT
    )


def columns_of(header: Sequence[str], mapped: Sequence[MappedColumn], display_name: TagPath, where: str) -> Columns:
    """What the columns of a header mean.

    mapped: those that become tags by --map.  display_name: the tag that a device's name becomes.
    where: the option and the file, for errors.
    Raises BadValue for a mapped column that is not there, ConflictingChoice for two columns with one meaning.
    """
    plain = [plain_name(name) for name in header]
    tags = [TagColumn(header[at], at, each.path, each.type) for each in mapped for at in _found(each, plain, header)]
    used = {each.at for each in tags}
    known: dict[str, int] = {}
    others = []
    id_name = next(name for name in ID_NAMES if name in plain)
    for at, name in enumerate(plain):
        meaning = DEVICE_ID if name == id_name else KNOWN.get(name)
        if at in used or not name:
            continue
        if meaning is not None:
            if meaning in known:
                raise ConflictingChoice(
                    f"{where}: {shown(header[known[meaning]])} and {shown(header[at])} mean the same."
                )
            known[meaning] = at
        elif header[at].startswith(f"{ROOT}."):
            tags.append(TagColumn(header[at], at, parse_tag_path(header[at], where), TagType.TEXT))
        else:
            others.append(header[at])
    if DEVICE_ID not in known:
        raise ConflictingChoice(f"{where}: no column of device ids is left; --map takes it.")
    _check_apart(tags, display_name if DEVICE_NAME in known else None, header[known.get(DEVICE_NAME, 0)], where)
    return Columns(known, tags, others)


def _found(mapped: MappedColumn, plain: Sequence[str], header: Sequence[str]) -> list[int]:
    """Where a mapped column is."""
    exact = [at for at, name in enumerate(header) if name == mapped.column]
    found = exact or [at for at, name in enumerate(plain) if name == plain_name(mapped.column)]
    if not found:
        raise BadValue(
            f"--map {shown(mapped.column)}: the file has no such column.", hint=f"It has {', '.join(header)[:500]}."
        )
    return found[:1]


def _check_apart(tags: Sequence[TagColumn], display_name: TagPath | None, name_column: str, where: str) -> None:
    """Raise ConflictingChoice for two columns that become one tag, or a tag within another."""
    paths = [(each.name, each.path) for each in tags]
    if display_name is not None:
        paths.append((name_column, display_name))
    for number, (name, path) in enumerate(paths):
        for other, taken in paths[:number]:
            if path[: len(taken)] == taken or taken[: len(path)] == path:
                tag = ".".join(path if len(path) < len(taken) else taken)
                raise ConflictingChoice(f"{where}: {shown(other)} and {shown(name)} both become the tag {tag}.")
