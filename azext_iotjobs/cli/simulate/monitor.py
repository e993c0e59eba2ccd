"""Watches a simulated fleet: counts, judges, shows, writes events, serves metrics, and says when it is over.

Strategy: the loop tells `on_seen` of everything, and asks `is_set` at each turn whether to end; the second is also when
what is due each second is done. So everything runs on the loop's own thread, and nothing needs a lock.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.cells import printable
from azext_iotjobs.cli.output.event_file import check_event_file
from azext_iotjobs.cli.simulate.event_log import EventFile
from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation, parse_until
from azext_iotjobs.cli.simulate.metrics import MetricsServer, render
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.cli.simulate.progress import ProgressDisplay
from azext_iotjobs.cli.simulate.report import document
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.operations.simulate.event_loop import Summary
from azext_iotjobs.simulator.claims import Expectation, Until
from azext_iotjobs.simulator.events import Activity, Moment
from azext_iotjobs.simulator.expectations import EndConditions, ExpectationTracker, Verdict
from azext_iotjobs.simulator.statistics import Statistics

logger = get_logger(__name__)

TICK_S = 1.0
MAX_SAID = 5  # devices named in a line on stderr
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class MonitorPlan:
    """What was asked for, read and checked."""

    until: Sequence[Until]
    expectations: Sequence[Expectation]
    events_path: str | None
    overwrites: bool
    metrics_port: int | None
    metrics_address: str

    def check(self, device_count: int) -> None:
        """Raise BadValue where more devices are wanted than there are."""
        ExpectationTracker(self.expectations, range(device_count), 0.0)  # type: ignore[arg-type]
        EndConditions(self.until, range(device_count), 0.0)  # type: ignore[arg-type]


def read(options: SimulateOptions) -> MonitorPlan:
    """Read the options. Raises BadValue or ConflictingChoice before anything was done."""
    port = options.metrics_port
    if port is not None and not 0 <= port <= 65535:
        raise BadValue(f"--metrics-port {port}: give 0 to 65535; 0 is any free port.")
    for option, value, needed, is_given in (
        ("--overwrite", options.overwrites_events, "--events", options.events_path is not None),
        ("--metrics-bind", options.metrics_address, "--metrics-port", port is not None),
    ):
        if value and not is_given:
            raise ConflictingChoice(f"{option} goes with {needed}.")
    if options.events_path is not None:
        check_event_file(options.events_path, overwrites=options.overwrites_events)
    return MonitorPlan(
        until=[parse_until(each) for each in options.until or ()],
        expectations=[parse_expectation(each) for each in options.expected or ()],
        events_path=options.events_path,
        overwrites=options.overwrites_events,
        metrics_port=port,
        metrics_address=options.metrics_address or LOOPBACK,
    )


@dataclass(frozen=True)
class Sinks:
    """What is open for a run; None where nothing was asked for."""

    events: EventFile | None
    server: MetricsServer | None


@contextmanager
def opened(plan: MonitorPlan) -> Iterator[Sinks]:
    """The file of events and the port of the metrics, until the end. Raises BadValue or ConflictingChoice.

    Open them before anything is made: a port that is taken should not cost a fleet.
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
def watching(
    plan: MonitorPlan, sinks: Sinks, devices: Sequence[str], clock: Clock, stop: StopFlag
) -> Iterator["Monitor"]:
    """A watch of `devices`, whose run starts now."""
    watch = Monitor(plan, sinks, devices, clock, stop)
    try:
        yield watch
    finally:
        watch.display.end()


class Monitor:
    """One run, watched. It is the run's reporter (`on_seen`) and its stop flag (`is_set`)."""

    def __init__(
        self,
        plan: MonitorPlan,
        sinks: Sinks,
        devices: Sequence[str],
        clock: Clock,
        stop: StopFlag,
    ) -> None:
        started = Moment(clock.monotonic(), clock.now())
        self._clock, self._stop = clock, stop
        self._events, self._server = sinks.events, sinks.server
        self._ends_when_decided = bool(plan.expectations) and not plan.until
        self._ended_by: str | None = None
        self._next_tick = started.at + TICK_S
        self.statistics = Statistics(len(devices), started)
        self._judge = ExpectationTracker(plan.expectations, devices, started.at)
        self._ending = EndConditions(plan.until, devices, started.at)
        self.display = ProgressDisplay(self.statistics)
        self._serve()
        if self._ends_when_decided and any(each.within_s is None for each in plan.expectations):
            logger.warning("An expectation has no time limit (`within`): Ctrl-C ends the run, or give --until.")

    def on_activity(self, device: str, activity: Activity) -> None:
        """What a device saw or did; called before its answer, if that is a call."""
        now = self._moment()
        if self._events is not None:
            self._events.add(device, activity, now)
        self.statistics.on(device, activity, now)
        self._judge.on(device, activity, now)
        self._ending.on(device, activity, now)
        self.display.on(device, activity)

    def is_set(self) -> bool:
        """Whether the run is over."""
        if self._ended_by is not None:
            return True
        now = self._moment()
        if now.at >= self._next_tick:
            self._next_tick = now.at + TICK_S
            self._tick(now)
        self._judge.decide(now)
        self._ended_by = self._why_over(now)
        return self._ended_by is not None

    def end(self, summary: Summary) -> tuple[dict[str, Any], Outcome]:
        """The run is over: its result, and what it came to."""
        now = self._moment()
        self.display.end()
        verdicts = self._judge.end(now)
        for verdict in verdicts:
            _say(verdict)
            if self._events is not None:
                self._events.add_verdict(verdict, now)
        result = document(self.statistics, verdicts, summary.failures, self._ended_by or "devices", now)
        failed = not all(each.came_true for each in verdicts) if verdicts else bool(summary.failures)
        return result, Outcome.DEVICES_FAILED if failed else Outcome.SUCCESS

    def _why_over(self, now: Moment) -> str | None:
        if self._stop.is_set():
            return "stopped"
        reached = self._ending.reached(self.statistics, now)
        if reached is not None:
            return f"until {reached}"
        return "expectations" if self._ends_when_decided and self._judge.is_decided else None

    def _tick(self, now: Moment) -> None:
        if self._events is not None:
            self._events.flush()
        self._serve()
        self.display.tick(now)

    def _serve(self) -> None:
        if self._server is not None:
            self._server.text = render(self.statistics)

    def _moment(self) -> Moment:
        return Moment(self._clock.monotonic(), self._clock.now())


def _say(verdict: Verdict) -> None:
    text = printable(verdict.expectation.text)
    if verdict.came_true:
        logger.warning("True after %.1f s: %s", verdict.after_s, text)
        return
    first, more = verdict.missing[:MAX_SAID], len(verdict.missing) - MAX_SAID
    logger.warning(
        "NOT true (%s): %s. Devices of which it is true: %d, needed: %d. Not of: %s%s",
        verdict.reason, text, verdict.held_count, verdict.needed_count, printable(", ".join(first)),
        f" and {more} more" if more > 0 else "",
    )  # fmt: skip
