"""What a person sees on stderr while many devices are called: a short row for each, how far it is, how it ended.

Rows are a person's to read, so they have bounds; the result and --output-file have every row. On a terminal one line
changes below the rows.
"""

from collections import Counter

from knack.log import get_logger

from azext_iotjobs.cli.output.device_row_line import HEARTBEAT_S, MAX_FAILURES, short_row
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.cli.output.verification import VERIFYING, verifying_line
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.result import DeviceResult

logger = get_logger(__name__)

MAX_ROWS = 1_000  # then only of devices that failed
LINE_EVERY_S = 0.2


class CallProgress:
    """Shows each row and the progress, and counts."""

    def __init__(self, total: int | None, clock: Clock, *, shows_rows: bool, is_silent: bool) -> None:
        """total: how many devices there are, None when nobody knows.  shows_rows: of all devices, not only failed."""
        self.count = 0  # rows
        self.left_count = 0  # of them, devices on whose verification nothing was decided
        self.failures: Counter[str] = Counter()  # by error class
        self._total = total
        self._clock = clock
        self._began_at = clock.monotonic()
        self._said_at = self._began_at
        self._rows_left = MAX_ROWS if shows_rows else 0
        self._failures_left = MAX_FAILURES
        self._called_count = 0  # with those that are being verified and have no row yet
        self._last_call_at: float | None = None  # where devices are verified
        self._line = StatusLine(is_silent=is_silent)

    @property
    def failed_count(self) -> int:
        """Devices that failed."""
        return self.failures.total()

    def row(self, row: DeviceResult) -> None:
        """A call has ended; where devices are verified, that has ended too."""
        self.count += 1
        self.left_count += row.status == VERIFYING
        if row.error_class is not None:
            self.failures[row.error_class.value] += 1
        if self._is_shown(row):
            self._line.clear()
            logger.warning("%s", short_row(row))
            if self._rows_left == 0 and self._failures_left == 0:
                logger.warning("More rows are not shown here.")
        self._say_how_far()

    def verifying(self, count: int, left_s: float) -> None:
        """So many devices that were called are being verified. left_s: that takes at most."""
        if self.count + count > self._called_count:
            self._called_count, self._last_call_at = self.count + count, self._clock.monotonic()
        self._say_how_far(f", {verifying_line(count, left_s)}")

    def say(self, text: str) -> None:
        """Something that is not a row."""
        self._line.clear()
        logger.warning("%s", text)

    def end(self, written_to: str | None) -> None:
        """Remove the line that changes, and sum up. written_to: the name of the file that has the rows."""
        self._line.clear()
        if not self.count:
            return
        now = self._clock.monotonic()
        passed_s = (self._last_call_at or now) - self._began_at
        reasons = ", ".join(f"{name} {count}" for name, count in self.failures.most_common())
        rate, succeeded = self.count / max(passed_s, 0.001), self.count - self.failed_count - self.left_count
        logger.warning(
            "%d called in %.1f s (%.1f a second)%s: %d succeeded, %d failed%s%s.%s",
            *(self.count, passed_s, rate),
            f", verified in {now - self._began_at:.1f} s" if self._last_call_at is not None else "",
            *(succeeded, self.failed_count),
            f" ({reasons})" if reasons else "",
            f", {self.left_count} still verifying" if self.left_count else "",
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

    def _say_how_far(self, verifying: str = "") -> None:
        """Now and then. verifying: behind it."""
        now = self._clock.monotonic()
        if now - self._said_at < (LINE_EVERY_S if self._line.is_live else HEARTBEAT_S):
            return
        self._said_at = now
        called_count = max(self.count, self._called_count)
        passed_s = (self._last_call_at or now) - self._began_at
        total = None if verifying and called_count == self._total else self._total
        line = how_far(called_count, total, self.failed_count, passed_s) + verifying
        if self._line.is_live:
            self._line.show(line)
        else:
            logger.warning("%s", line)


def how_far(count: int, total: int | None, failed: int, passed_s: float) -> str:
    """One line: 120/500 called, 3 failed, 40.2 a second, 9 s left."""
    rate = count / max(passed_s, 0.001)
    left = "" if total is None or not count else f", {max(0, total - count) / rate:.0f} s left"
    return f"{count}{'' if total is None else f'/{total}'} called, {failed} failed, {rate:.1f} a second{left}"
