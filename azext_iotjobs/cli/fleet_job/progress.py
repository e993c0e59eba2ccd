"""What a person sees on stderr while a run is executed: batches, how far it is, failures, how it ended.

On a terminal one line changes below those that stay; elsewhere there are plain lines.
"""

from collections.abc import Callable
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.waiting import approval_lines, in_full, in_short, offline_line, waiting_line
from azext_iotjobs.cli.output.device_row_line import HEARTBEAT_S, MAX_FAILURES, short_row
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.model.clock import Clock, StopFlag, SystemClock, render_instant
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import GateKind
from azext_iotjobs.model.ids import name_of
from azext_iotjobs.model.run import RequestKind, Run, Tally
from azext_iotjobs.model.run_events import (
    BatchBegan,
    BatchEnded,
    DeviceConnected,
    DeviceEnded,
    DeviceWaits,
    Event,
    GateAwaited,
    GateJudged,
    HubJobMoved,
    Notice,
    Progressed,
    RunBegan,
    RunEnded,
    Waiting,
)
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.text import counted, printable

logger = get_logger(__name__)

STILL_S = 10.0  # without an end nothing moves, as far as a person can tell
STILL_GAPS = 3.0  # of what came between two ends before
MAX_AWAITED_SHOWN = 3


class Progress:
    """Reports each event of a run."""

    def __init__(self, clock: Clock, *, is_silent: bool, names_job: bool = False) -> None:
        """names_job: each line begins with the fleet job, for others' stand beside it."""
        self._clock = clock
        self._names_job = names_job
        self._prefix = ""
        self._said_at = clock.monotonic()
        self._ended_before = 0  # devices that had ended when this process began
        self._job = ""  # its id
        self._batch_count = 0
        self._failures_left = MAX_FAILURES
        self._waiting_left = MAX_FAILURES  # lines on devices that wait to connect, or have connected
        self._stop: StopFlag | None = None
        self._is_stopping = False
        self._driver = Driver.CALLS
        self._speed = Speed(self._said_at, 0)
        # What was reported as awaited, since something last ended.
        self._reported_awaited: set[tuple[object, ...]] = set()
        self._line = StatusLine(is_silent=is_silent)

    def watch(self, stop: StopFlag) -> None:
        """Report once when this is set, and then what is awaited."""
        self._stop = stop

    def on_event(self, event: Event) -> None:
        """Something has happened."""
        if self._stop is not None and self._stop.is_set():
            self._stop, self._is_stopping = None, True
            what = "calls under way are awaited"
            if self._driver is Driver.JOBS:
                what = "hub jobs that have not begun are cancelled, those that run continue in the hub"
            self.say(f"Stopping: nothing else begins, {what}. Ctrl-C again leaves at once.")
        if isinstance(event, BatchBegan):
            self._speed.begin(self._clock.monotonic())
        match event:
            case RunBegan(run=run):
                self._begin(run)
            case BatchBegan(batch=batch) if not self._line.is_live:
                again = ", tried again" if batch.is_retry else ", as they connect" if batch.is_of_offline else ""
                self.say(f"Batch {batch.ordinal} begins: {counted(batch.size, 'device')}{again}.")
            case DeviceEnded(result=result) if result.error_class is not None or result.status == "uncertain":
                self._failed(short_row(result))
            case DeviceWaits(result=result):
                self._say_of_waiting(offline_line(result))
            case DeviceConnected(device_id=device_id, module_id=module_id, batch=ordinal):
                self._say_of_waiting(f"{printable(name_of(device_id, module_id))} has connected: batch {ordinal}.")
            case Progressed():
                self._progressed(event)
            case BatchEnded(batch=batch):
                self.say(f"Batch {batch.ordinal} ended: {counts(batch.tally)}.")
            case Waiting(until=until, why=why):
                self.say(
                    f"{why[:1].upper()}{why[1:]}: nothing begins before {render_instant(until.replace(microsecond=0))}."
                )
            case GateAwaited():
                self.say(self._awaited_gate(event))
            case GateJudged(batch=ordinal, verdict=verdict):
                said = verdict.decision.value
                self.say(f"Batch {ordinal}, gate {verdict.kind.value}: {said}. {printable(verdict.reason)}")
            case Notice(text=text):
                self.say(printable(text))
            case HubJobMoved(batch=ordinal, job_id=job_id, status=status) if status in ("created", "adopted"):
                self.say(f"Batch {ordinal}: hub job {job_id} {status}.")
            case RunEnded(is_as_before=True):
                self.end()
            case RunEnded(run=run):
                self.end()
                logger.warning("%s", ended_line(run))
            case _:
                pass

    def on_count(self, count: int) -> None:
        """So many devices have been found, and the hub may have more: a tier may give few of them a minute."""
        self._show(lambda: f"Choosing devices: {count} so far.")

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self.end()
        logger.warning("%s%s", self._prefix, text)

    def end(self) -> None:
        """Clear the line that changes."""
        self._line.clear()

    def _begin(self, run: Run) -> None:
        self._ended_before = run.tally.ended
        self._speed = Speed(self._clock.monotonic(), self._ended_before)
        self._driver = run.driver
        self._job = run.fleet_job_id
        self._prefix = f"{self._job}: " if self._names_job else ""
        self._batch_count = run.batch_count
        verifying = f", {run.tally.verifying} are being verified" if run.tally.verifying else ""
        verifying += f", {run.tally.waiting} wait to connect" if run.tally.waiting else ""
        ended = f"{run.tally.ended} of {counted(run.device_count, 'device')} ended{verifying}"
        if run.stop_request is not None and run.stop_request.kind is RequestKind.CANCEL:
            self.say(f"{run.name} on {run.host} is being canceled, {ended}: what is under way is awaited.")
            return
        what = f"resumes, {ended}" if run.tally.ended or verifying else "begins"
        self.say(
            f"{run.name} on {run.host} {what}: {counted(run.device_count, 'device')}, {run.batch_count} "
            f"{'batch' if run.batch_count == 1 else 'batches'}, by {run.driver_reason}"
        )

    def _awaited_gate(self, event: GateAwaited) -> str:
        """What a gate waits for, and what can be done about it."""
        if event.gate is GateKind.MANUAL:
            return "\n".join(approval_lines(self._job, event.batch, event.since))
        until = "" if event.until is None else f", until {render_instant(event.until.replace(microsecond=0))} at most"
        return f"Batch {event.batch}, gate {event.gate.value}: it runs{until}."

    def _say_of_waiting(self, line: str) -> None:
        if self._waiting_left == 0:
            return
        self._waiting_left -= 1
        self.say(line)
        if self._waiting_left == 0:
            self.say(
                "More of them are not shown here; who waits: "
                + suggestion("iot hub fleet-job results", fleet_job_id=self._job, status="waiting")
            )

    def _failed(self, row: str) -> None:
        if self._failures_left == 0:
            return
        self._failures_left -= 1
        self.say(row)
        if self._failures_left == 0:
            self.say(
                "Further failures are not shown here. To see all of them: "
                + suggestion("iot hub fleet-job results", fleet_job_id=self._job)
            )

    def _progressed(self, event: Progressed) -> None:
        if event.batch is not None:
            self._batch_count = max(self._batch_count, event.batch.ordinal)
        now = self._clock.monotonic()
        if self._speed.update(event.run.ended + event.hub_ended_count, now):
            self._reported_awaited.clear()
        still_s = self._speed.still_for_s(now)
        self._report_awaited(event, still_s)
        waits = self._is_stopping or still_s > 0
        self._show(
            lambda: how_far(
                event, self._batch_count, self._ended_before, self._speed.moving_s, still_s=still_s, waits=waits
            )
        )

    def _report_awaited(self, event: Progressed, still_s: float) -> None:
        """Report in full what is awaited: when nothing ends, and after Ctrl-C."""
        for each in event.awaited[:MAX_AWAITED_SHOWN]:
            key = (each.batch, each.job_id, each.device_ids)
            is_due = still_s > 0 and (each.job_id is None or bool(each.device_ids) or still_s >= HEARTBEAT_S)
            if key in self._reported_awaited or not (is_due or (self._is_stopping and not each.continues_alone)):
                continue
            self._reported_awaited.add(key)
            self.say(in_full(each))

    def _show(self, line: Callable[[], str]) -> None:
        """How far it is: on a terminal each time, elsewhere now and then."""
        if self._line.is_live:
            self._line.show(line())
            return
        now = self._clock.monotonic()
        if now - self._said_at >= HEARTBEAT_S:
            self._said_at = now
            logger.warning("%s", line())


