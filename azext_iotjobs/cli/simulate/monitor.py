"""Follows a simulation of many devices: counts, checks expectations, shows progress, writes events, ends the run.

Strategy: the loop calls `on_activity` for each activity, and `is_set` in each turn to learn whether the run has ended;
`is_set` also does what is due each second. So everything runs on the loop's thread, and nothing needs a lock.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.cells import printable
from azext_iotjobs.cli.output.event_file import check_event_file
from azext_iotjobs.cli.output.report_target import ReportTarget, targets_of
from azext_iotjobs.cli.simulate.event_log import EventFile
from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation, parse_until
from azext_iotjobs.cli.simulate.metrics import MetricsServer, render
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.cli.simulate.progress import ProgressDisplay
from azext_iotjobs.cli.simulate.report import document
from azext_iotjobs.cli.simulate.standing import Document, standing_document
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.operations.simulate.event_loop import Summary
from azext_iotjobs.simulator.claims import Expectation, Until
from azext_iotjobs.simulator.events import Activity, Moment
from azext_iotjobs.simulator.expectations import EndConditions, ExpectationTracker, Verdict
from azext_iotjobs.simulator.statistics import Statistics

logger = get_logger(__name__)

TICK_S = 1.0
MAX_NAMED = 5  # devices in a line on stderr
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class MonitorPlan:
    """When the run ends, what is expected of it, and what is written; read from the options."""

    until: Sequence[Until]
    expectations: Sequence[Expectation]
    events_path: str | None
    overwrites: bool
    metrics_port: int | None
    metrics_address: str
    reports: Sequence[ReportTarget]
    is_shard: bool = False  # others simulate further devices of the same simulation

    def check(self, device_count: int) -> None:
        """Raise BadValue where more devices are needed than there are."""
        devices = [""] * device_count
        ExpectationTracker(self.expectations, devices, 0.0)
        EndConditions(self.until, devices, 0.0)


def read(options: SimulateOptions) -> MonitorPlan:
    """Read the options. Raises BadValue or ConflictingChoice before anything is done."""
    port = options.metrics_port
    if port is not None and not 0 <= port <= 65535:
        raise BadValue(f"--metrics-port {port}: give 0 to 65535; 0 is any free port.")
    if options.overwrite and options.events is None and not options.report:
        raise ConflictingChoice("--overwrite needs --events or --report.")
    if options.report and not options.expect:
        raise MissingChoice("--report needs --expect: without expectations, it has no test cases.")
    if options.metrics_bind and port is None:
        raise ConflictingChoice("--metrics-bind needs --metrics-port.")
    if options.events is not None:
        check_event_file(options.events, overwrites=options.overwrite)
    return MonitorPlan(
        until=[parse_until(each) for each in options.until or ()],
        expectations=[parse_expectation(each) for each in options.expect or ()],
        events_path=options.events,
        overwrites=options.overwrite,
        metrics_port=port,
        metrics_address=options.metrics_bind or LOOPBACK,
        reports=targets_of(options.report or (), "--report", overwrites=options.overwrite),
        is_shard=options.shard is not None,
    )


@dataclass(frozen=True)
class Sinks:
    """Where a run writes, apart from its result; None where nothing was typed."""

    events: EventFile | None
    server: MetricsServer | None


@contextmanager
def open_sinks(plan: MonitorPlan) -> Iterator[Sinks]:
    """Open the file of events and the port of the metrics, until the end. Raises BadValue or ConflictingChoice.

    Open them before devices are created: a port that is taken should not cost that work.
    """
    with ExitStack() as stack:
        events = server = None
        if plan.events_path is not None:
            events = EventFile(plan.events_path, overwrites=plan.overwrites)
            stack.callback(events.close)
        if plan.metrics_port is not None:
            server = MetricsServer(plan.metrics_address, plan.metrics_port)
            stack.callback(server.close)
            logger.warning("Metrics for Prometheus: %s", server.url)
        yield Sinks(events, server)


@contextmanager
def monitoring(
    plan: MonitorPlan, sinks: Sinks, devices: Sequence[str], clock: Clock, stop: StopFlag
) -> Iterator["Monitor"]:
    """Monitor a run that starts now.

    devices: the ids of all its devices.  stop: ends it, too.
    """
    monitor = Monitor(plan, sinks, devices, clock, stop)
    try:
        yield monitor
    finally:
        monitor.display.end()


class Monitor:
    """Monitors one run: it is the observer (`on_activity`) and the stop flag (`is_set`) of the loop."""

    def __init__(self, plan: MonitorPlan, sinks: Sinks, devices: Sequence[str], clock: Clock, stop: StopFlag) -> None:
        started = Moment(clock.monotonic(), clock.now())
        self._clock, self._stop = clock, stop
        self._events, self._server = sinks.events, sinks.server
        self._ends_when_decided = bool(plan.expectations) and not plan.until
        self._ended_by: str | None = None
        self._next_tick_at = started.at + TICK_S
        self.verdicts: Sequence[Verdict] = ()  # once the run has ended
        self.statistics = Statistics(len(devices), started)
        self._expectations = ExpectationTracker(plan.expectations, devices, started.at, is_shard=plan.is_shard)
        self._end_conditions = EndConditions(plan.until, devices, started.at)
        self.on_ready: Callable[[], None] | None = None  # called once all devices are connected, for the first time
        self.on_tick: Callable[[Document], None] | None = None  # called each second, with how the run fares
        self.display = ProgressDisplay(self.statistics)
        self._update_metrics()
        if self._ends_when_decided and any(each.within_s is None for each in plan.expectations):
            logger.warning("An expectation has no time limit (`within`): Ctrl-C ends the run, or give --until.")

    def on_activity(self, device: str, activity: Activity) -> None:
        """A device has received or done something. A method call is observed before its response is sent."""
        now = self._now()
        if self._events is not None:
            self._events.add(device, activity, now)
        self.statistics.on(device, activity, now)
        self._expectations.on(device, activity, now)
        self._end_conditions.on(device, activity, now)
        self.display.on(device, activity)
        if self.on_ready is not None and self.statistics.all_ready_at is not None:
            self.on_ready()
            self.on_ready = None

    def is_set(self) -> bool:
        """Whether the run has ended."""
        if self._ended_by is not None:
            return True
        now = self._now()
        if now.at >= self._next_tick_at:
            self._next_tick_at = now.at + TICK_S
            self._tick(now)
        self._expectations.decide(now)
        self._ended_by = self._reason_to_end(now)
        return self._ended_by is not None

    def end(self, summary: Summary) -> tuple[dict[str, Any], Outcome]:
        """The run has ended: its result and its outcome."""
        now = self._now()
        self.display.end()
        self.verdicts = verdicts = self._expectations.end(now)
        for verdict in verdicts:
            print_verdict(verdict)
            if self._events is not None:
                self._events.add_verdict(verdict, now)
        result = document(self.statistics, verdicts, summary.failures, self._ended_by or "devices", now)
        failed = not all(each.came_true for each in verdicts) if verdicts else bool(summary.failures)
        return result, Outcome.DEVICES_FAILED if failed else Outcome.SUCCESS

    def _reason_to_end(self, now: Moment) -> str | None:
        if self._stop.is_set():
            return "stopped"
        reached = self._end_conditions.reached(self.statistics, now)
        if reached is not None:
            return f"until {reached}"
        return "expectations" if self._ends_when_decided and self._expectations.is_decided else None

    def _tick(self, now: Moment) -> None:
        if self._events is not None:
            self._events.flush()
        self._update_metrics()
        self.display.tick(now)
        if self.on_tick is not None:
            self.on_tick(self.standing(now))

    def standing(self, now: Moment | None = None) -> Document:
        """How the run fares. now: None for this moment."""
        return standing_document(self.statistics, self._expectations.standings(), now or self._now())

    def _update_metrics(self) -> None:
        if self._server is not None:
            self._server.text = render(self.statistics)

    def _now(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now())


def print_verdict(verdict: Verdict) -> None:
    """Say on stderr what came of an expectation."""
    text = printable(verdict.expectation.text)
    if verdict.came_true:
        logger.warning("True after %.1f s: %s", verdict.after_s, text)
        return
    first = verdict.missing[:MAX_NAMED]
    more = verdict.missing_count - len(first)
    logger.warning(
        "NOT true (%s): %s. Devices of which it is true: %d, needed: %d. Not of: %s%s",
        verdict.reason,
        text,
        verdict.held_count,
        verdict.needed_count,
        printable(", ".join(first)),
        f" and {more} more" if more > 0 else "",
    )
