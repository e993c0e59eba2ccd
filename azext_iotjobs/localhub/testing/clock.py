"""The hub's clock in tests: read it, and move it ahead. Standard library only."""

from datetime import datetime, timedelta, timezone

from azext_iotjobs.localhub.testing.operations import HubOperations


class HubTime(HubOperations):
    """The time by which the hub's rules work."""

    def now(self) -> datetime:
        """The hub's time, aware UTC: what start times of jobs and expiry times of messages are compared with."""
        return _instant(str(self.request("GET", "/_local/clock")["now"]))

    def advance(self, by: str | float | timedelta) -> datetime:
        """Move the hub's clock ahead: what is due by then happens now; gives the hub's time.

        by: above 0: seconds, such as 90, a text, such as "30s", "5m", "2h", "7d", or a timedelta; all moves together at
        most 3,650 days.
        Raises LocalHubRefused.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        text = seconds if isinstance(seconds, str) else f"{seconds:.6f}s"
        return _instant(str(self.request("POST", "/_local/clock", {"advance": text})["now"]))


def _instant(text: str) -> datetime:
    """The hub writes seven fraction digits."""
    return datetime.strptime(text[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)