def new_progress(cmd: Any, *, names_job: bool = False) -> Progress:
    """The progress of a command, for the person who typed it. names_job: as Progress has it."""
    return Progress(SystemClock(), is_silent=bool(cmd.cli_ctx.only_show_errors), names_job=names_job)


class Speed:
    """Whether devices still end, and how fast. Times are monotonic seconds."""

    def __init__(self, began_at: float, ended: int) -> None:
        self._began_at = self._moved_at = began_at
        self._ended = self._ended_first = ended

    def begin(self, now: float) -> None:
        """Something begins after a pause, in which nothing could end."""
        self._moved_at = now

    def update(self, ended: int, now: float) -> bool:
        """So many devices have ended; gives whether that is news."""
        if ended == self._ended:
            return False
        self._ended, self._moved_at = ended, now
        return True

    @property
    def moving_s(self) -> float:
        """From the beginning to the last end: what an estimate is made of, which else would grow while nothing ends."""
        return self._moved_at - self._began_at

    def still_for_s(self, now: float) -> float:
        """For how long nothing has ended, when that is much longer than it took before; else 0."""
        gap_s = self.moving_s / max(1, self._ended - self._ended_first)
        still_s = now - self._moved_at
        return still_s if still_s > max(STILL_S, STILL_GAPS * gap_s) else 0.0


