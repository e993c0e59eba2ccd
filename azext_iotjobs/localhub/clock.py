"""The hub's clock, and instants as they are written on the wire."""

from datetime import datetime, timezone

NEVER = "0001-01-01T00:00:00Z"  # the service writes this for an instant that does not exist yet
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # where AMQP's timestamps begin, and ours in databases
UNFINISHED = "9999-12-31T23:59:59.9999999Z"  # endTime of a job that has not ended: .NET's last instant


class HubClock:
    """The machine's clock, as a value that tests can replace."""

    def now(self) -> datetime:
        """The current instant, aware UTC."""
        return datetime.now(timezone.utc)


def render(at: datetime) -> str:
    """An aware instant with seven fraction digits, as .NET writes it; such texts sort by time."""
    # Not strftime, which writes year 1 as "1" on some systems: .NET clients send that year for "no date".
    return at.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"


def parse(text: str) -> datetime:
    """An instant that `render` wrote."""
    return datetime.strptime(text[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)
