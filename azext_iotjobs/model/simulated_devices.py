"""Which devices are simulated, and whether they may be. Pure."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.ids import DEVICE, can_be, in_lists
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Field, Text, command, counted

SIMULATED_TAG = "simulated"  # true on every device that `simulate` has created
RUN_TAG = "simulatedRun"  # the run that created it
BY_KEY = "sas"  # the hub's word for a device that signs in with a key
SHOWN_IDS = 5  # in an error

# IoT Hub devguide "quotas and throttling": 100 a minute and unit, on S3 5000; a bulk request counts each device.
REGISTRY_PER_MINUTE = 100
REGISTRY_PER_MINUTE_S3 = 5000


@dataclass(frozen=True, kw_only=True)
class DeviceFacts:
    """What the registry holds about a device."""

    device_id: str
    etag: str  # of its identity
    is_connected: bool
    sign_in: str  # the hub's word
    tags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_marked(self) -> bool:
        """Whether its tags say that it exists to be simulated."""
        return self.tags.get(SIMULATED_TAG) is True

    def was_created_by(self, run: str) -> bool:
        """Whether its tags say that `run` created it."""
        return self.tags.get(RUN_TAG) == run


@dataclass(frozen=True)
class Shard:
    """One of several machines that share the devices of a simulation."""

    number: int  # 1 to total
    total: int

    def has(self, device_id: str) -> bool:
        """Whether a device belongs to this machine.

        A hash of its id decides, not its place in a list: machines whose lists differ, because a device was added or
        removed while they started, still agree about every device.
        """
        digest = hashlib.sha256(device_id.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.total == self.number - 1


def parse_shard(text: str) -> Shard:
    """Read "2/5". Raises BadValue."""
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise BadValue(
            Text(Field("shard"), f" {text[:20]!r}: give a part and the number of parts, such as 2/5, from 1/5 to 5/5.")
        )
    return Shard(int(found[1]), int(found[2]))


def numbered_ids(prefix: str, count: int) -> tuple[str, ...]:
    """The ids of numbered devices: the prefix and a number from 1, with as many digits as `count` has.

    Raises BadValue for a count below 1 and for ids that no device can have.
    """
    if count < 1:
        raise BadValue(Text(Field("count"), f" {count}: give 1 or more."))
    width = len(str(count))
    if not can_be(DEVICE, f"{prefix}{count}"):
        raise BadValue(
            Text(Field("prefix"), f" {prefix[:60]!r}: {f'{prefix}{count}'[:80]!r} is not a device id."),
            hint=DEVICE.rule,
        )
    return tuple(f"{prefix}{number:0{width}}" for number in range(1, count + 1))


def check_at_most(count: int, limit: int | None) -> None:
    """Raise BadValue when more than `limit` devices are selected."""
    if limit is not None and count > limit:
        raise BadValue(
            Text.of(
                "{selected} selected, but {max_devices} (or iotjobs.max_devices) allows {limit}; nothing was done.",
                selected=counted(count, "device is", "devices are"),
                limit=limit,
            ),
            hint=Text.of("Narrow the condition or list, or allow more with {max_devices}."),
        )


def obstacles(existing: Sequence[DeviceFacts], *, total_count: int, is_local: bool, takes_over: bool) -> list[str]:
    """Why these devices may not be simulated, as texts for people; [] when they may be.

    existing: the devices that this run did not create.  total_count: with those that it did.
    takes_over: whether the user wants to simulate them anyway.
    """
    if takes_over:
        return []
    found = []
    connected = [each.device_id for each in existing if each.is_connected]
    if connected:
        found.append(
            f"{shown_ids(connected)} {_are(connected)} connected: simulating a device ends the connection that it has"
        )
    unmarked = [each.device_id for each in existing if not each.is_marked]
    if unmarked and total_count > 1 and not is_local:
        found.append(
            f"{shown_ids(unmarked)} {_are(unmarked)} not marked as simulated: the tag {SIMULATED_TAG}: true is missing"
        )
    return found


def check_simulation_allowed(
    existing: Sequence[DeviceFacts], *, total_count: int, is_local: bool, takes_over: bool
) -> None:
    """Raise ConflictingChoice, with the count and the first ids, when `obstacles` finds any.

    For the arguments see `obstacles`.
    """
    found = obstacles(existing, total_count=total_count, is_local=is_local, takes_over=takes_over)
    if found:
        raise ConflictingChoice(
            f"Not simulated: {'; '.join(found)}.",
            hint=Text.of(
                "They may be real devices. {take_over} simulates them anyway; {exclude} leaves some "
                "out; one is marked by: {mark}",
                mark=command("iot hub device-twin update", device_id="ID", tags=f"{SIMULATED_TAG}=true"),
            ),
        )


def shown_ids(ids: Sequence[str], noun: str = "device") -> str:
    """The count of devices and the first ids, for people."""
    shown = ", ".join(map(in_lists, ids[:SHOWN_IDS]))
    more = ", …" if len(ids) > SHOWN_IDS else ""
    return f"{counted(len(ids), noun)} ({shown}{more})"


def registry_time(count: int) -> str:
    """How long `count` changes or reads of a hub's registry take because of its quota, for people."""
    slow, fast = _minutes(count, REGISTRY_PER_MINUTE), _minutes(count, REGISTRY_PER_MINUTE_S3)
    return f"about {slow} on an S1 or S2 hub of one unit, which allows {REGISTRY_PER_MINUTE} a minute; {fast} on S3"


def _minutes(count: int, per_minute: int) -> str:
    minutes = count / per_minute
    if minutes < 2:
        return f"{max(1, round(60 * minutes))} s"
    return f"{round(minutes)} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _are(ids: Sequence[str]) -> str:
    return "is" if len(ids) == 1 else "are"
