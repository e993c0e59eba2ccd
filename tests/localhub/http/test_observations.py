"""The routes of the logs: who waits gets the next entry, and who goes leaves nothing behind."""

import asyncio
from typing import Any

import pytest

from azext_iotjobs.localhub.engine.log_reading import Page, Wanted
from azext_iotjobs.localhub.engine.observation_log import MAX_ENTRIES, ObservationLog
from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.http.observations import CALLS, ObservationRoutes
from azext_iotjobs.localhub.http.own_request import read_own_request
from azext_iotjobs.localhub.http.request import HubRequest
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.observation import CallEntry
from tests.helpers.log_readers import waiting_count
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns, within_limit

PUMP = Address("pump-1")


class Logs:
    """The logs of a hub and their routes."""

    def __init__(self) -> None:
        self.observations = Observations(HandClock())
        self.routes = ObservationRoutes(self.observations)
        self.is_gone = False

    def call(self, address: Address = PUMP) -> None:
        """A method is called."""
        self.observations.calls.begin(address, "open", None, 4, None).sent()

    async def calls(self, **query: str) -> Any:
        """GET /_local/calls"""
        request = HubRequest(path={}, query=query, headers={}, body=b"", is_gone=lambda: self.is_gone)
        return (await self.routes.calls(read_own_request(request, CALLS))).document

    @property
    def waiting_count(self) -> int:
        return waiting_count(self.observations.calls.log)


class WatchedLog(ObservationLog[CallEntry]):
    """A log that knows after which numbers it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_after: list[int] = []

    def read(self, after: int, limit: int, wanted: Wanted) -> Page[CallEntry]:
        self.read_after.append(after)
        return super().read(after, limit, wanted)


def test_many_wait_and_each_gets_the_calls_of_its_device() -> None:
    async def main(loop: MovedLoop) -> None:
        logs = Logs()
        waiting = [loop.create_task(logs.calls(device=f"d{number}", wait="30")) for number in range(300)]
        waiting += [loop.create_task(logs.calls(device=f"d{number}", wait="30", module="m")) for number in range(300)]
        await turns()
        assert logs.waiting_count == 600
        for number in range(300):
            logs.call(Address(f"d{number}"))
        found = await within_limit(asyncio.gather(*waiting[:300]))
        assert [page["calls"][0]["deviceId"] for page in found] == [f"d{number}" for number in range(300)]
        await turns()
        assert logs.waiting_count == 300  # those of modules go on
        loop.advance(31)
        assert all(page["calls"] == [] for page in await within_limit(asyncio.gather(*waiting[300:])))
        assert logs.waiting_count == 0

    run(main)


def test_who_waits_looks_at_each_entry_once() -> None:
    async def main(loop: MovedLoop) -> None:
        logs = Logs()
        log = logs.observations.calls.log = WatchedLog()
        for _ in range(5):
            logs.call()
        waiting = loop.create_task(logs.calls(device="valve-1", wait="30"))
        await turns()
        for _ in range(2 + MAX_ENTRIES):
            logs.call()
        loop.advance(1.1)  # it looks whether its client is still there
        await turns()
        logs.call(Address("valve-1"))
        page = await within_limit(waiting)
        assert (page["calls"][0]["number"], page["droppedCount"]) == (MAX_ENTRIES + 8, 2)
        assert log.read_after == [0, 5, MAX_ENTRIES + 7]

    run(main)


def test_a_client_that_has_gone_waits_no_more() -> None:
    async def main(loop: MovedLoop) -> None:
        logs = Logs()
        waiting = loop.create_task(logs.calls(wait="30"))
        await turns()
        logs.is_gone = True
        loop.advance(1.1)
        assert (await within_limit(waiting))["calls"] == []
        assert logs.waiting_count == 0

    run(main)


def test_as_the_hub_ends_there_is_an_answer_at_once() -> None:
    async def main(loop: MovedLoop) -> None:
        logs = Logs()
        waiting = loop.create_task(logs.calls(wait="30"))
        await turns()
        logs.observations.close()
        assert (await within_limit(waiting))["calls"] == []
        assert (await within_limit(logs.calls(wait="30")))["calls"] == []

    run(main)


def test_a_page_is_limited_and_says_how_to_go_on() -> None:
    async def main(_loop: MovedLoop) -> None:
        logs = Logs()
        for _ in range(3):
            logs.call()
        first = await logs.calls(limit="2")
        assert ([each["number"] for each in first["calls"]], first["nextAfter"], first["last"]) == ([1, 2], 2, 3)
        rest = await logs.calls(limit="2", after="2")
        assert ([each["number"] for each in rest["calls"]], rest["nextAfter"], rest["droppedCount"]) == ([3], 3, 0)

    run(main)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"after": "1"}, "after: 1 is more than 0, the number of the newest entry. A hub that is started again, or"),
        ({"module": "m"}, "module: Give device too, on which the module is."),
        ({"device": "a b"}, "device: 'a b' is not allowed. It is the id of a device."),
        ({"wait": "31"}, "wait: 31 is not allowed. It is a number, 0 to 30."),
        ({"limit": "0"}, "limit: 0 is not allowed. It is a whole number, 1 to 1,000."),
    ],
)
def test_what_cannot_be_is_refused(query: dict[str, str], text: str) -> None:
    async def main(_loop: MovedLoop) -> None:
        with pytest.raises(HubError) as error:
            await Logs().calls(**query)
        assert error.value.fault.http_status == 400 and error.value.text.startswith(text)

    run(main)
