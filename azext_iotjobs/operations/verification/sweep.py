"""Looks at the twins of devices that were operated: which queries are made, and what their rows decide.

No request is made here: `Sweep.round` yields one query after the other and is sent the page that the hub gave; between
them it yields what is decided. So whoever runs it sets the pace, tries again after trouble, and can leave at any time.

Strategy: what a query finds holds. That it does not find a device means nothing before the device's time is over, as
queries lag behind twins; after that, what the device reports is read, and it is queried for once more. Many devices are
only looked at when a count over the whole hub has changed, when they are new, or when their time is over.
"""

from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta
from typing import Any, Protocol

from azext_iotjobs.clients.paging import Page
from azext_iotjobs.clients.verification_codec import SeenTwin, parse_count, parse_seen_twin
from azext_iotjobs.model.condition_paths import Path, named_paths
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query import chunks, in_list, quoted
from azext_iotjobs.model.verification import (
    TwinCondition,
    Verdict,
    Verification,
    VerificationFailure,
    VerifyingDevice,
)
from azext_iotjobs.operations.verification.rounds import PageQuery, Round

DEVICES_AT_A_TIME = 1_000  # that are read; a query holds some hundreds of ids
ROWS = "SELECT * FROM devices"
COUNT = "SELECT COUNT() AS total FROM devices WHERE "


class VerifyingDevices(Protocol):
    """The devices that are verified. Those that a verdict was given on are gone before they are read again."""

    def page(
        self, after: VerifyingDevice | None, limit: int, *, since: datetime | None = None
    ) -> list[VerifyingDevice]:
        """Some of them, by their deadlines and then their keys.

        after: only those behind it; None: from the first.  limit: of their count.  since: only those whose deadline is
        this instant or later; None: all.
        """

    def first_deadline(self) -> datetime | None:
        """By when the first of them has to be verified; None: there are none."""


Step = PageQuery | list[Verdict]
Steps = Round[Verdict]
Rows = Generator[PageQuery, Page | None, list[Any]]


@dataclass(frozen=True)
class _Counts:
    """How many devices of the whole hub meet the conditions."""

    verified: int
    failed: int


NOBODY = _Counts(0, 0)


