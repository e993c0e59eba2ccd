"""Twins read for rows, device after device: which queries are made and when; time is not real."""

import re
import threading
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.query_pace import SMALLEST, QueryPace, query_pace
from azext_iotjobs.model.tier import TierFacts
from azext_iotjobs.model.twin_columns import parse_twin_column
from azext_iotjobs.operations.twin_columns.reader import TwinReader
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import response

SITE = (parse_twin_column("tags.site", ""),)


class World:
    """A hub whose devices have the site that `site` says; None: the device is gone."""

    def __init__(self, tier: TierFacts = SMALLEST, page: int = 100) -> None:
        self.clock = ClockDouble()
        self.stop = threading.Event()
        self.pace = query_pace(tier)
        self.page = page
        self.site: Callable[[str], str | None] = lambda device: f"of {device}"
        self.queries: list[tuple[float, str]] = []  # when
        self.reader = TwinReader(QueriesClient(self), SITE, self.pace, self.clock, self.stop)

    def send(self, request: Request) -> Response:
        """As a transport's."""
        query = request.body["query"]
        self.queries.append((self.clock.monotonic(), query))
        ids = [each for each in re.findall(r"'([^']*)'", query.split("deviceId IN")[1]) if self.site(each) is not None]
        begin = int(request.headers.get("x-ms-continuation", 0))
        rows = [{"deviceId": each, "c1": self.site(each)} for each in reversed(ids[begin : begin + self.page])]
        if begin + self.page < len(ids):
            return response(rows, x_ms_continuation=str(begin + self.page))
        return response(rows)

    def sites(self, devices: Iterable[str], module: str | None = None) -> list[Any]:
        given = list(devices)
        found = self.reader.read(Address(each, module) for each in given)
        assert found is not None
        return [found.get(Address(each, module), {}).get("tags.site") for each in given]


def test_each_device_has_its_own_values_in_whatever_order_the_hub_gives_them() -> None:
    world = World()
    world.site = lambda device: None if device == "b" else f"of {device}"
    assert world.sites("cab") == ["of c", "of a", None]
    assert len(world.queries) == 1


def test_no_query_is_made_for_no_device() -> None:
    world = World()
    assert world.sites([]) == [] and world.queries == []


def test_pages_are_followed_as_far_as_there_are_any() -> None:
    world = World(page=2)
    assert world.sites("abcde") == [f"of {each}" for each in "abcde"]
    assert len(world.queries) == world.pace.used_count == 3


def test_modules_are_asked_for_by_their_names() -> None:
    world = World()
    found = world.reader.read([Address("a"), Address("a", "m"), Address("b", "m"), Address("b", "other")])
    assert found is not None and len(found) == 4
    assert [re.split(r"FROM | WHERE", query)[1] for _, query in world.queries] == ["devices", *2 * ["devices.modules"]]
    assert "moduleId = 'm' AND deviceId IN ['a', 'b']" in world.queries[1][1]


@pytest.mark.parametrize(("tier", "a_minute"), [(TierFacts("S1"), 6), (TierFacts("S2", 6), 40)])
def test_no_more_than_a_third_of_the_queries_of_a_minute_are_made(tier: TierFacts, a_minute: int) -> None:
    world = World(tier)
    ids = [f"d{number:06}" for number in range(300 * a_minute)]
    for begin in range(0, len(ids), 500):
        assert len(world.sites(ids[begin : begin + 500])) == min(500, len(ids) - begin)
    made = [at for at, _ in world.queries]
    assert len(made) == 3 * a_minute
    assert max(sum(1 for each in made if at <= each < at + 60) for at in made) == a_minute
    expected_s = world.reader.expected_s(len(ids))
    assert made[-1] - made[0] == pytest.approx(expected_s, abs=2) and expected_s == pytest.approx(120)


def test_what_a_tier_does_not_limit_is_read_at_once() -> None:
    world = World()
    reader = TwinReader(QueriesClient(world), SITE, QueryPace(None), world.clock)
    assert reader.expected_s(1_000_000) == 0
    for _ in range(100):
        reader.read([Address("a")])
    assert world.clock.slept == []


def test_once_it_is_stopped_no_time_for_a_query_is_waited_for() -> None:
    world = World()
    world.stop.set()
    ids = [f"d{number:04}" for number in range(601)]
    assert len(world.sites(ids[:600])) == 600
    assert world.reader.read(map(Address, ids)) is None
    assert world.clock.slept == [] and len(world.queries) == 6


def test_memory_does_not_grow_with_the_number_of_devices() -> None:
    world = World(TierFacts("S3"))
    peaks = []
    for total in (500, 5_000):
        world.queries.clear()
        tracemalloc.start()
        for begin in range(0, total, 500):
            world.sites(f"d{number:06}" for number in range(begin, begin + 500))
            world.queries.clear()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_what_is_no_row_is_the_hubs_fault() -> None:
    clock = ClockDouble()

    class Odd:
        def send(self, _request: Request) -> Response:
            return response(["x"])

    with pytest.raises(HubFault):
        TwinReader(QueriesClient(Odd()), SITE, QueryPace(None), clock).read([Address("a")])
