"""Verifies the devices of results: a row for each, once it is known whether its device reports what it has to.

Who operates the devices gives their rows, as a job or calls end. Twins are looked at between two of these rows, and
after the last one. A device that was not operated has its row at once; those of the others are held until it is decided
what verifies them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.verification import Verdict, Verification, VerifyingDevice, failure_text
from azext_iotjobs.operations.verification.device_list import DeviceList
from azext_iotjobs.operations.verification.verifier import Verifier


class VerificationObserver(Protocol):
    """Hears how far a verification is."""

    def verifying(self, count: int, left_s: float) -> None:
        """So many devices are being verified; said often. left_s: until the time of the last of them is over."""

    def say(self, text: str) -> None:
        """What trouble is waited out."""


class ResultVerifier:
    """Verifies the devices of rows."""

    def __init__(
        self,
        queries: QueriesClient,
        verification: Verification,
        pace: QueryPace,
        clock: Clock,
        stop: StopFlag,
        observer: VerificationObserver,
    ) -> None:
        """pace: of the queries.  stop: once it is set, no twin is looked at any more."""
        self._within = timedelta(seconds=verification.within_s)
        self._clock = clock
        self._stop = stop
        self._observer = observer
        self._devices = DeviceList()
        self._verifier = Verifier(queries, verification, self._devices, pace, clock, observer.say)
        self._open: dict[int, DeviceResult] = {}  # by the keys of their devices
        self._added_count = 0
        self._last_deadline: datetime | None = None

    @property
    def trouble(self) -> IotJobsError | None:
        """Why devices cannot be looked at any more; None: they can."""
        return self._verifier.trouble

    def rows(self, operated: Iterable[DeviceResult]) -> Iterator[DeviceResult]:
        """The rows of devices, with what became of their verification; those that nothing was decided on are in `left`.

        operated: rows of devices that were operated, or not; it is read to its end.
        Raises what `operated` raises. Hub trouble of its own ends it early, and is in `trouble`.
        """
        try:
            for row in operated:
                if _is_operated(row):
                    self._add(row)
                else:
                    yield row
                yield from self._turn()
            while self._open and not self._stop.is_set() and self.trouble is None:
                before = len(self._open)
                yield from self._turn()
                if len(self._open) == before:
                    self._verifier.nap()
        finally:
            self._verifier.close()

    def left(self) -> Iterator[DeviceResult]:
        """The rows of devices on which nothing was decided: they are being verified."""
        return (replace(row, status=DeviceState.VERIFYING.value) for row in self._open.values())

    def _add(self, row: DeviceResult) -> None:
        now = self._clock.now()
        self._last_deadline = now + self._within
        self._added_count += 1
        self._open[self._added_count] = row
        self._devices.add(
            VerifyingDevice(
                key=self._added_count,
                device_id=row.device_id,
                module_id=row.module_id,
                began_at=row.started_at or now,
                verify_by=self._last_deadline,
            )
        )

    def _turn(self) -> Iterator[DeviceResult]:
        if self._stop.is_set():
            return
        for each in self._verifier.turn():
            self._devices.remove(each.device)
            yield _verified_row(self._open.pop(each.device.key), each)
        if self._open and self._last_deadline is not None:
            left_s = (self._last_deadline - self._clock.now()).total_seconds()
            self._observer.verifying(len(self._open), max(0.0, left_s))


def _is_operated(row: DeviceResult) -> bool:
    return row.error_class is None and row.status.lower() == DeviceState.COMPLETED.value


def _verified_row(row: DeviceResult, verdict: Verdict) -> DeviceResult:
    """A device's row, with what a look at its twin has decided."""
    if verdict.failure is None:
        return replace(row, verified_at=verdict.at, reported=verdict.reported)
    return replace(
        row,
        status=DeviceState.FAILED.value,
        error_class=ErrorClass.NOT_VERIFIED,
        error_code=verdict.failure.value,
        error_text=failure_text(verdict),
        reported=verdict.reported,
    )
