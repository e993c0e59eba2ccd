"""What a person sees while a fleet is simulated, on stderr: on a terminal a line that changes each second, else a line
now and then; and a line at the first trouble of each kind."""

from knack.log import get_logger

from azext_iotjobs.cli.output.cells import printable
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.simulator.events import Moment, Seen, What
from azext_iotjobs.simulator.statistics import TROUBLE, Statistics

logger = get_logger(__name__)

LIVE_EVERY_S = 1.0
LINE_EVERY_S = 10.0

WORDS = {
    What.LOST: "connection lost",
    What.NOT_CONNECTED: "not connected",
    What.REFUSED: "refused",
    What.UNANSWERED: "call not answered",
    What.FETCH_REFUSED: "twin not given",
    What.REPORT_REFUSED: "reported properties refused",
    What.UNREADABLE: "message not readable",
    What.DROPPED: "not sent, as too much waited for the hub already",
}


class Display:
    """Tells of one fleet. Call `tick` often; it knows when to say something."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self._line = StatusLine()
        self._next_at = statistics.started.at + (LIVE_EVERY_S if self._line.is_live else LINE_EVERY_S)
        self._said = ""
        self._told_ready = False
        self._told_kinds: set[tuple[What, str | None]] = set()  # with their first reason, which stays

    def on(self, device: str, seen: Seen) -> None:
        """Something happened, and is in the statistics."""
        if seen.what in TROUBLE:
            self._tell_first(device, seen)
        elif seen.what is What.READY and not self._told_ready and self._statistics.all_ready_at is not None:
            self._told_ready = True
            after_s = self._statistics.all_ready_at - self._statistics.started.at
            absent = self._statistics.counts[What.ABSENT]
            but = f" but the {absent} that their behaviour keeps off line" if absent else ""
            count = self._statistics.device_count
            who = "The device is" if count == 1 else f"All {count} devices{but} are"
            self._warn(f"{who} connected, after {after_s:.1f} s.")

    def tick(self, now: Moment) -> None:
        """Say how things stand, if it is time to."""
        if now.at < self._next_at:
            return
        self._next_at = now.at + (LIVE_EVERY_S if self._line.is_live else LINE_EVERY_S)
        line = line_of(self._statistics, now)
        if self._line.is_live:
            self._line.show(line)
        elif line != self._said:
            logger.warning("%s", line)
        self._said = line

    def end(self) -> None:
        """Leave the line that changes."""
        self._line.clear()

    def _tell_first(self, device: str, seen: Seen) -> None:
        """Trouble: only the first of its kind, and the first that has a reason, where others had none."""
        reason = self._statistics.trouble[seen.what].reason
        if (seen.what, reason) in self._told_kinds:
            return
        self._told_kinds.add((seen.what, reason))
        shown = f" ({printable(reason)})" if reason else ""
        self._warn(f"{printable(device)}: {WORDS[seen.what]}{shown}. Others of this kind are only counted.")

    def _warn(self, line: str) -> None:
        self.end()
        logger.warning("%s", line)


def line_of(statistics: Statistics, now: Moment) -> str:
    """How a fleet stands, in one line."""
    rates = statistics.rates(now)
    p50, p99 = statistics.latency.percentiles(0.5, 0.99)
    parts = [f"{len(statistics.connected)} of {statistics.device_count} connected"]
    if rates["connects"]:
        parts[0] += f" (+{rates['connects']:.0f}/s)"
    if statistics.counts[What.SENT]:
        parts.append(f"{rates['messages']:.0f} messages/s, {statistics.counts[What.ACKNOWLEDGED]} acknowledged")
    if statistics.counts[What.METHOD]:
        answered = f"{rates['methods']:.0f} methods/s, {statistics.counts[What.ANSWER]} answered"
        timed = f", p50 {duration(p50)}, p99 {duration(p99)}" if p50 is not None and p99 is not None else ""
        parts.append(answered + timed)
    trouble = ", ".join(f"{WORDS[kind]} {statistics.counts[kind]}" for kind in TROUBLE if statistics.counts[kind])
    return "; ".join([*parts, trouble] if trouble else parts)


def duration(seconds: float) -> str:
    """A short time as people write it."""
    if seconds < 0.1:
        return f"{seconds * 1000:.2f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