def how_far(
    event: Progressed,
    batch_count: int,
    ended_before: int,
    passed_s: float,
    *,
    still_s: float = 0.0,
    waits: bool = False,
) -> str:
    """One line: batch 3/10 4/11 | all 26/103, 2 failed (offline 2) | 12.3 a second, 6 s left.

    batch_count: of the run.  ended_before: devices that had ended when this process began.
    passed_s: from then until a device ended last.  still_s: for how long nothing has ended; there is no estimate then.
    waits: whether what is awaited is named.
    """
    tally, by_hub = event.run, event.hub_ended_count
    ended = tally.ended + by_hub
    batch = ""
    if event.batch is not None:
        in_batch = event.batch.tally
        batch = f"batch {event.batch.ordinal}/{batch_count} {in_batch.ended + by_hub}/{in_batch.total} | "
    verifying = f", verifying {tally.verifying}" if tally.verifying else ""
    verifying += f", waiting {tally.waiting}" if tally.waiting else ""
    trouble = verifying + "".join(f", {each}" for each in _trouble(tally))
    parts = [
        f"{batch}all {ended}/{tally.total}{_by_hub(event)}{trouble}",
        waiting_line(event.waiting)
        if event.waiting is not None and not tally.open
        else _pace(event, ended_before, passed_s, still_s),
    ]
    if waits and (short := in_short(event.awaited)):
        parts.append(short)
    return " | ".join(parts)


def _by_hub(event: Progressed) -> str:
    """What of it hub jobs in progress have done; no device's result is read before its job has ended."""
    if event.hub is None or not event.hub_ended_count:
        return ""
    failed = f", {event.hub.failed_count} failed" if event.hub.failed_count else ""
    return f" ({event.hub_ended_count} by the hub's count{failed})"


def _pace(event: Progressed, ended_before: int, passed_s: float, still_s: float) -> str:
    if still_s:
        return f"nothing has ended for {still_s:.0f} s"
    rate = max(0, event.run.ended + event.hub_ended_count - ended_before) / max(passed_s, 0.001)
    left = f", {(event.run.open - event.hub_ended_count) / rate:.0f} s left" if rate > 0 else ""
    return f"{rate:.1f} a second{left}"


def counts(tally: Tally) -> str:
    """11 devices: 9 completed, 2 failed (offline 2)."""
    parts = [f"{tally.completed} completed", *_trouble(tally)]
    if tally.in_progress:
        parts.append(f"{tally.in_progress} in progress")
    if tally.verifying:
        parts.append(f"{tally.verifying} verifying")
    if tally.waiting:
        parts.append(f"{tally.waiting} waiting to connect")
    if tally.not_begun:
        parts.append(f"{tally.not_begun} pending")
    return f"{counted(tally.total, 'device')}: {', '.join(parts)}"


def ended_line(run: Run) -> str:
    """How a run ended, and why."""
    state = "broke off" if run.state is RunState.FAILED else f"is {run.state.value}{run.by_whom}"
    reason = f" Why: {printable(run.reason)}" if run.reason else ""
    return f"{run.name} {state}; {counts(run.tally)}.{reason}"


def _trouble(tally: Tally) -> list[str]:
    parts = []
    if tally.failed:
        reasons = ", ".join(f"{name} {count}" for name, count in sorted(tally.by_class.items()))
        parts.append(f"{tally.failed} failed{f' ({reasons})' if reasons else ''}")
    if tally.uncertain:
        parts.append(f"{tally.uncertain} uncertain")
    return parts
