"""Configurations on the wire: what can be created, changed, read and deleted. What they do to twins is in
test_configuration_rounds.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess

CONTENT = {"deviceContent": {"properties.desired.chiller-water": {"temperature": 66, "pressure": 28}}}
EDGE = {
    "modulesContent": {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {}}},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {}}},
        "sensor": {"properties.desired": {"interval": 5}},
    }
}
LAYERED = {
    "modulesContent": {
        "$edgeAgent": {"properties.desired.modules.sensor": {"type": "docker"}},
        "$edgeHub": {"properties.desired.routes.up": "FROM /* INTO $upstream"},
    }
}
MODULE = {"moduleContent": {"properties.desired.a.b": 1}}


@pytest.fixture
def path(hub: AnyHub, name: str) -> Iterator[str]:
    """The path of a configuration, which is deleted at the end."""
    yield f"/configurations/{name}"
    hub.request("DELETE", f"/configurations/{name}")


def body(path: str, **members: Any) -> dict[str, Any]:
    return {"id": path.split("/")[2], "content": CONTENT, **members}


def etag(value: str) -> dict[str, str]:
    return {"If-Match": value}


def test_a_configuration_is_created_read_and_listed_as_it_was_sent(hub: AnyHub, path: str) -> None:
    sent = body(
        path,
        schemaVersion="1.0",
        labels={"App": "é"},
        targetCondition="tags.none = 'x'",
        priority=20,
        metrics={"queries": {"pending": "SELECT deviceId FROM devices WHERE properties.reported.x='y'"}},
    )
    created = hub.request("PUT", path, sent)
    assert (created.status_code, created.headers["ETag"]) == (200, '"MQ=="')
    document = created.json()
    members = ("id", "schemaVersion", "labels", "content", "targetCondition", "priority")
    assert {each: document[each] for each in members} == {each: sent[each] for each in members}
    assert document["etag"] == "MQ=="
    assert document["createdTimeUtc"] == document["lastUpdatedTimeUtc"]
    assert document["createdTimeUtc"].endswith("Z")
    assert document["metrics"]["queries"] == sent["metrics"]["queries"]
    assert set(document["systemMetrics"]["queries"]) == {"targetedCount", "appliedCount"}
    read = hub.request("GET", path)
    assert read.headers["ETag"] == '"MQ=="'
    same = ("systemMetrics", "metrics")  # the results may have come
    assert {**read.json(), **dict.fromkeys(same)} == {**document, **dict.fromkeys(same)}
    assert document["id"] in [each["id"] for each in hub.ok("GET", "/configurations", query={"top": "1"})]


def test_what_is_left_out_has_its_default(hub: AnyHub, path: str) -> None:
    document = hub.ok("PUT", path, {"content": EDGE})
    assert (document["schemaVersion"], document["labels"]) == (None, None)
    assert (document["targetCondition"], document["priority"]) == ("", 0)
    assert document["metrics"] == {"results": {}, "queries": {}}
    queries = document["systemMetrics"]["queries"]
    assert queries["targetedCount"] == ""
    assert set(queries) == {"targetedCount", "appliedCount", "reportedSuccessfulCount", "reportedFailedCount"}


def test_an_update_needs_the_etag_and_gives_another_one(hub: AnyHub, path: str) -> None:
    first = hub.ok("PUT", path, body(path))
    assert hub.refused("PUT", path, body(path)) == (409, "ConfigurationAlreadyExists")
    changed = hub.request("PUT", path, {**first, "priority": 7, "labels": {"a": "b"}}, headers=etag('"MQ=="'))
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"Mg=="')
    document = changed.json()
    assert (document["priority"], document["labels"], document["etag"]) == (7, {"a": "b"}, "Mg==")
    assert document["createdTimeUtc"] == first["createdTimeUtc"] < document["lastUpdatedTimeUtc"]
    assert hub.refused("PUT", path, body(path), headers=etag('"MQ=="')) == (412, "PreconditionFailed")
    assert hub.ok("GET", path)["priority"] == 7


@pytest.mark.parametrize("anything", ["*", '"*"'])
def test_an_asterisk_updates_whatever_the_etag_is(hub: AnyHub, path: str, anything: str) -> None:
    hub.ok("PUT", path, body(path))
    assert hub.ok("PUT", path, body(path, priority=3), headers=etag(anything))["priority"] == 3


def test_an_etag_without_quotes_ends_in_a_conflict(hub: AnyHub, path: str) -> None:
    hub.ok("PUT", path, body(path))
    assert hub.refused("PUT", path, body(path), headers=etag("MQ==")) == (409, "ConfigurationAlreadyExists")


def test_a_changed_content_is_taken_and_not_stored(hub: AnyHub, path: str) -> None:
    hub.ok("PUT", path, body(path))
    other = {"deviceContent": {"properties.desired.other": 1}}
    changed = hub.ok("PUT", path, body(path, content=other, priority=2), headers=etag("*"))
    assert (changed["content"], changed["priority"]) == (CONTENT, 2)


def test_an_update_without_content_is_refused(hub: AnyHub, path: str) -> None:
    hub.ok("PUT", path, body(path))
    document = {"id": body(path)["id"], "priority": 2}
    assert hub.refused("PUT", path, document, headers=etag("*")) == (400, "InvalidConfigurationContent")
    assert hub.ok("GET", path)["priority"] == 0


@pytest.mark.parametrize("headers", [{}, etag('"MQ=="'), etag("*")])
def test_a_configuration_is_deleted_with_or_without_its_etag(hub: AnyHub, path: str, headers: dict[str, str]) -> None:
    hub.ok("PUT", path, body(path))
    assert hub.refused("DELETE", path, headers=etag('"Mg=="')) == (412, "PreconditionFailed")
    assert hub.request("DELETE", path, headers=headers).status_code == 204
    assert hub.refused("GET", path) == (404, "ConfigurationNotFound")
    assert hub.refused("DELETE", path) == (404, "ConfigurationNotFound")
    assert hub.refused("PUT", path, body(path), headers=etag("*")) == (404, "ConfigurationNotFound")


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"deviceContent": {}},
        {"deviceContent": {"tags.a": 1}},
        {"deviceContent": {"a": 1}},
        {**CONTENT, **EDGE},
        {"modulesContent": {"sensor": {"properties.desired": {}}}},
        {"modulesContent": {"$edgeAgent": {"tags": {}}}},
    ],
)
def test_content_of_no_or_of_two_kinds_or_for_other_parts_of_twins_is_refused(
    hub: AnyHub, path: str, content: Any
) -> None:
    assert hub.refused("PUT", path, body(path, content=content)) == (400, "InvalidConfigurationContent")
    assert hub.refused("GET", path) == (404, "ConfigurationNotFound")


@pytest.mark.parametrize("content", [CONTENT, EDGE, LAYERED, MODULE])
def test_empty_sections_beside_the_content_count_as_absent(hub: AnyHub, path: str, content: dict[str, Any]) -> None:
    empty: dict[str, Any] = {"deviceContent": {}, "moduleContent": {}, "modulesContent": {}}
    assert hub.ok("PUT", path, body(path, content={**empty, **content}))["content"] == content


@pytest.mark.parametrize(
    ("content", "condition"),
    [
        (CONTENT, "tags.a ="),
        (CONTENT, "properties.desired.a = 1"),
        (CONTENT, "status = 'enabled'"),
        (CONTENT, "from devices.modules where tags.a = 1"),
        (MODULE, "tags.a = 1"),
        (MODULE, "*"),
        (EDGE, "from devices.modules where tags.a = 1"),
    ],
)
def test_a_target_condition_that_does_not_parse_or_fit_is_refused(
    hub: AnyHub, path: str, content: dict[str, Any], condition: str
) -> None:
    document = body(path, content=content, targetCondition=condition)
    assert hub.refused("PUT", path, document) == (400, "InvalidConfigurationTargetCondition")
    assert hub.refused("GET", path) == (404, "ConfigurationNotFound")


@pytest.mark.parametrize(
    "queries", [{"a": "select"}, {"a": "select * from devices.jobs"}, dict.fromkeys("abcdef", "select * from devices")]
)
def test_metric_queries_that_cannot_be_asked_or_are_too_many_are_refused(
    hub: AnyHub, path: str, queries: dict[str, str]
) -> None:
    document = body(path, metrics={"queries": queries})
    assert hub.refused("PUT", path, document) == (400, "InvalidConfigurationCustomMetricsQuery")


@pytest.mark.parametrize(
    "members",
    [
        {"id": "another"},
        {"labels": {"a": 1}},
        {"labels": {"a": None}},
        {"labels": []},
        {"priority": "high"},
        {"priority": 2**31},
        {"priority": True},
        {"schemaVersion": 1},
        {"targetCondition": 5},
        {"metrics": {"queries": ["a"]}},
    ],
)
def test_members_of_a_wrong_type_are_refused(hub: AnyHub, path: str, members: dict[str, Any]) -> None:
    assert hub.refused("PUT", path, body(path, **members)) == (400, "ArgumentInvalid")


@pytest.mark.parametrize("configuration", ["Upper", "a b", "x" * 129, "a.b", "a$"])
def test_other_ids_are_refused(hub: AnyHub, configuration: str) -> None:
    path = f"/configurations/{quote(configuration, safe='')}"
    for verb in ("GET", "PUT", "DELETE"):
        assert hub.refused(verb, path, {"id": configuration, "content": CONTENT}) == (400, "ArgumentInvalid")


def test_every_character_that_an_id_may_hold_comes_back(hub: AnyHub, name: str) -> None:
    configuration = f"{name}-+%_*!'%2f"
    path = f"/configurations/{quote(configuration, safe='')}"
    try:
        assert hub.ok("PUT", path, {"id": configuration, "content": CONTENT})["id"] == configuration
        assert hub.ok("GET", path)["id"] == configuration
    finally:
        assert hub.request("DELETE", path).status_code == 204


def test_queries_are_tested_without_a_configuration(hub: AnyHub) -> None:
    def tested(condition: str | None, **queries: str) -> dict[str, Any]:
        document = {"targetCondition": condition, "customMetricQueries": queries}
        return dict(hub.ok("POST", "/configurations/testQueries", document))

    assert tested("tags.a = 1", mine="select deviceId from devices") == {}
    assert tested(None) == {}
    assert set(tested("*")) == {"targetConditionError"}
    found = tested("tags.a =", good="select * from devices.modules", bad="select", worse="")
    assert set(found) == {"targetConditionError", "customMetricQueryErrors"}
    assert set(found["customMetricQueryErrors"]) == {"bad", "worse"}


@pytest.mark.local_hub("uses policies that a real hub's tests have no keys of")
def test_reading_needs_the_right_to_read_and_the_rest_the_right_to_write(hub: HubProcess, path: str) -> None:
    hub.ok("PUT", path, body(path), policy="registryReadWrite")
    assert hub.ok("GET", path, policy="registryRead")["id"] == body(path)["id"]
    for verb, target in (("PUT", path), ("DELETE", path), ("POST", "/configurations/testQueries")):
        assert hub.refused(verb, target, {}, policy="registryRead") == (401, "IotHubUnauthorizedAccess")
    assert hub.refused("GET", "/configurations", policy="service") == (401, "IotHubUnauthorizedAccess")


@pytest.mark.local_hub("needs a hub of the free tier")
def test_a_free_hub_takes_ten_and_twenty_requests_a_minute(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory", "--sku", "F1", "--time-scale", "1000") as hub:
        for number in range(10):
            hub.ok("PUT", f"/configurations/c{number}", {"content": CONTENT})
        assert hub.refused("PUT", "/configurations/more", {"content": CONTENT}) == (403, "IotHubQuotaExceeded")
        hub.ok("PUT", "/configurations/c0", {"content": CONTENT, "priority": 1}, headers=etag("*"))
        hub.ok("DELETE", "/configurations/c1")
        hub.ok("PUT", "/configurations/more", {"content": CONTENT})
        used = {each["name"]: each["counted"] for each in hub.ok("GET", "/_local/quotas")["throttles"]}
        assert used["configuration operations"] == 14
