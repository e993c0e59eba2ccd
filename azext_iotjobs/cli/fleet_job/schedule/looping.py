"""`run-due --loop`: look again and again; what is due is started by processes of their own, one for a fleet job.

So runs of several fleet jobs go on beside each other, and an occurrence that is due while a run is executed is seen in
time. Nothing is lost with this process: those that it started end by themselves, and the store says what is due.

Several such processes may share a store: what one of them has begun is not due any more for the others. While the store
cannot be reached, this one waits for it.
"""

import json
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import IO, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.child_process import az_command, environment_of
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.own_session import own_session
from azext_iotjobs.model.clock import Clock, SystemClock
from azext_iotjobs.model.errors import BadValue, StateBusy, StateUnreachable
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.fleet_job.schedule.due_schedules import DueSchedule, due_schedules

logger = get_logger(__name__)

INTERVAL_S, NAP_S = 30.0, 0.5
PAUSE_S, LONGEST_PAUSE_S = 60.0, 600.0  # after a process that could not do all that was due; twice as long each time
DONE = (Outcome.SUCCESS, Outcome.DEVICES_FAILED, Outcome.NO_DEVICE, Outcome.MISSED)  # all that was due was done
MAX_SHOWN = 1_000  # results of processes that are kept
MAX_RUNS = 20  # each is a process of some 80 MB
CROWDED_POLL_S = 1.0  # between two polls, while fleet jobs wait for a process to end
CLOCK = SystemClock()

StartProcess = Callable[..., "Child"]  # for a fleet job; executes: as Child has it


class Child(NamedTuple):
    """A process that looks at one schedule, and the file that its result goes to."""

    process: "subprocess.Popen[bytes]"
    result: IO[bytes]
    executes: bool  # a run; else it only looks, beside the process that does


class Failed(NamedTuple):
    """Of a fleet job whose last process could not do all that was due."""

    times: int  # one after the other
    not_before: float  # monotonic; when the next one may start


def until_stopped(
    client: FleetJobContext,
    fleet_job_id: str | None,
    interval: str | None,
    max_runs: int | None,
    *,
    assume_yes: bool,
) -> list[dict[str, Any]]:
    """Look until Ctrl-C or a termination signal; gives what the processes that it started gave.

    fleet_job_id: only this one; None: all.  interval: as typed.  max_runs: that it executes at once, as typed.
    assume_yes: the machine's clock is trusted.
    """
    interval_s = INTERVAL_S if interval is None else duration_s(interval, "--interval")
    if interval_s < 1:
        raise BadValue(f"--interval {interval}: give 1s or more.")
    if max_runs is not None and max_runs < 1:
        raise BadValue(f"--max-runs {max_runs}: give 1 or more.")
    more = ("--yes",) if assume_yes else ()
    start = partial(_started, client, more)
    looping = _Looping(client, fleet_job_id, start, CLOCK, max_runs or MAX_RUNS)
    with stopped_by_ctrl_c() as flag:
        try:
            while not flag.is_set():
                looping.poll()
                polled_at = CLOCK.monotonic()
                while not flag.is_set() and CLOCK.monotonic() < polled_at + interval_s:
                    looping.reap()
                    if looping.may_begin_another and CLOCK.monotonic() >= polled_at + CROWDED_POLL_S:
                        break
                    CLOCK.sleep(min(NAP_S, interval_s))
        finally:
            looping.stop()
    return list(looping.happened)


