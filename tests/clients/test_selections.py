"""How many devices a selection means, and which: the queries that are sent."""

from typing import Any

import pytest

from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.clients.selections import SelectionsClient
from azext_iotjobs.model.errors import BadValue, HubFault
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.transport_double import TransportDouble, response


def asked(*pages: list[dict[str, Any]]) -> tuple[SelectionsClient, list[str]]:
    """A client whose queries get these answers in turn, and the queries as they were sent."""
    queries: list[str] = []
    left = list(pages)

    def answer(request: Request) -> Response:
        queries.append(request.body["query"])
        return response(left.pop(0))

    return SelectionsClient(QueriesClient(TransportDouble(answer))), queries


@pytest.mark.parametrize(
    ("condition", "query"),
    [
        ("*", "SELECT COUNT() AS total FROM devices"),
        ("tags.a = 1", "SELECT COUNT() AS total FROM devices WHERE tags.a = 1"),
    ],
)
def test_devices_of_a_condition_are_counted_by_the_hub(condition: str, query: str) -> None:
    client, queries = asked([{"total": 7}])
    assert client.count(Selection(condition=condition)) == 7
    assert queries == [query]


def test_many_named_devices_are_counted_in_several_queries_that_hold_each_once() -> None:
    names = tuple(f"device-{number:05}" for number in range(1200))
    client, queries = asked([{"total": 500}], [{"total": 500}], [{"total": 7}])
    assert client.count(Selection(device_ids=names)) == 1007
    assert all(len(query) <= 8192 for query in queries)
    assert [name for query in queries for name in names if f"'{name}'" in query] == list(names)


def test_modules_are_listed_because_a_hub_counts_none() -> None:
    selection = Selection(condition="FROM devices.modules WHERE moduleId = 'm'")
    client, queries = asked([{"deviceId": "a", "moduleId": "m"}, {"deviceId": "b", "moduleId": "m"}])
    assert list(client.device_ids(selection)) == ["a/m", "b/m"]
    assert queries == ["SELECT deviceId, moduleId FROM devices.modules WHERE moduleId = 'm'"]


def test_a_larger_number_than_allowed_is_refused() -> None:
    client, _ = asked([{"total": 8}], [{"total": 7}])
    with pytest.raises(BadValue, match="^8 devices.*max_devices.*allows 7"):
        client.check_at_most(Selection(condition="*"), 7)
    client.check_at_most(Selection(condition="*"), 7)


def test_named_devices_count_without_asking_the_hub() -> None:
    client, queries = asked()
    with pytest.raises(BadValue, match="^2 devices"):
        client.check_at_most(Selection(device_ids=("a", "b")), 1)
    client.check_at_most(Selection(device_ids=("a", "b", "c"), excluded=("c",)), 2)
    assert queries == []


def test_an_answer_without_a_count_is_the_hubs_fault() -> None:
    client, _ = asked([])
    with pytest.raises(HubFault):
        client.count(Selection(condition="*"))


@pytest.mark.parametrize(
    ("condition", "query"),
    [
        ("*", "SELECT deviceId FROM devices WHERE deviceId IN ['o\\'b', 'x,y']"),
        ("a = 1 OR b = 2", "SELECT deviceId FROM devices WHERE (a = 1 OR b = 2) AND deviceId IN ['o\\'b', 'x,y']"),
    ],
)
def test_which_ids_a_condition_matches_is_asked_of_the_hub(condition: str, query: str) -> None:
    client, queries = asked([{"deviceId": "x,y"}])
    selection = Selection(condition=condition, excluded=("o'b", "x,y"))
    assert client.which_of(selection, selection.excluded) == {"x,y"}
    assert queries == [query]


def test_which_ids_are_named_is_known_without_asking() -> None:
    client, queries = asked()
    selection = Selection(device_ids=("a", "b"), excluded=("b", "c"))
    assert client.which_of(selection, ("b", "c", "a")) == {"a", "b"} and queries == []
