"""How far an import or an export of devices is, on stderr: a line that changes on a terminal, else one now and then."""

from knack.log import get_logger

from azext_iotjobs.cli.output.device_row_line import HEARTBEAT_S
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.model.clock import Clock

logger = get_logger(__name__)

LINE_EVERY_S = 0.2


class CsvProgress:
    """Shows how many are done."""

    def __init__(self, verb: str, total: int, clock: Clock, *, is_silent: bool) -> None:
        """verb: what is done to them, such as "imported".  total: how many there are."""
        self._verb = verb
        self._total = total
        self._clock = clock
        self._began_at = self._said_at = clock.monotonic()
        self._first_count: int | None = None  # done before, by another process
        self._line = StatusLine(is_silent=is_silent)
        self._is_silent = is_silent

    def at(self, done: int) -> None:
        """Show that so many are done."""
        now = self._clock.monotonic()
        if self._first_count is None:
            self._first_count = done
        if self._is_silent or now - self._said_at < (LINE_EVERY_S if self._line.is_live else HEARTBEAT_S):
            return
        self._said_at = now
        line = self._how_far(done - self._first_count, done, now - self._began_at)
        if self._line.is_live:
            self._line.show(line)
        else:
            logger.warning("%s", line)

    def end(self) -> None:
        """Remove the line that changes."""
        self._line.clear()

    def _how_far(self, here: int, done: int, passed_s: float) -> str:
        rate = here / max(passed_s, 0.001)
        left = f", {max(0, self._total - done) / rate:.0f} s left" if here else ""
        return f"{done}/{self._total} {self._verb}, {rate:.1f} a second{left}"
