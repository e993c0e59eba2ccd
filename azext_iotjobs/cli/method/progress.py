"""What a person sees on stderr while many devices are called: a short row for each, how far it is, how it ended.

Rows are a person's to read, so they have bounds; the result and --output-file have every row. On a terminal one line
changes below the rows.
"""

import json
from collections import Counter

from knack.log import get_logger

from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.text import printable

logger = get_logger(__name__)

MAX_ROWS = 1_000  # then only of devices that failed
MAX_FAILURES = 20  # that are shown where not every row is
SHOWN_CHARACTERS = 120  # of an answer
LINE_EVERY_S = 0.2
HEARTBEAT_S = 30.0  # between two lines of how far it is, where no line can change


class CallProgress:
    """Shows each row and the progress, and counts."""

    def __init__(self, total: int | None, clock: Clock, *, shows_rows: bool, is_silent: bool) -> None:
        """total: how many devices there are, None when nobody knows.  shows_rows: of all devices, not only failed."""
        self.count = 0
        self.failures: Counter[str] = Counter()  # by error class
        self._total = total
        self._clock = clock
        self._began_at = clock.monotonic()
        self._said_at = self._began_at
        self._rows_left = MAX_ROWS if shows_rows else 0
        self._failures_left = MAX_FAILURES
        self._line = StatusLine(is_silent=is_silent)

    @property
    def failed_count(self) -> int:
        """Devices that failed."""
        return self.failures.total()

    def row(self, row: DeviceResult) -> None:
        """A call has ended."""
        self.count += 1
        if row.error_class is not None:
            self.failures[row.error_class.value] += 1
        if self._is_shown(row):
            self._line.clear()
            logger.warning("%s", short_row(row))
            if self._rows_left == 0 and self._failures_left == 0:
                logger.warning("More rows are not shown here.")
        now = self._clock.monotonic()
        if now - self._said_at >= (LINE_EVERY_S if self._line.is_live else HEARTBEAT_S):
            self._said_at = now
            self._say_how_far(now)

    def say(self, text: str) -> None:
        """Something that is not a row."""
        self._line.clear()
        logger.warning("%s", text)

    def end(self, written_to: str | None) -> None:
        """Remove the line that changes, and sum up. written_to: the name of the file that has the rows."""
        self._line.clear()
        if not self.count:
            return
        passed_s = self._clock.monotonic() - self._began_at
        reasons = ", ".join(f"{name} {count}" for name, count in self.failures.most_common())
        rate, succeeded = self.count / max(passed_s, 0.001), self.count - self.failed_count
        logger.warning(
            "%d called in %.1f s (%.1f a second): %d succeeded, %d failed%s.%s",
            *(self.count, passed_s, rate, succeeded, self.failed_count),
            f" ({reasons})" if reasons else "",
            f" Rows written to {written_to}." if written_to else "",
        )

    def _is_shown(self, row: DeviceResult) -> bool:
        if self._rows_left:
            self._rows_left -= 1
            return True
        if row.error_class is not None and self._failures_left:
            self._failures_left -= 1
            return True
        return False

    def _say_how_far(self, now: float) -> None:
        line = how_far(self.count, self._total, self.failed_count, now - self._began_at)
        if self._line.is_live:
            self._line.show(line)
        else:
            logger.warning("%s", line)


def how_far(count: int, total: int | None, failed: int, passed_s: float) -> str:
    """One line: 120/500 called, 3 failed, 40.2 a second, 9 s left."""
    rate = count / max(passed_s, 0.001)
    left = "" if total is None or not count else f", {max(0, total - count) / rate:.0f} s left"
    return f"{count}{'' if total is None else f'/{total}'} called, {failed} failed, {rate:.1f} a second{left}"


def short_row(row: DeviceResult) -> str:
    """One line: pump-1 200 {"ok": true}; nothing of it can steer a terminal."""
    who = row.device_id if row.module_id is None else f"{row.device_id}/{row.module_id}"
    if row.method_status is not None:
        said = f"{row.method_status} {_cut(json.dumps(row.payload, ensure_ascii=False))}"
    else:
        said = f"{row.error_class.value if row.error_class else row.status}: {_cut(row.error_text or '')}"
    return f"{printable(who)} {said}"


def _cut(text: str) -> str:
    line = printable(text[: SHOWN_CHARACTERS + 1])
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…"
