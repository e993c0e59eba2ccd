"""Logs why connections ended because of an error of their clients: one line each, limited to what a disk can bear.

A device that repeats the same error is logged once a minute; all of them together share a budget of lines that refills
slowly. Lines that were left out are counted in the next one.
"""

import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)

STOCK = 100  # lines that may be written at once
REFILL_S = 10.0  # until another line may be written: some megabytes a day at most
REPEAT_S = 60.0  # until the same line may be written again
MAX_KNOWN = 256  # lines that are remembered, to find repetitions
MAX_QUOTED_CHARS = 120  # of one text of a client
_NO_TRUST, _NO_TLS = "; it does not trust the hub's CA certificate", "; it does not speak TLS"
HANDSHAKES = {  # a part of OpenSSL's text -> what that means here
    "unknown ca": _NO_TRUST,
    "bad certificate": _NO_TRUST,
    "certificate unknown": _NO_TRUST,
    "certificate expired": "; the hub's certificate has expired by its clock",
    "http request": _NO_TLS,
    "wrong version number": _NO_TLS,
    "unsupported protocol": "; this hub speaks TLS 1.2 and 1.3",
}


class LogRateLimit:
    """Decides which lines may be written. Pure: `now` is an argument."""

    def __init__(self) -> None:
        self._left = float(STOCK)
        self._at = 0.0
        self._left_out = 0
        self._last: dict[str, float] = {}

    def take(self, line: str, now: float) -> int | None:
        """How many lines were left out since the last one that was written; None: leave this one out too.

        now: seconds since any instant.
        """
        self._left = min(float(STOCK), self._left + max(0.0, now - self._at) / REFILL_S)
        self._at = now
        last = self._last.get(line)
        if self._left < 1 or (last is not None and now - last < REPEAT_S):
            self._left_out += 1
            return None
        self._left -= 1
        self._last.pop(line, None)
        self._last[line] = now
        if len(self._last) > MAX_KNOWN:
            del self._last[next(iter(self._last))]
        left_out, self._left_out = self._left_out, 0
        return left_out

    @property
    def is_empty(self) -> bool:
        """Whether the next line has to wait."""
        return self._left < 1


class DisconnectLog:
    """Writes the lines.

    now: gives seconds since any instant, such as an event loop's time.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._budget = LogRateLimit()

    def note(self, client_id: str | None, reason: str) -> None:
        """A connection has ended because of its client's error. client_id: None when it sent none before that."""
        client = "a client that had not said who it is" if client_id is None else f"client {quoted(client_id)}"
        line = f"connection of {client} ended: {_safe(reason)}"
        left_out = self._budget.take(line, self._now())
        if left_out is None:
            return
        more = f"; {left_out} other ends before this one are not shown" if left_out else ""
        slow = f"; from now on one such line every {REFILL_S:g} s at most" if self._budget.is_empty else ""
        logger.warning("%s%s%s", line, more, slow)


def handshake_error(reason: str) -> str:
    """What OpenSSL says of a handshake that failed, and what it most often means."""
    plain = reason.lower().replace("_", " ")
    meaning = next((meaning for text, meaning in HANDSHAKES.items() if text in plain), "")
    return f"its TLS handshake failed: {plain}{meaning}"


def quoted(text: str) -> str:
    """A text of a client for the log: plain ASCII in quotes, on one line, not long."""
    safe = ascii(text[: MAX_QUOTED_CHARS + 1])
    return safe if len(safe) <= MAX_QUOTED_CHARS + 2 else f"{safe[:MAX_QUOTED_CHARS]}...'"


def _safe(reason: str) -> str:
    return "".join(each if " " <= each <= "~" else ascii(each)[1:-1] for each in reason)
