"""The hub's clock, and instants as they are written on the wire."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

NEVER = "0001-01-01T00:00:00Z"  # the service writes this for an instant that does not exist yet
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # where AMQP's timestamps begin, and ours in databases
UNFINISHED = "9999-12-31T23:59:59.9999999Z"  # endTime of a job that has not ended: .NET's last instant
NO_TIME = timedelta(0)
PLAIN_CHARACTERS = len("2026-12-01T00:00:00.000000")  # of an instant without its offset
LONGEST_TIMER_S = 3600.0  # asyncio's are not good for much longer; and a changed system clock is noticed within it

Listener = Callable[[], None]


class HubClock:
    """The time by which the hub's rules work: the machine's, unless it was moved ahead, or runs at another scale.

    Clients make credentials by the machine's clock, which is therefore the one by which the hub judges them. What they
    have opened lasts as long as they had left; only moves shorten that, not the scale, at which no client can renew.
    """

    def __init__(self, *, scale: float = 1.0) -> None:
        """scale: above 0; how many seconds of the hub pass in one of the machine."""
        self.scale = scale
        self._begun_at = self.machine_now()  # the scale counts from here on
        self._ahead = NO_TIME  # how far it was ahead of the machine's then, and has been moved since
        self._moved = NO_TIME  # all moves, also those that were taken back
        self._listeners: dict[Listener, None] = {}

    def machine_now(self) -> datetime:
        """The current instant of the machine, aware UTC. Tests replace it."""
        return datetime.now(timezone.utc)

    def now(self) -> datetime:
        """The current instant of the hub, aware UTC."""
        machine_now = self.machine_now()
        return machine_now + self._offset(machine_now)

    @property
    def offset(self) -> timedelta:
        """How far the hub's clock is ahead of the machine's; below zero: behind."""
        return self._offset(self.machine_now())

    def offset_in(self, seconds: float) -> timedelta:
        """How far it will be ahead in so many seconds of the machine."""
        return self._offset(self.machine_now() + timedelta(seconds=seconds))

    def machine_s(self, hub_s: float) -> float:
        """How many seconds of the machine it takes until so many of the hub have passed."""
        return hub_s / self.scale

    def resume(self, offset: timedelta) -> None:
        """Be so far ahead of the machine from now on, as an earlier hub on the same data was. Nobody is told."""
        self._begun_at, self._ahead = self.machine_now(), offset

    def move(self, by: timedelta) -> None:
        """Move it ahead, and tell those who wait for an instant. by: above zero."""
        self._ahead += by
        self._moved += by
        self._tell()

    def set_to(self, offset: timedelta) -> None:
        """Be so far ahead of the machine: for a hub that has other data now. Sessions live no longer for that."""
        self.resume(offset)
        self._tell()

    def session_now(self) -> datetime:
        """The instant by which a session's credentials expire: the machine's, and all moves."""
        return self.machine_now() + self._moved

    def session_end(self, expires_at: datetime) -> datetime:
        """When a session ends, by `session_now`, that begins now. expires_at: of its credentials, by the machine."""
        try:
            return expires_at + self._moved
        except OverflowError:  # they never expire
            return expires_at

    def subscribe(self, listener: Listener) -> None:
        """Call `listener`, which must not fail, after each move, until `unsubscribe`."""
        self._listeners[listener] = None

    def unsubscribe(self, listener: Listener) -> None:
        """Call it no more; nothing to do for one that is not called."""
        self._listeners.pop(listener, None)

    def _offset(self, machine_now: datetime) -> timedelta:
        if self.scale == 1:
            return self._ahead
        return self._ahead + (machine_now - self._begun_at) * (self.scale - 1)

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()


def render(at: datetime) -> str:
    """An aware instant with seven fraction digits, as .NET writes it; such texts sort by time."""
    # Not strftime, which writes year 1 as "1" on some systems: .NET clients send that year for "no date".
    if at.tzinfo is not timezone.utc:
        at = at.astimezone(timezone.utc)
    return at.isoformat(timespec="microseconds")[:PLAIN_CHARACTERS] + "0Z"


def parse(text: str) -> datetime:
    """An instant that `render` wrote."""
    return datetime.strptime(text[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)
