"""What a hub is to begin with: devices, modules, CA certificates and configurations, from one document. Pure.

The document has the service's own names. Ours are `parentDeviceId`, which stands for scopes that only a hub can make,
`modules` of a device, and ranges: `pump-{01..20}` are twenty devices that are alike.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.localhub.rules.seed_examples import EXAMPLES, advice, is_of_kind

Json = Any

MAX_DEVICES = 1_000_000  # of a hub [IoT Hub quotas]
MAX_ID_SHOWN, MAX_IN_CIRCLE = 130, 10  # characters of an id, and ids, in an error
RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
TWIN: dict[str, Any] = {"tags": {}, "properties": {"desired": {}, "reported": {}}}
ANY: dict[str, Any] = {}  # members whose names are free; what they hold is checked where it is applied
AUTHENTICATION = {
    "type": None,
    "symmetricKey": {"primaryKey": None, "secondaryKey": None},
    "x509Thumbprint": {"primaryThumbprint": None, "secondaryThumbprint": None},
}
MODULE = {"moduleId": None, "managedBy": None, "authentication": AUTHENTICATION, **TWIN}
DEVICE = {
    "deviceId": None,
    "status": None,
    "statusReason": None,
    "authentication": AUTHENTICATION,
    "capabilities": {"iotEdge": None},
    "parentDeviceId": None,
    "modules": [MODULE],
    **TWIN,
}
CERTIFICATE = {"name": None, "certificate": None}
CONFIGURATION = {
    **dict.fromkeys(("id", "schemaVersion", "contentType", "targetCondition", "priority")),
    **{"labels": ANY, "content": ANY, "metrics": {"queries": ANY}},
}
SEED = {"devices": [DEVICE], "certificates": [CERTIFICATE], "configurations": [CONFIGURATION]}


class SeedMistake(Exception):
    """Something in a seed that cannot be; `path` says where, such as devices[3].tags."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}" if path else text)


@dataclass(frozen=True)
class Ids:
    """One id, or those that a range stands for, which are not written out: they may be a million."""

    before: str
    numbers: range | None = None  # None: `before` is the one id
    digits: int = 0  # of a number, at least
    after: str = ""

    def __len__(self) -> int:
        return 1 if self.numbers is None else len(self.numbers)

    def __iter__(self) -> Iterator[str]:
        if self.numbers is None:
            yield self.before
        else:
            yield from (f"{self.before}{number:0{self.digits}}{self.after}" for number in self.numbers)


@dataclass(frozen=True, kw_only=True)
class SeedModule:
    """A module; `document` is as the registry takes it, and has its id."""

    path: str  # where it is in the seed
    identifier: str
    document: Mapping[str, Json] = field(repr=False)  # may hold keys


@dataclass(frozen=True, kw_only=True)
class SeedDevices:
    """A device, or all of a range, which are alike but for their ids; `document` is as the registry takes it."""

    path: str  # where they are in the seed
    ids: Ids
    document: Mapping[str, Json] = field(repr=False)  # without an id; may hold keys
    parent: str | None = None
    modules: tuple[SeedModule, ...] = ()

    @property
    def is_edge(self) -> bool:
        """Whether they are edge devices."""
        return (self.document.get("capabilities") or {}).get("iotEdge") is True


@dataclass(frozen=True, kw_only=True)
class SeedPart:
    """A certificate or a configuration, and where it is in the seed."""

    path: str
    identifier: str
    document: Mapping[str, Json]


@dataclass(frozen=True, kw_only=True)
class Seed:
    """A seed, checked: its names are known, its ids are there once, and parents come before their children."""

    devices: tuple[SeedDevices, ...] = ()
    parents: Mapping[str, SeedDevices] = field(default_factory=dict)  # of them: by id, what describes the device
    certificates: tuple[SeedPart, ...] = ()
    configurations: tuple[SeedPart, ...] = ()


def read_seed(document: Json) -> Seed:
    """What a document says. Raises SeedMistake."""
    if document is None:
        raise SeedMistake("", f"It is empty. It may have {_listed(SEED)}, such as {json.dumps(EXAMPLES[''])}.")
    _check(document, SEED, "", "")
    devices = [_devices(path, item) for path, item in _items(document, "devices")]
    if sum(len(each.ids) for each in devices) > MAX_DEVICES:  # ranges can describe more than there is memory for
        raise SeedMistake("devices", f"There are more than the {MAX_DEVICES:,} that a seed may have.")
    _check_unique(((device_id, each.path) for each in devices for device_id in each.ids), "device")
    parents = _parents(devices)
    return Seed(
        devices=tuple(_parents_first(devices, parents)),
        parents=parents,
        certificates=_parts(document, "certificates", "name", "CA certificate"),
        configurations=_parts(document, "configurations", "id", "configuration"),
    )


def _check(value: Json, shape: Json, path: str, member: str) -> None:
    """Raise SeedMistake unless names and kinds are those of a shape; None in it stands for what has no members."""
    if value is None:
        return
    if not is_of_kind(value, member):
        quotes = ": put it in quotes" if shape is None and isinstance(value, (int, float)) else ""
        quotes = quotes if isinstance(EXAMPLES[member], str) else ""
        raise SeedMistake(path, f"It has to be {advice(member)}, and is {_shown(value)}{quotes}.")
    if isinstance(shape, list):
        for number, each in enumerate(value):
            if not isinstance(each, dict):
                example = json.dumps(EXAMPLES[member][0])
                raise SeedMistake(
                    f"{path}[{number}]", f"It has to be an object, such as {example}, and is {_shown(each)}."
                )
            _check_members(each, shape[0], f"{path}[{number}]")
    elif shape:
        _check_members(value, shape, path)


