"""Looks for devices that wait to connect: by queries on the state of their connections, round after round.

What a query finds may be some minutes old: a device that is called and is offline again waits on, and is looked for
ever more rarely. A device fails only by a look that began when its time was over, so one that connected while nobody
looked is still operated.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from azext_iotjobs.clients.heartbeat_caller import OUTAGE_PAUSES_S
from azext_iotjobs.clients.paging import Page
from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.clients.response import json_object
from azext_iotjobs.fleet_job.store.leased_contract import WaitingRecords
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query import chunks, in_list, quoted
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.verification import TwinCondition
from azext_iotjobs.model.when_online import WaitingDevice
from azext_iotjobs.operations.verification.rounds import NAP_S, PageQuery, Round, Rounds

DEVICES_AT_A_TIME = 1_000  # that are read; a query holds some hundreds of ids
IS_CONNECTED = "connectionState = 'Connected'"
IDLE_S = 0.5  # between two questions whether anybody is to be looked for
LONGEST_PAUSE_S = 30.0  # between two rounds that find nobody
PATIENCE_S = (*OUTAGE_PAUSES_S, *(60.0,) * 24 * 60)  # whoever waits for days outlasts an outage of a day


@dataclass(frozen=True)
class Look:
    """What a look has found of a device; of one that is neither nothing is said."""

    device: WaitingDevice
    is_over: bool  # it has not connected in time; else it can be operated, or verified


class ConnectionWatch:
    """Looks for them, turn by turn."""

    def __init__(
        self,
        queries: QueriesClient,
        devices: WaitingRecords,
        wanted: TwinCondition | None,
        pace: QueryPace,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        """devices: those that wait.  wanted: what verifies those that were operated; None: nobody is verified.

        pace: of the queries.  say: is told what trouble is waited out.
        """
        self._devices = devices
        self._wanted = wanted
        self._clock = clock
        what = "Devices that wait to connect"
        self._rounds: Rounds[Look] = Rounds(queries, pace, clock, say, what, LONGEST_PAUSE_S, PATIENCE_S)
        self._next_check_at = float("-inf")  # monotonic

    @property
    def trouble(self) -> IotJobsError | None:
        """Why it cannot continue."""
        return self._rounds.trouble

    def turn(self) -> list[Look]:
        """Do what can be done now; gives what was found, which has to be recorded before the next turn."""
        if self.trouble is not None or (not self._rounds.is_under_way and not self._begin()):
            return []
        return self._rounds.turn()

    def nap(self, longest_s: float = NAP_S) -> None:
        """Wait a little for what comes next."""
        next_at = max(self._next_check_at, self._rounds.next_at)
        self._rounds.nap(longest_s, idle_s=next_at - self._clock.monotonic())

    def close(self) -> None:
        """Let the thread end; what is in flight is not waited for."""
        self._rounds.close()

    def _begin(self) -> bool:
        """Begin a round when one is due; gives whether it is."""
        passed = self._clock.monotonic()
        if passed < max(self._next_check_at, self._rounds.next_at):
            return False
        self._next_check_at = passed + IDLE_S
        now = self._clock.now()
        next_look_at = self._devices.next_look_at()
        if next_look_at is None:
            self._rounds.forget()
        if next_look_at is None or next_look_at > now:
            return False
        self._rounds.begin(looks(self._devices, self._wanted, now))
        return True


def looks(devices: WaitingRecords, wanted: TwinCondition | None, now: datetime) -> Round[Look]:
    """Look once for all devices that are to be looked for.

    devices: those that wait.  wanted: what verifies those that were operated.  now: when the round begins.
    """
    after = 0
    while found := devices.page(after, DEVICES_AT_A_TIME, now):
        after = found[-1].key
        for group in _groups(found):
            yield from _look_for(group, wanted, now)


def _groups(devices: list[WaitingDevice]) -> Iterator[list[WaitingDevice]]:
    """Devices, or modules of one name, of which the same is asked."""
    groups: dict[tuple[str | None, bool], list[WaitingDevice]] = {}
    for each in devices:
        groups.setdefault((each.module_id, each.was_operated), []).append(each)
    yield from groups.values()


def _look_for(group: list[WaitingDevice], wanted: TwinCondition | None, now: datetime) -> Round[Look]:
    by_id = {each.device_id: each for each in group}
    before, behind = _around(group[0], wanted)
    for ids in chunks("deviceId", by_id, len(before) + len(behind)):
        query = PageQuery(f"{before}{in_list('deviceId', ids)}{behind}")
        left = {each: by_id[each] for each in ids}
        while True:
            page = yield query
            if connected := [device for each in _device_ids(page) if (device := left.pop(each, None)) is not None]:
                yield [Look(each, is_over=False) for each in connected]
            if page is None or not page.next_token:
                break
            query = query._replace(token=page.next_token)
        # What was operated is looked at once more by who verifies it: it may have reported while nobody looked.
        yield [Look(each, is_over=not each.was_operated) for each in left.values() if each.wait.until <= now]


def _around(device: WaitingDevice, wanted: TwinCondition | None) -> tuple[str, str]:
    """What stands before the list of ids in the query for devices like this one, and behind."""
    of_modules, of_module = "", ""
    if device.module_id is not None:
        of_modules, of_module = ".modules", f"moduleId = {quoted(device.module_id)} AND "
    is_ready = IS_CONNECTED
    if device.was_operated and wanted is not None and wanted.is_of_modules == (device.module_id is not None):
        is_ready = f"({IS_CONNECTED} OR ({wanted.where}))"  # it may have connected for a moment, and reported
    return f"SELECT deviceId FROM devices{of_modules} WHERE {of_module}", f" AND {is_ready}"


def _device_ids(page: Page | None) -> list[str]:
    rows: list[Any] = [] if page is None else page.items
    return [str(json_object(each).get("deviceId")) for each in rows]
