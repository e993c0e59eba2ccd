"""The newest entries of a local hub's logs, read a little at a time and kept here, so that a filter asks for nothing.

Strategy: the entry that was read last is read again. Where another one is in its place, the hub was started anew, or
has dropped what was between: then all that it keeps is read.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from azext_iotjobs.clients.local_hub import LocalHubClient

KINDS = ("requests", "connections", "calls")
KEPT = 2_000  # entries of a log: as many as a hub keeps
PAGE = 1_000  # entries of a request
MAX_PAGES = 4  # of one look: a hub that writes faster is caught up with later

Entry = dict[str, Any]


class Found(NamedTuple):
    """What was looked for in a log."""

    entries: list[Entry]  # the newest first
    total: int  # of all that were found
    kept: int  # of all that were looked at


class HubLogs:
    """The logs of one hub. Any thread may look."""

    def __init__(self) -> None:
        self._logs = {kind: _Log(kind) for kind in KINDS}

    def newest(self, client: LocalHubClient, kind: str, is_wanted: Callable[[Entry], bool], limit: int) -> Found:
        """The newest entries, `limit` at most, among all that are kept.

        kind: one of KINDS.  Raises HubAnswer, LinkError.
        """
        kept = self._logs[kind].read(client)
        found = [entry for entry in reversed(kept) if is_wanted(entry)]
        return Found(found[:limit], len(found), len(kept))


class _Log:
    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def read(self, client: LocalHubClient) -> list[Entry]:
        """All entries that are kept, the oldest first, once what is new was read."""
        with self._lock:
            if self._entries:
                newest = self._entries.pop()
                page = client.log(self._kind, after=newest["number"] - 1, limit=PAGE)
                if not page[self._kind] or page[self._kind][0] != newest:
                    self._entries.clear()
                    page = client.log(self._kind, after=0, limit=PAGE)
            else:
                page = client.log(self._kind, after=0, limit=PAGE)
            self._take(client, page)
            return list(self._entries)

    def _take(self, client: LocalHubClient, page: Any) -> None:
        for _ in range(MAX_PAGES):
            self._entries.extend(page[self._kind])
            if len(page[self._kind]) < PAGE:
                return
            page = client.log(self._kind, after=page["nextAfter"], limit=PAGE)
