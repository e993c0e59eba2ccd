"""What a configuration may be, and the queries of its metrics."""

from typing import Any

import pytest

from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.rules.configuration import (
    ConfigurationSpec,
    Kind,
    configuration_etag,
    is_layered,
    max_configurations,
    only_section,
    read_content,
    system_queries,
)
from azext_iotjobs.localhub.rules.quota import Sku

AGENT: dict[str, Any] = {"properties.desired": {"modules": {}}}
DEVICE = {"properties.desired.fan": {"speed": 3}}


def spec(**members: Any) -> ConfigurationSpec:
    given: dict[str, Any] = {"configuration_id": "c", "kind": Kind.DEVICE, "content": DEVICE, "metric_queries": {}}
    return ConfigurationSpec(**{**given, **members})


def test_the_first_etag_is_that_of_live_hubs() -> None:
    assert [configuration_etag(number) for number in (1, 2)] == ["MQ==", "Mg=="]


def test_the_one_section_that_has_something_is_the_content() -> None:
    assert only_section({"deviceContent": DEVICE}) == (Kind.DEVICE, DEVICE)
    content = {"modulesContent": {"$edgeAgent": AGENT}, "deviceContent": {}, "moduleContent": None}
    assert only_section(content) == (Kind.EDGE, {"$edgeAgent": AGENT})


@pytest.mark.parametrize(
    "content",
    [
        None,
        "text",
        [],
        {},
        {"deviceContent": {}},
        {"deviceContent": 5},
        {"deviceContent": DEVICE, "moduleContent": DEVICE},
        {"devicesContent": DEVICE},
    ],
)
def test_none_and_several_sections_are_refused(content: Any) -> None:
    with pytest.raises(HubError) as refusal:
        only_section(content)
    assert refusal.value.fault.name == "InvalidConfigurationContent"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Kind.DEVICE, {"tags.site": "x"}),
        (Kind.DEVICE, {"properties.desired.a b": 1}),
        (Kind.DEVICE, {"properties.desired.a b": None}),
        (Kind.DEVICE, {"properties.desired.a": [None]}),
        (Kind.DEVICE, {"properties.desired.a": 2**60}),
        (Kind.DEVICE, {f"properties.desired.k{number}": "x" * 4000 for number in range(9)}),
        (Kind.MODULE, {"properties.reported": {}}),
        (Kind.EDGE, {"sensor": AGENT}),
        (Kind.EDGE, {"$edgeAgent": AGENT, "$mine": {}}),
        (Kind.EDGE, {"$edgeAgent": AGENT, "a b": {}}),
        (Kind.EDGE, {"$edgeAgent": AGENT, "": {}}),
        (Kind.EDGE, {"$edgeAgent": AGENT, "m": 5}),
        (Kind.EDGE, {"$edgeAgent": None}),
        (Kind.EDGE, {"$edgeAgent": AGENT, **{f"m{number}": {} for number in range(60)}}),
    ],
)
def test_content_that_no_twin_could_have_is_refused(kind: Kind, content: dict[str, Any]) -> None:
    with pytest.raises(HubError) as refusal:
        spec(kind=kind, content=content)
    assert refusal.value.fault.name == "InvalidConfigurationContent"


@pytest.mark.parametrize("priority", [2**31, -(2**31) - 1])
def test_a_priority_is_a_number_of_32_bits(priority: int) -> None:
    assert spec(priority=2**31 - 1).priority == 2**31 - 1
    with pytest.raises(HubError):
        spec(priority=priority)


def test_there_are_at_most_five_metrics_of_ones_own() -> None:
    queries = {f"m{number}": "select * from devices" for number in range(6)}
    with pytest.raises(HubError) as refusal:
        spec(metric_queries=queries)
    assert refusal.value.fault.name == "InvalidConfigurationCustomMetricsQuery"
    queries.popitem()
    assert len(spec(metric_queries=queries).metric_queries) == 5


def test_a_free_hub_has_ten_and_others_a_hundred() -> None:
    assert [max_configurations(sku) for sku in (Sku.F1, Sku.S1, Sku.S3, Sku.UNLIMITED)] == [10, 100, 100, 100]


def test_a_deployment_without_all_of_the_agents_properties_is_layered() -> None:
    assert not is_layered(read_content(Kind.EDGE, {"$edgeAgent": AGENT}))
    assert is_layered(read_content(Kind.EDGE, {"$edgeAgent": {"properties.desired.modules.m": {}}}))


@pytest.mark.parametrize(
    ("kind", "condition", "query"),
    [
        (Kind.DEVICE, "", ""),
        (Kind.EDGE, " ", ""),
        (Kind.DEVICE, "*", "select deviceId from devices"),
        (Kind.DEVICE, "tags.a = 1", "select deviceId from devices where tags.a = 1"),
        (Kind.DEVICE, "FROM devices WHERE tags.a = 1", "select deviceId FROM devices WHERE tags.a = 1"),
        (Kind.EDGE, "*", "select deviceId from devices where capabilities.iotEdge = true"),
        (
            Kind.EDGE,
            "tags.a = 1 or tags.b = 1",
            "select deviceId from devices where capabilities.iotEdge = true and (tags.a = 1 or tags.b = 1)",
        ),
        (
            Kind.MODULE,
            "from devices.modules where tags.a = 1",
            "select deviceId, moduleId from devices.modules where tags.a = 1",
        ),
    ],
)
def test_the_query_of_the_targets_is_their_condition(kind: Kind, condition: str, query: str) -> None:
    assert system_queries("c", kind, condition)["targetedCount"] == query


@pytest.mark.parametrize("kind", Kind)
def test_the_queries_of_the_system_can_be_asked(kind: Kind) -> None:
    queries = system_queries("a-1'%2b!", kind, "from devices.modules where tags.a = 1" if kind is Kind.MODULE else "*")
    for text in queries.values():
        parse_query(text)
    assert len(queries) == (4 if kind is Kind.EDGE else 2)