class _Looping:
    """Which processes there are, and what came of them."""

    def __init__(
        self,
        client: FleetJobContext,
        fleet_job_id: str | None,
        start: StartProcess,
        clock: Clock,
        max_runs: int = MAX_RUNS,
    ) -> None:
        self._client = client
        self._only = fleet_job_id
        self._start = start
        self._clock = clock
        self._max_runs = max_runs
        self._is_store_away = False
        self._crowded_out = 0  # fleet jobs that are due and wait for a process to end
        self._children: dict[str, list[Child]] = {}
        self._failed: dict[str, Failed] = {}  # by the fleet job
        self.happened: deque[dict[str, Any]] = deque(maxlen=MAX_SHOWN)

    def poll(self) -> None:
        """Start a process for each schedule of which something is due, while there is room. Raises StateError.

        A store that cannot be reached now, or is locked, is said, and no reason to end; nor is a machine that can have
        no other process.
        """
        try:
            self._begin_what_is_due()
            if self._is_store_away:
                logger.warning("The store is there again.")
            self._is_store_away = False
        except (StateUnreachable, StateBusy) as err:
            self._is_store_away = True
            logger.warning("%s It is looked for again at the next poll.", err)
        except OSError as err:
            logger.warning("No other process can be started: %s. It is tried again at the next poll.", err.strerror)

    def _begin_what_is_due(self) -> None:
        """As many runs are executed as may be; as many processes may look beside them, at what is to be recorded."""
        executing, looking = (self._max_runs - count for count in self._counts())
        crowded_out = 0
        for due in self._due():
            job = due.stored.fleet_job_id
            children = self._children.setdefault(job, [])
            if len(children) > 1 or (children and due.executes):  # it sees that itself when its run has ended
                continue
            if (executing if due.executes else looking) <= 0:
                crowded_out += 1
                continue
            children.append(self._start(job, executes=due.executes))
            executing -= due.executes
            looking -= not due.executes
        self._say_who_waits(crowded_out)

    @property
    def may_begin_another(self) -> bool:
        """Whether fleet jobs waited for a process to end, and one has."""
        return bool(self._crowded_out) and self._counts()[0] < self._max_runs

    def reap(self) -> None:
        """Take the results of the processes that have ended."""
        for job, children in self._children.items():
            for each in [child for child in children if child.process.poll() is not None]:
                children.remove(each)
                self._take(job, each)
                self._judge(job, each.process.returncode)

    def stop(self) -> None:
        """Have the processes stop their runs, and wait for them."""
        for children in self._children.values():
            for each in children:
                each.process.terminate()
        for job, children in self._children.items():
            for each in children:
                each.process.wait()
                self._take(job, each)

    def _counts(self) -> tuple[int, int]:
        """How many processes there are that execute a run, and how many that only look."""
        children = [child for each in self._children.values() for child in each]
        executing = sum(child.executes for child in children)
        return executing, len(children) - executing

    def _due(self) -> list[DueSchedule]:
        """Of which something is due, in the order in which they are begun: last those that have failed before."""
        store = self._client.store
        meant = [each for each in store.schedules.list_all() if self._is_meant(each)]
        due = due_schedules(store, meant, self._clock.now())
        return sorted(due, key=lambda each: each.stored.fleet_job_id in self._failed)

    def _is_meant(self, stored: StoredSchedule) -> bool:
        job = stored.fleet_job_id
        is_ours = self._only in (None, job) and self._client.means(stored.host)
        failed = self._failed.get(job)
        return is_ours and (failed is None or self._clock.monotonic() >= failed.not_before)

    def _say_who_waits(self, count: int) -> None:
        if count and not self._crowded_out:
            logger.warning(
                "%s executed here, as many as --max-runs allows; %s for one to end. Another host that runs this "
                "command with the same store shares the work.",
                counted(self._max_runs, "run is", "runs are"),
                counted(count, "fleet job that is due waits", "fleet jobs that are due wait"),
            )
        self._crowded_out = count

    def _take(self, job: str, child: Child) -> None:
        child.result.seek(0)
        text = child.result.read()
        child.result.close()
        try:
            self.happened.extend(json.loads(text) if text.strip() else [])
        except ValueError:
            logger.warning("%s: the process that looked at it gave no result.", job)

    def _judge(self, job: str, code: int) -> None:
        """Whether the next process may start at once."""
        if code in DONE:
            self._failed.pop(job, None)
            return
        is_again = job in self._failed and code != Outcome.STOPPED  # by its window, each night
        times = self._failed[job].times + 1 if is_again else 1
        pause_s = min(LONGEST_PAUSE_S, PAUSE_S * 2 ** (times - 1))
        self._failed[job] = Failed(times, self._clock.monotonic() + pause_s)
        logger.warning("%s: its process ended with exit code %d. It is polled again in %.0f s.", job, code, pause_s)


def _started(client: FleetJobContext, more: tuple[str, ...], job: str, *, executes: bool) -> Child:
    words = ("iot", "hub", "fleet-job", "schedule", "run-due", "-j", job, *more, "-o", "json")
    result = tempfile.TemporaryFile()
    process = subprocess.Popen(
        az_command(client, words),
        stdin=subprocess.DEVNULL,
        stdout=result,
        env=environment_of(client),
        **own_session(),  # Ctrl-C is for this process, which passes it on once
    )
    return Child(process, result, executes)
