"""Twins that report after a while, and the answers of a hub's queries on them: counts, and rows page by page.

A condition is `properties.reported.NAME = VALUE`, VALUE a number or a text in quotes; a query has one of them at most.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.transport_double import response

PAGE = 100
QUERY = re.compile(
    r"SELECT (?P<what>\*|COUNT\(\) AS total) FROM devices(?P<modules>\.modules)?"
    r"(?: WHERE (?:moduleId = '(?P<module>[^']*)' AND )?(?:deviceId IN \[(?P<ids>[^\]]*)\])?"
    r"(?: AND )?(?:\(properties\.reported\.(?P<name>\w+) = (?P<value>[^)]+)\))?)?"
)
ID = re.compile(r"'([^']+)'")

Key = tuple[str, str | None]  # device, module


class ReportedTwins:
    """What is reported, and when; `queries` are those that were made, a page each."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.reported: dict[Key, dict[str, tuple[Any, datetime]]] = {}
        self.queries: list[str] = []
        self._now = now
        self.is_connected: Callable[[str], bool | None] = lambda device: None  # None: its twin does not say so

    def add(self, *devices: str, module: str | None = None) -> None:
        """Devices, or modules on them, that report nothing."""
        for each in devices:
            self.reported.setdefault((each, module), {})

    def report(self, device: str, module: str | None = None, /, **members: Any) -> None:
        """A device reports now."""
        twin = self.reported.setdefault((device, module), {})
        twin.update({name: (value, self._now()) for name, value in members.items()})

    def answer(self, request: Request) -> Response | None:
        """The response to a query on twins; None: it is another query."""
        found = QUERY.fullmatch(request.body["query"])
        if found is None:
            return None
        self.queries.append(request.body["query"])
        ids = None if found["ids"] is None else set(ID.findall(found["ids"]))
        asked = {key: twin for key, twin in self.reported.items() if ids is None or key[0] in ids}
        rows = [row for key, twin in asked.items() if (row := _row(found, key, twin)) is not None]
        for row in rows:
            if (is_connected := self.is_connected(row["deviceId"])) is not None:
                row["connectionState"] = "Connected" if is_connected else "Disconnected"
        if found["what"] != "*":
            return response([{"total": len(rows)}])
        begin = int(request.headers.get("x-ms-continuation", 0))
        page = rows[begin : begin + PAGE]
        if begin + PAGE < len(rows):
            return response(page, x_ms_continuation=str(begin + PAGE))
        return response(page)

    def reports(self, device: str, name: str, value: str) -> bool:
        """Whether a device's member has this value."""
        return str(self.reported.get((device, None), {}).get(name, (None, None))[0]) == value

    def send(self, request: Request) -> Response:
        """As a transport's."""
        found = self.answer(request)
        assert found is not None, request.body
        return found


def _row(query: "re.Match[str]", key: Key, twin: Mapping[str, tuple[Any, datetime]]) -> dict[str, Any] | None:
    device, module = key
    if (module is not None) != bool(query["modules"]) or (query["module"] and query["module"] != module):
        return None
    if query["name"] is not None:
        wanted = query["value"]
        shown = twin.get(query["name"], (None, None))[0]
        if (f"'{shown}'" if isinstance(shown, str) else str(shown)) != wanted:
            return None
    updated = {name: {"$lastUpdated": render_instant(at)} for name, (_, at) in twin.items()}
    newest = {"$lastUpdated": render_instant(max(at for _, at in twin.values()))} if twin else {}
    reported = {name: value for name, (value, _) in twin.items()}
    row = {"deviceId": device, "properties": {"reported": {**reported, "$metadata": {**newest, **updated}}}}
    return row if module is None else {**row, "moduleId": module}