class Sweep:
    """Goes over the devices that are being verified, round after round."""

    def __init__(self, devices: VerifyingDevices, verification: Verification, now: Callable[[], datetime]) -> None:
        """devices: those that are left.  now: the instant, aware UTC."""
        self._devices = devices
        self._wanted, self._failed = verification.wanted, verification.failed
        self._within = timedelta(seconds=verification.within_s)
        self._paths = verification.paths
        self._failed_paths: tuple[Path, ...] = () if self._failed is None else named_paths(self._failed.where)
        self._now = now
        self._counts: _Counts | None = None  # at the last sweep of all
        self._swept_at: datetime | None = None  # those that were verifying then were looked at

    def round(self) -> Steps:
        """Look at the devices once, as far as it is worthwhile: pages are sent in, verdicts have to be recorded."""
        began_at = self._now()
        first = self._devices.page(None, DEVICES_AT_A_TIME)
        if len(first) < DEVICES_AT_A_TIME and len(list(self._chunks(first))) <= 1:
            yield from self._look(first)
            return
        counts = yield from self._count()
        if counts == NOBODY:
            yield from self._sweep(until=began_at)  # whose time is over
        elif counts is None or counts != self._counts or self._swept_at is None:
            yield from self._sweep(until=began_at + self._within)
        else:
            yield from self._sweep(until=began_at)
            yield from self._sweep(since=self._swept_at + self._within)  # who came since
        self._counts, self._swept_at = counts, began_at

    def _count(self) -> Generator[PageQuery, Page | None, _Counts | None]:
        """Count over the whole hub: one or two queries, however many devices there are. None: modules, not counted."""
        if self._wanted.is_of_modules or (self._failed is not None and self._failed.is_of_modules):
            return None
        first = self._devices.page(None, 1)
        if first and first[0].module_id is not None:
            return None
        verified = yield from self._count_of(self._wanted)
        failed = 0 if self._failed is None else (yield from self._count_of(self._failed))
        return None if verified is None or failed is None else _Counts(verified, failed)

    def _count_of(self, condition: TwinCondition) -> Generator[PageQuery, Page | None, int | None]:
        rows = yield from first_page(f"{COUNT}({condition.where})")
        return parse_count(rows[0]) if rows else None

    def _sweep(self, *, until: datetime | None = None, since: datetime | None = None) -> Steps:
        """Look at those whose deadline is in a range."""
        after: VerifyingDevice | None = None
        while found := self._devices.page(after, DEVICES_AT_A_TIME, since=since):
            yield from self._look([each for each in found if until is None or each.verify_by <= until])
            after = found[-1]
            if until is not None and after.verify_by > until:
                return

    def _look(self, devices: list[VerifyingDevice]) -> Steps:
        for chunk in self._chunks(devices):
            yield from self._look_at(chunk)

    def _chunks(self, devices: list[VerifyingDevice]) -> Iterator["_Chunk"]:
        """As many devices, or modules of one name, as the text of one query holds."""
        by_module: dict[str | None, dict[str, VerifyingDevice]] = {}
        for each in devices:
            by_module.setdefault(each.module_id, {})[each.device_id] = each
        conditions = [each for each in (self._wanted, self._failed) if each is not None]
        for module_id, by_id in by_module.items():
            around = max(len(twin_query(module_id, "", each)) for each in conditions)
            for ids in chunks("deviceId", by_id, around):
                yield _Chunk(module_id, {each: by_id[each] for each in ids})

    def _look_at(self, chunk: "_Chunk") -> Steps:
        """Which of a chunk have failed or are verified; what becomes of those whose time is over."""
        began_at = self._now()
        if self._failed is not None:
            yield from self._found(chunk, self._failed, VerificationFailure.REPORTED_FAILURE)
        yield from self._found(chunk, self._wanted, None)
        overdue = {name: each for name, each in chunk.open.items() if each.verify_by < began_at}
        if overdue:
            yield from self._last_look_at(_Chunk(chunk.module_id, overdue))

    def _found(self, chunk: "_Chunk", condition: TwinCondition, failure: VerificationFailure | None) -> Steps:
        """Those that a condition finds are decided."""
        if not chunk.open:
            return
        query = PageQuery(twin_query(chunk.module_id, chunk.ids, condition))
        while True:
            page = yield query
            decided = [each for row in items_of(page) if (each := self._decided(chunk, row, failure)) is not None]
            if decided:
                yield decided
            if page is None or not page.next_token:
                return
            query = query._replace(token=page.next_token)

    def _decided(self, chunk: "_Chunk", row: Any, failure: VerificationFailure | None) -> Verdict | None:
        seen = parse_seen_twin(row, self._paths, self._failed_paths)
        device = chunk.open.get(seen.device_id)
        if device is None or (failure is not None and not _is_since(seen, device)):
            return None
        del chunk.open[seen.device_id]
        return Verdict(device=device, at=self._now(), failure=failure, reported=seen.reported)

    def _last_look_at(self, overdue: "_Chunk") -> Steps:
        """Their time is over: read what they report, then look once more; those that are not found have failed."""
        reported: dict[str, dict[str, Any]] = {}
        connected: dict[str, bool] = {}
        query = PageQuery(twin_query(overdue.module_id, overdue.ids, self._wanted._replace(where="")))
        while True:
            page = yield query
            for row in items_of(page):
                seen = parse_seen_twin(row, self._paths, ())
                if not reported.get(seen.device_id):  # of several modules, one that has such members
                    reported[seen.device_id] = seen.reported
                if seen.is_connected is not None:  # of several modules, one that is
                    connected[seen.device_id] = seen.is_connected or connected.get(seen.device_id, False)
            if page is None or not page.next_token:
                break
            query = query._replace(token=page.next_token)
        yield from self._found(overdue, self._wanted, None)
        at = self._now()
        yield [
            Verdict(
                device=each,
                at=at,
                failure=VerificationFailure.NOT_IN_TIME,
                reported=reported.get(name),
                is_connected=connected.get(name),
            )
            for name, each in overdue.open.items()
        ]


@dataclass(frozen=True)
class _Chunk:
    """Devices that one query asks about."""

    module_id: str | None  # of the modules on them
    open: dict[str, VerifyingDevice]  # by their ids, those that nothing was decided on

    @property
    def ids(self) -> str:
        """A condition that is met by them."""
        return in_list("deviceId", self.open)


def twin_query(module_id: str | None, ids: str, condition: TwinCondition) -> str:
    """The query for the twins of some devices, or of modules on them, that meet a condition.

    module_id: None: the devices' own twins, or those of any module on them, as the condition has it.
    ids: a condition.
    """
    collection = "" if module_id is None and not condition.is_of_modules else ".modules"
    of_module = "" if module_id is None else f"moduleId = {quoted(module_id)} AND "
    own = f" AND ({condition.where})" if condition.where else ""
    return f"{ROWS}{collection} WHERE {of_module}{ids}{own}"


def first_page(text: str) -> Rows:
    """The rows of a query's first page, which is all that a count has."""
    page = yield PageQuery(text)
    return items_of(page)


def items_of(page: Page | None) -> list[Any]:
    """The rows of a page that was sent in."""
    return [] if page is None else page.items


def _is_since(seen: SeenTwin, device: VerifyingDevice) -> bool:
    """Whether a failure is of this attempt: it was reported after the attempt began, as far as one can know.

    Where the clocks of hub and machine differ, one that is left out here has failed when its time is over.
    """
    return seen.changed_at is None or seen.changed_at >= device.began_at
