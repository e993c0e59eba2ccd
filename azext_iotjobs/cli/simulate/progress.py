"""Progress of many simulated devices on stderr: a status line, and a line for the first trouble of each kind.

On a terminal the status line changes each second; elsewhere it is printed now and then.
"""

from knack.log import get_logger

from azext_iotjobs.cli.output.cells import printable
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.statistics import TROUBLE, Statistics

logger = get_logger(__name__)

LIVE_EVERY_S = 1.0
LINE_EVERY_S = 10.0

WORDS = {
    ActivityKind.LOST: "connection lost",
    ActivityKind.NOT_CONNECTED: "not connected",
    ActivityKind.REFUSED: "refused",
    ActivityKind.UNANSWERED: "call not answered",
    ActivityKind.FETCH_REFUSED: "twin not given",
    ActivityKind.REPORT_REFUSED: "reported properties refused",
    ActivityKind.UNREADABLE: "message not readable",
    ActivityKind.DROPPED: "not sent, as too much waited for the hub already",
}


class ProgressDisplay:
    """Shows the progress of one run. `tick` is called often, and prints when it is time to."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self._line = StatusLine()
        self._next_at = statistics.started.at + (LIVE_EVERY_S if self._line.is_live else LINE_EVERY_S)
        self._last_line = ""
        self._has_shown_ready = False
        self._shown_kinds: set[tuple[ActivityKind, str | None]] = set()  # with the first reason of each

    def on(self, device: str, activity: Activity) -> None:
        """An activity that is in the statistics already."""
        if activity.kind in TROUBLE:
            self._show_first(device, activity)
        elif activity.kind is ActivityKind.READY and not self._has_shown_ready:
            self._show_ready()

    def _show_ready(self) -> None:
        """Show once that all devices are connected, as soon as they are."""
        statistics = self._statistics
        if statistics.all_ready_at is None:
            return
        self._has_shown_ready = True
        after_s = statistics.all_ready_at - statistics.started.at
        absent, count = statistics.counts[ActivityKind.ABSENT], statistics.device_count
        but = f" but the {absent} that their behaviour keeps off line" if absent else ""
        who = "The device is" if count == 1 else f"All {count} devices{but} are"
        self._warn(f"{who} connected, after {after_s:.1f} s.")

    def tick(self, now: Moment) -> None:
        """Show the status line, if it is time to."""
        if now.at < self._next_at:
            return
        self._next_at = now.at + (LIVE_EVERY_S if self._line.is_live else LINE_EVERY_S)
        line = line_of(self._statistics, now)
        if self._line.is_live:
            self._line.show(line)
        elif line != self._last_line:
            logger.warning("%s", line)
        self._last_line = line

    def end(self) -> None:
        """Remove the status line."""
        self._line.clear()

    def _show_first(self, device: str, activity: Activity) -> None:
        """Show trouble only if it is the first of its kind, or the first with a reason."""
        reason = self._statistics.trouble[activity.kind].reason
        if (activity.kind, reason) in self._shown_kinds:
            return
        self._shown_kinds.add((activity.kind, reason))
        shown = f" ({printable(reason)})" if reason else ""
        self._warn(f"{printable(device)}: {WORDS[activity.kind]}{shown}. Others of this kind are only counted.")

    def _warn(self, line: str) -> None:
        self.end()
        logger.warning("%s", line)


def line_of(statistics: Statistics, now: Moment) -> str:
    """The status in one line."""
    rates = statistics.rates(now)
    p50, p99 = statistics.latency.percentiles(0.5, 0.99)
    parts = [f"{len(statistics.connected)} of {statistics.device_count} connected"]
    if rates["connects"]:
        parts[0] += f" (+{rates['connects']:.0f}/s)"
    if statistics.counts[ActivityKind.SENT]:
        parts.append(f"{rates['messages']:.0f} messages/s, {statistics.counts[ActivityKind.ACKNOWLEDGED]} acknowledged")
    if statistics.counts[ActivityKind.METHOD]:
        answered = f"{rates['methods']:.0f} methods/s, {statistics.counts[ActivityKind.ANSWER]} answered"
        timed = f", p50 {duration(p50)}, p99 {duration(p99)}" if p50 is not None and p99 is not None else ""
        parts.append(answered + timed)
    trouble = ", ".join(f"{WORDS[kind]} {statistics.counts[kind]}" for kind in TROUBLE if statistics.counts[kind])
    return "; ".join([*parts, trouble] if trouble else parts)


def duration(seconds: float) -> str:
    """A short time, for people."""
    if seconds < 0.1:
        return f"{seconds * 1000:.2f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
