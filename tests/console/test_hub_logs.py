"""What the console keeps of a hub's log: it goes on where it was, and begins anew with a hub that was started anew."""

import json
from typing import Any

from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.console.hub_logs import KEPT, PAGE, HubLogs
from azext_iotjobs.transport.http import Request, Response


class Log:
    """The log of a hub that is no process."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.asked: list[int] = []  # what `after` was

    def write(self, count: int, by: str) -> None:
        first = self.entries[-1]["number"] + 1 if self.entries else 1
        self.entries += [{"number": number, "by": by} for number in range(first, first + count)]
        del self.entries[:-KEPT]

    def send(self, request: Request) -> Response:
        after, limit = int(request.query["after"]), int(request.query["limit"])
        self.asked.append(after)
        found = [each for each in self.entries if each["number"] > after][:limit]
        body = {"requests": found, "nextAfter": found[-1]["number"] if found else after}
        return Response(200, {}, json.dumps(body).encode())


def numbers(logs: HubLogs, log: Log, by: str = "") -> list[int]:
    found = logs.newest(LocalHubClient(log), "requests", lambda each: by in each["by"], KEPT)
    assert found.total == len(found.entries)
    return [each["number"] for each in found.entries]


def test_only_what_is_new_is_read() -> None:
    logs, log = HubLogs(), Log()
    assert numbers(logs, log) == []
    log.write(PAGE + 5, by="one")
    assert numbers(logs, log) == list(range(PAGE + 5, 0, -1))
    log.write(2, by="two")
    log.asked.clear()
    assert numbers(logs, log, by="two") == [PAGE + 7, PAGE + 6]
    assert log.asked == [PAGE + 4]  # the newest that was read, again


def test_what_a_hub_has_dropped_is_no_gap() -> None:
    logs, log = HubLogs(), Log()
    log.write(3, by="one")
    numbers(logs, log)
    log.write(KEPT + 10, by="two")
    assert numbers(logs, log) == list(range(KEPT + 13, 13, -1))


def test_the_log_of_a_hub_that_was_started_anew_has_nothing_of_the_one_before() -> None:
    logs, before, after = HubLogs(), Log(), Log()
    before.write(5, by="before")
    numbers(logs, before)
    after.write(9, by="after")
    assert numbers(logs, after, by="before") == [] and numbers(logs, after) == list(range(9, 0, -1))
    assert numbers(logs, Log()) == []
