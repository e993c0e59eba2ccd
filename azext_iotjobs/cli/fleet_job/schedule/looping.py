"""`run-due --loop`: look again and again; what is due is started by processes of their own, one for a fleet job.

So runs of several fleet jobs go on beside each other, and an occurrence that is due while a run is executed is seen in
time. Nothing is lost with this process: those that it started end by themselves, and the store says what is due.
"""

import json
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable
from typing import IO, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.child_process import az_command, environment_of
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.own_session import own_session
from azext_iotjobs.fleet_job.due import Nothing, decide
from azext_iotjobs.model.clock import Clock, SystemClock
from azext_iotjobs.model.errors import BadValue, IotJobsError
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.operations.fleet_job.schedule.saved import view_of

logger = get_logger(__name__)

INTERVAL_S, NAP_S = 30.0, 0.5
PAUSE_S = 60.0  # after a process that could not do all that was due, before the next one for the same fleet job
DONE = (Outcome.SUCCESS, Outcome.DEVICES_FAILED, Outcome.NO_DEVICE, Outcome.MISSED)  # all that was due was done
MAX_SHOWN = 1_000  # results of processes that are kept
CLOCK = SystemClock()

Start = Callable[[str], "Child"]


class Child(NamedTuple):
    """A process that looks at one schedule, and the file that its result goes to."""

    process: "subprocess.Popen[bytes]"
    result: IO[bytes]


def until_stopped(
    client: FleetJobContext, fleet_job_id: str | None, interval: str | None, *, assume_yes: bool
) -> list[dict[str, Any]]:
    """Look until Ctrl-C or a termination signal; gives what the processes that it started gave.

    fleet_job_id: only this one; None: all.  interval: as typed.  assume_yes: the machine's clock is trusted.
    """
    interval_s = INTERVAL_S if interval is None else duration_s(interval, "--interval")
    if interval_s < 1:
        raise BadValue(f"--interval {interval}: give 1s or more.")
    more = ("--yes",) if assume_yes else ()
    looping = _Looping(client, fleet_job_id, lambda job: _started(client, job, more), CLOCK)
    with stopped_by_ctrl_c() as flag:
        while not flag.is_set():
            looping.poll()
            give_up_at = CLOCK.monotonic() + interval_s
            while not flag.is_set() and CLOCK.monotonic() < give_up_at:
                looping.reap()
                CLOCK.sleep(min(NAP_S, interval_s))
        looping.stop()
    return list(looping.happened)


class _Looping:
    """Which processes there are, and what came of them."""

    def __init__(self, client: FleetJobContext, fleet_job_id: str | None, start: Start, clock: Clock) -> None:
        self._client = client
        self._only = fleet_job_id
        self._start = start
        self._clock = clock
        self._children: dict[str, list[Child]] = {}
        self._not_before: dict[str, float] = {}  # monotonic
        self.happened: deque[dict[str, Any]] = deque(maxlen=MAX_SHOWN)

    def poll(self) -> None:
        """Start a process for each schedule of which something is due."""
        for stored in self._client.store.schedules.list_all():
            job = stored.fleet_job_id
            if self._only in (None, job) and self._client.means(stored.host) and self._is_due(stored):
                self._not_before[job] = self._clock.monotonic() + PAUSE_S
                self._children.setdefault(job, []).append(self._start(job))

    def reap(self) -> None:
        """Take the results of the processes that have ended."""
        for job, children in self._children.items():
            for each in [child for child in children if child.process.poll() is not None]:
                children.remove(each)
                self._take(job, each)

    def stop(self) -> None:
        """Have the processes stop their runs, and wait for them."""
        for children in self._children.values():
            for each in children:
                each.process.terminate()
        for job, children in self._children.items():
            for each in children:
                each.process.wait()
                self._take(job, each)

    def _is_due(self, stored: StoredSchedule) -> bool:
        if self._clock.monotonic() < self._not_before.get(stored.fleet_job_id, 0.0):
            return False
        try:
            view = view_of(self._client.store, stored, self._clock.now(), frozenset())
            return not isinstance(decide(view), Nothing)
        except IotJobsError:  # the process that polls it says why, and the others are polled
            return True

    def _take(self, job: str, child: Child) -> None:
        child.result.seek(0)
        text = child.result.read()
        child.result.close()
        try:
            self.happened.extend(json.loads(text) if text.strip() else [])
        except ValueError:
            logger.warning("%s: the process that looked at it gave no result.", job)
        if child.process.returncode in DONE:
            self._not_before.pop(job, None)


def _started(client: FleetJobContext, job: str, more: tuple[str, ...]) -> Child:
    words = ("iot", "hub", "fleet-job", "schedule", "run-due", "-j", job, *more, "-o", "json")
    result = tempfile.TemporaryFile()
    process = subprocess.Popen(
        az_command(client, words),
        stdin=subprocess.DEVNULL,
        stdout=result,
        env=environment_of(client),
        **own_session(),  # Ctrl-C is for this process, which passes it on once
    )
    return Child(process, result)
