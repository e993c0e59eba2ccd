"""Columns of twins over real transports: what the queries mean to a hub that evaluates them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.query_pace import QueryPace, query_pace
from azext_iotjobs.model.tier import TierFacts
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.twin_columns import FACTS, parse_twin_column
from azext_iotjobs.operations.twin_columns.reader import TwinReader
from azext_iotjobs.transport.http import HttpTransport
from tests.helpers.devices_on_thread import client_of
from tests.helpers.hub_process import HubProcess

ODD = {"1st": 1, "order": "o", "a-b": [1, {"c": "in a list"}], "größe": "é", "it's": "q", "x,y": True}
MANY = [f"many-{number:03}" for number in range(250)]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process:
        process.new_device("a")
        process.ok("PUT", "/devices/a/modules/m", {"deviceId": "a", "moduleId": "m"})
        for begin in range(0, len(MANY), 100):
            batch = [{"id": each, "importMode": "create", "tags": {"n": each}} for each in MANY[begin : begin + 100]]
            process.ok("POST", "/devices", batch)
        yield process


@pytest.fixture(scope="module")
def hub(process: HubProcess) -> Iterator[HubClient]:
    with client_of(process) as client:
        client.twins.patch("a", TwinPatch(document={"tags": ODD, "properties": {"desired": {"fw": {"v": 2}}}}))
        client.twins.patch("a", TwinPatch(document={"tags": {"of": "module"}}), module_id="m")
        yield client


def read(hub: HubClient, names: list[str], *addresses: Address) -> list[dict[str, object] | None]:
    columns = [parse_twin_column(name, "") for name in names]
    found = TwinReader(hub.queries, columns, QueryPace(None), SystemClock()).read(addresses)
    assert found is not None
    return [None if (values := found.get(each)) is None else dict(values) for each in addresses]


@pytest.mark.parametrize("name", [name for name in ODD if name != "x,y"])
@pytest.mark.parametrize("form", ["tags.{}", "tags.[[{}]]", "devices.tags[[{}]]"])
def test_any_name_that_a_twin_may_have_is_found(hub: HubClient, name: str, form: str) -> None:
    column = form.format(name)
    assert read(hub, [column], Address("a")) == [{column: ODD[name]}]


def test_values_of_every_part_of_a_twin_are_found(hub: HubClient) -> None:
    names = ["tags.a-b[1].c", "tags.[[x,y]]", "properties.desired", "properties.desired.fw.v", "devices.status"]
    assert read(hub, names, Address("a")) == [
        dict(zip(names, ("in a list", True, {"fw": {"v": 2}}, 2, "enabled"), strict=True))
    ]


def test_the_hub_knows_every_fact(hub: HubClient) -> None:
    names = [*FACTS, "devices.version", "devices.etag"]
    [found] = read(hub, names, Address("a"))
    assert found is not None and found["connectionState"] == "Disconnected" and found["authenticationType"] == "sas"
    assert found["capabilities.iotEdge"] is False and "lastActivityTime" not in found
    assert isinstance(found["devices.version"], int) and found["devices.etag"]


def test_modules_have_twins_of_their_own_and_what_is_gone_has_none(hub: HubClient) -> None:
    addresses = (Address("a", "m"), Address("a"), Address("a", "gone"), Address("gone"))
    assert read(hub, ["tags.of"], *addresses) == [{"tags.of": "module"}, {}, None, None]


def test_many_devices_are_read_by_as_many_queries_as_they_have_pages(hub: HubClient) -> None:
    pace = QueryPace(None)
    reader = TwinReader(hub.queries, [parse_twin_column("tags.n", "")], pace, SystemClock())
    found = reader.read(map(Address, reversed(MANY)))
    assert found == {Address(each): {"tags.n": each} for each in MANY} and pace.used_count == 3


def test_a_hub_of_the_smallest_tier_never_refuses_a_query(tmp_path: Path) -> None:
    """Its quotas' time and ours pass at the same pace; the queries of four minutes are made."""
    scale = 200

    class FastClock(SystemClock):
        def monotonic(self) -> float:
            return super().monotonic() * scale

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds / scale)

    with HubProcess(tmp_path, "--in-memory", "--sku", "S1", "--time-scale", str(scale)) as process:
        with client_of(process) as client:
            assert isinstance(client.transport, HttpTransport)
            pace = query_pace(TierFacts("S1"))
            reader = TwinReader(client.queries, [parse_twin_column("tags.n", "")], pace, FastClock())
            for _ in range(24):
                assert reader.read([Address("gone")]) == {}
        [meter] = [each for each in process.ok("GET", "/_local/quotas")["throttles"] if each["name"] == "queries"]
    assert (meter["passed"], meter["refused"]) == (24, 0)
