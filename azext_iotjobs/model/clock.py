"""Time as a seam, `Clock` and the system's own; instants as text <-> aware UTC datetimes."""

import re
import threading
import time
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from azext_iotjobs.model.errors import BadValue

INSTANT = (  # not compiled here: most commands read no instant
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<clock>\d{2}:\d{2})(?P<seconds>:\d{2})?(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s?(?P<offset>[Zz]|[+-]\d{2}:?\d{2})?"
)


class Clock(Protocol):
    """How all our code reads the time and waits."""

    def now(self) -> datetime:
        """The instant, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""

    def sleep(self, seconds: float) -> None:
        """Let `seconds` (>= 0) pass."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SteadyClock:
    """Another clock whose instants never go back: they advance at least with its monotonic seconds.

    For what lasts within one process: where somebody sets the machine's clock back a day, a pause of a minute stays
    one. Where it is set ahead, or the machine was suspended, the machine's clock counts. For any thread.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = clock.now()
        self._last_at = clock.monotonic()

    def now(self) -> datetime:
        with self._lock:
            at = self._clock.monotonic()
            self._last = max(self._clock.now(), self._last + timedelta(seconds=at - self._last_at))
            self._last_at = at
            return self._last

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class StopFlag(Protocol):
    """Says when to end; a threading.Event is one."""

    def is_set(self) -> bool:
        """Whether to end now."""


class Instant(NamedTuple):
    """A parsed instant."""

    at: datetime  # aware UTC
    assumed_utc: bool  # the text had no offset


def parse_instant(text: str, name: str = "time") -> Instant:
    """Read an ISO 8601 instant: a date, or date and time, with Z, an offset, or nothing for UTC.

    name: what the text was given for, such as an option, for the error.  Up to nine fraction digits; Python keeps six.
    Raises BadValue.
    """
    found = re.fullmatch(INSTANT, text.strip())
    if found is None:
        raise _bad_instant(text, name)
    fraction = (found["fraction"] or "0")[:6].ljust(6, "0")
    plain = f"{found['date']}T{found['clock'] or '00:00'}{found['seconds'] or ':00'}.{fraction}"
    offset = _offset(found["offset"])
    try:
        return Instant((datetime.fromisoformat(plain) - offset).replace(tzinfo=timezone.utc), found["offset"] is None)
    except (ValueError, OverflowError) as err:
        raise _bad_instant(text, name) from err


def parse_millis_or_instant(text: str, name: str) -> datetime:
    """Read an instant as `parse_instant` does, or milliseconds since 1970.

    name: what the text was given for, for the error.  Raises BadValue.
    """
    if not text.strip().isdecimal():
        try:
            return parse_instant(text, name).at
        except BadValue as err:
            raise BadValue(str(err), hint="Milliseconds since 1970 are taken too.") from err
    try:
        return datetime.fromtimestamp(int(text) / 1000, tz=timezone.utc)
    except (ValueError, OverflowError, OSError) as err:
        raise BadValue(f"{name} {text[:40]}: this is not a time.") from err


def render_instant(at: datetime, timespec: str = "auto") -> str:
    """An aware instant as the hub takes it: UTC, with Z.

    timespec: which part of a second to show, as for `datetime.isoformat`; auto: microseconds only when there are any.
    """
    if at.tzinfo is not timezone.utc:  # most are: files of events and results have many for each device
        at = at.astimezone(timezone.utc)
    return at.isoformat(timespec=timespec)[: -len("+00:00")] + "Z"


def render_millis(at: datetime | None) -> str | None:
    """An aware instant to the millisecond, as results and events show it; None stays."""
    return None if at is None else render_instant(at, "milliseconds")


def parse_known_instant(value: Any) -> datetime | None:
    """The instant of a document's member, aware UTC; None if it is not text, or not an instant."""
    return _known_instant(value) if isinstance(value, str) else None


@lru_cache(maxsize=64)  # the rows of a hub's page have many instants in common, such as the start of their job
def _known_instant(text: str) -> datetime | None:
    try:
        return parse_instant(text).at
    except BadValue:
        return None


def _offset(text: str | None) -> timedelta:
    if text is None or text in "Zz":
        return timedelta(0)
    sign = -1 if text[0] == "-" else 1
    return sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))


def _bad_instant(text: str, name: str) -> BadValue:
    return BadValue(
        f"{name}: {text!r} is not an ISO 8601 instant, for example 2026-12-01T08:00:00Z or 2026-12-01T09:00+01:00."
    )
