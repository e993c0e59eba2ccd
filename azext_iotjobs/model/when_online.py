"""Devices that are offline when they are to be operated, and wait until they connect. Pure.

A device waits from when it was first found offline, for so long as its fleet job says. One that is offline again when
it is operated waits on, to the same end; it is looked for ever more rarely, as what queries say of connections lags.
"""

from datetime import datetime, timedelta

from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Field, Text, shown_duration

# Ten seconds: what queries say of connections is some seconds old. Thirty days: a run's record is kept for so long.
MIN_WHEN_ONLINE_S, MAX_WHEN_ONLINE_S = 10.0, 30 * 86_400.0
FIRST_PAUSE_S, PAUSE_GROWTH, LONGEST_PAUSE_S = 5.0, 2.0, 900.0  # before a device that was found offline is looked for
DID_NOT_CONNECT = "DidNotConnect"  # the code that results show of a device that was waited for in vain
CANCELED_TEXT = "It was offline; the run was canceled while it waited to connect."


@dataclass(frozen=True, kw_only=True)
class OfflineWait:
    """How a device waits to connect."""

    since: datetime  # when it was first found offline
    until: datetime  # it has failed if it has not connected by then
    times: int  # how often it was found offline, 1 or more
    look_at: datetime  # it is not looked for before; `until` at the latest


@dataclass(frozen=True, kw_only=True)
class WaitingDevice:
    """A device of a run that waits to connect."""

    key: int  # its number in the run
    device_id: str
    module_id: str | None
    batch: int  # that it is in while it waits
    tries: int  # made before
    wait: OfflineWait
    was_operated: bool  # the hub keeps for it what was done to it; once it connects, it is verified


@dataclass(frozen=True)
class Connected:
    """A device that waited and waits no longer."""

    device: WaitingDevice
    verify_by: datetime | None  # until when it is verified; None: it is operated


def check_when_online(seconds: float) -> None:
    """Raise BadValue for a time that nobody can wait."""
    if not MIN_WHEN_ONLINE_S <= seconds <= MAX_WHEN_ONLINE_S:
        raise BadValue(Text(Field("when_online"), f" {shown_duration(seconds)}: give 10s to 30d."))


def next_wait(before: OfflineWait | None, now: datetime, when_online_s: float) -> OfflineWait | None:
    """How a device waits that was found offline now; None: it has waited for long enough.

    before: how it waited until now; None: it did not.  when_online_s: for how long a device waits.
    """
    since = now if before is None else before.since
    until = now + timedelta(seconds=when_online_s) if before is None else before.until
    if now >= until:
        return None
    times = 1 if before is None else before.times + 1
    return OfflineWait(
        since=since, until=until, times=times, look_at=min(until, now + timedelta(seconds=_pause_s(times)))
    )


def over_text(wait: OfflineWait) -> str:
    """Why a device has failed that did not connect in time: since when it was offline, and how long was waited."""
    since, until = (render_instant(each.replace(microsecond=0)) for each in (wait.since, wait.until))
    times = "" if wait.times == 1 else f" It was found offline {wait.times} times."
    waited = shown_duration(round((wait.until - wait.since).total_seconds()))
    return f"It was offline at {since}, and did not connect within {waited}, until {until}.{times}"


def _pause_s(times: int) -> float:
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * PAUSE_GROWTH ** min(times - 1, 60))
