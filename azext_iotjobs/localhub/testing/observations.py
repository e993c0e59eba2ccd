"""Reading what a hub has noted of its devices: connections, method calls, reported properties, requests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from azext_iotjobs.localhub.testing.clock import HubTime
from azext_iotjobs.localhub.testing.observed import (
    ConnectionChange,
    Document,
    MethodCall,
    ReportedChange,
    connection_change,
    latest,
    method_call,
    reported_change,
)
from azext_iotjobs.localhub.testing.received import Telemetry, telemetry

MAX_ENTRIES = 1000  # that the hub gives at once
LONGEST_POLL_S = 30.0  # that the hub waits for an entry

T = TypeVar("T")


@dataclass(frozen=True)
class Log(Generic[T]):
    """One of the hub's logs."""

    name: str  # in its path, and of its list of entries
    read: Callable[[Document], T]


CONNECTIONS = Log("connections", connection_change)
CALLS = Log("calls", method_call)
EVENTS = Log("events", telemetry)
REPORTED = Log("reported", reported_change)
REQUESTS: Log[dict[str, Any]] = Log("requests", dict)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some entries of a log, and after which number it goes on."""

    entries: list[T]
    next_after: int
    is_last: bool  # whether there were no more


class HubObservations(HubTime):
    """What the hub has noted: of each kind the newest 2,000 entries since its start, or the last reset.

    Of what devices have sent, which a hub may keep longer, the newest 1,000 messages.
    """

    def events(self, device_id: str | None = None, *, module_id: str | None = None, after: int = 0) -> list[Telemetry]:
        """What devices have sent, the oldest first: of the newest 1,000 messages.

        device_id: and its modules; None: all.  module_id: this module of the device alone.
        after: only those after this number; 0: all.
        """
        return [each for each in self._all(EVENTS, device_id, module_id, after) if each.is_sent]

    def connections(
        self, device_id: str | None = None, *, module_id: str | None = None, after: int = 0
    ) -> list[ConnectionChange]:
        """Connections that were made, refused and ended, the oldest first.

        device_id: and its modules; None: all, also of clients that did not say who they are.
        module_id: this module of the device alone.  after: only entries after this number; 0: all.
        """
        return list(self._all(CONNECTIONS, device_id, module_id, after))

    def calls(self, device_id: str | None = None, *, module_id: str | None = None, after: int = 0) -> list[MethodCall]:
        """Method calls, each as far as it has come, in the order in which they began.

        device_id: and its modules; None: all.  module_id: this module of the device alone.
        after: only entries after this number; 0: all.
        """
        return latest(self._all(CALLS, device_id, module_id, after))

    def reported_changes(
        self, device_id: str | None = None, *, module_id: str | None = None, after: int = 0
    ) -> list[ReportedChange]:
        """Changes of reported properties, the oldest first.

        device_id: and its modules; None: all.  module_id: this module of the device alone.
        after: only entries after this number; 0: all.
        """
        return list(self._all(REPORTED, device_id, module_id, after))

    def requests(
        self, device_id: str | None = None, *, module_id: str | None = None, after: int = 0
    ) -> list[dict[str, Any]]:
        """HTTPS requests that were answered, but for the hub's own routes below `/_local`: the hub's documents of them.

        device_id: with it in their path; None: all.  module_id: with this module of the device alone.
        after: only entries after this number; 0: all.
        """
        return list(self._all(REQUESTS, device_id, module_id, after))

    def _all(self, log: Log[T], device_id: str | None, module_id: str | None, after: int) -> Iterator[T]:
        while True:
            page = self._page(log, device_id, module_id, after)
            yield from page.entries
            if page.is_last:
                return
            after = page.next_after

    def _page(
        self, log: Log[T], device_id: str | None, module_id: str | None, after: int, wait_s: float = 0.0
    ) -> Page[T]:
        """Some entries; waits up to `wait_s` for the first."""
        wait = f"{max(0.0, min(wait_s, LONGEST_POLL_S)):.3f}"
        given = {"device": device_id, "module": module_id, "after": after, "wait": wait, "limit": MAX_ENTRIES}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        document = self.request("GET", f"/_local/{log.name}?{query}")
        entries = [log.read(each) for each in document[log.name]]
        return Page(entries, document["nextAfter"], document["nextAfter"] >= document["last"])

    def _newest(self, log: Log[T]) -> int:
        """The number of the newest entry."""
        return int(self.request("GET", f"/_local/{log.name}?limit=1")["last"])