def _check_members(value: dict[str, Json], shape: Mapping[str, Json], path: str) -> None:
    for name, inner in value.items():
        if name not in shape:
            raise SeedMistake(_member(path, str(name)), f"This is not known here. There may be {_listed(shape)}.")
        _check(inner, shape[name], _member(path, name), name)


def _items(document: Mapping[str, Json], name: str) -> Iterator[tuple[str, dict[str, Json]]]:
    for number, item in enumerate(document.get(name) or []):
        yield f"{name}[{number}]", item


def _devices(path: str, item: dict[str, Json]) -> SeedDevices:
    """The device that an item describes, or all of its range."""
    modules = tuple(
        SeedModule(
            path=f"{path}.{inner}", identifier=_identifier(f"{path}.{inner}", module, "moduleId"), document=module
        )
        for inner, module in _items(item, "modules")
    )
    _check_unique(((each.identifier, each.path) for each in modules), "module")
    document = {name: value for name, value in item.items() if name not in ("deviceId", "modules", "parentDeviceId")}
    ids = _ids(path, _identifier(path, item, "deviceId"))
    return SeedDevices(path=path, ids=ids, document=document, parent=item.get("parentDeviceId"), modules=modules)


def _ids(path: str, device_id: str) -> Ids:
    """The ids that one with {first..last} stands for: as many digits as the first number has, or more."""
    found = RANGE.search(device_id)
    if found is None:
        return Ids(device_id)
    first, last = int(found[1]), int(found[2])
    if not first <= last < first + MAX_DEVICES:
        raise SeedMistake(
            f"{path}.deviceId",
            f"{found[0]} has to go from a number to the same or a higher one, with at most {MAX_DEVICES:,} devices.",
        )
    return Ids(device_id[: found.start()], range(first, last + 1), len(found[1]), device_id[found.end() :])


def _parts(document: Mapping[str, Json], name: str, id_name: str, what: str) -> tuple[SeedPart, ...]:
    parts = [
        SeedPart(path=path, identifier=_identifier(path, item, id_name), document=item)
        for path, item in _items(document, name)
    ]
    _check_unique(((each.identifier, each.path) for each in parts), what)
    return tuple(parts)


def _identifier(path: str, item: Mapping[str, Json], name: str) -> str:
    value = item.get(name)
    if value is None:
        raise SeedMistake(f"{path}.{name}", f"It is missing. It has to be {advice(name)}.")
    return str(value)  # it is a text


def _check_unique(items: Iterable[tuple[str, str]], what: str) -> None:
    """items: ids, and where they are in the seed."""
    seen: dict[str, str] = {}
    for identifier, path in items:
        if identifier in seen:
            raise SeedMistake(
                path, f"The {what} {identifier[:MAX_ID_SHOWN]!a} is there twice; also at {seen[identifier]}."
            )
        seen[identifier] = path


def _parents(devices: Sequence[SeedDevices]) -> dict[str, SeedDevices]:
    """By id, what describes the devices that are parents of others."""
    wanted = {each.parent for each in devices} - {None}
    if not wanted:
        return {}
    return {device_id: each for each in devices for device_id in each.ids if device_id in wanted}


def _parents_first(devices: Sequence[SeedDevices], parents: Mapping[str, SeedDevices]) -> Iterator[SeedDevices]:
    """The devices, each behind its parent; a parent may also be in the hub already. Raises SeedMistake for a circle."""
    done: set[str] = set()  # by where they are in the seed
    for first in devices:
        chain: dict[str, SeedDevices] = {}  # by id: a device of each
        current, device_id = first, next(iter(first.ids))
        while current.path not in done:
            if device_id in chain:
                raise SeedMistake(
                    f"{current.path}.parentDeviceId",
                    f"Devices are each other's parents: {_circle([*chain, device_id])}.",
                )
            chain[device_id] = current
            parent = current.parent
            if parent is None or parent not in parents:
                break
            current, device_id = parents[parent], parent
        for each in reversed(chain.values()):
            done.add(each.path)
            yield each


def _circle(ids: list[str]) -> str:
    shown = [f"{each[:MAX_ID_SHOWN]!a}" for each in ids]
    if len(shown) > MAX_IN_CIRCLE:
        shown[MAX_IN_CIRCLE - 1 : -1] = ["…"]
    return " -> ".join(shown)


def _member(path: str, name: str) -> str:
    shown = name if re.fullmatch(r"[\w$-]{1,60}", name) else f"{name[:60]!a}"
    return f"{path}.{shown}" if path else shown


def _listed(shape: Mapping[str, Any]) -> str:
    *names, last = shape
    return f"{', '.join(names)} and {last}" if names else last


def _shown(value: Json) -> str:
    """What kind of value it is; never the value, which may be a key."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds = {int: "a number", float: "a number", str: "a text", list: "a list"}
    return kinds.get(type(value), "an object")
