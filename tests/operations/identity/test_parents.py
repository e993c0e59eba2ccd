"""Parents and children: what is sent to the hub, and what is refused before anything is changed."""

from collections.abc import Callable
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.identity import parents
from tests.helpers.registry_double import RegistryDouble

GATEWAY = "ms-azure-iot-edge://gate'way-1"
OTHER = "ms-azure-iot-edge://other-2"


@pytest.fixture
def registry() -> RegistryDouble:
    return RegistryDouble(
        {"deviceId": "gate'way", "capabilities": {"iotEdge": True}, "deviceScope": GATEWAY, "parentScopes": []},
        {"deviceId": "other", "capabilities": {"iotEdge": True}, "deviceScope": OTHER, "parentScopes": []},
        {"deviceId": "leaf", "capabilities": {"iotEdge": False}},
        {"deviceId": "taken", "deviceScope": OTHER, "parentScopes": [OTHER]},
        {"deviceId": "child", "deviceScope": GATEWAY, "parentScopes": [GATEWAY]},
        {"deviceId": "stray", "deviceScope": "ms-azure-iot-edge://other-1", "parentScopes": []},
    )


@pytest.fixture
def client(registry: RegistryDouble) -> HubClient:
    return HubClient(HubTarget(host="h"), registry)


def test_a_leaf_names_its_parent_s_scope_as_its_own_and_the_mirror_is_left_to_the_hub(
    client: HubClient, registry: RegistryDouble
) -> None:
    change = parents.plan_adoption(client, "gate'way", ["leaf", "taken"], force=True)
    assert list(parents.apply(client, change)) == ["leaf", "taken"]
    first, second = registry.puts
    assert (first.path, first.headers["If-Match"]) == ("/devices/leaf", '"etag-of-leaf"')
    assert first.body["deviceScope"] == second.body["deviceScope"] == GATEWAY
    assert "parentScopes" not in second.body
    assert second.body["authentication"] == {"type": "sas"}  # a record without it would get new keys


def test_an_edge_device_keeps_its_own_scope(client: HubClient, registry: RegistryDouble) -> None:
    list(parents.apply(client, parents.plan_adoption(client, "gate'way", ["other"], force=False)))
    (put,) = registry.puts
    assert (put.body["deviceScope"], put.body["parentScopes"]) == (OTHER, [GATEWAY])


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda client: parents.plan_adoption(client, "gate'way", ["leaf", "taken"], force=False), ConflictingChoice),
        (lambda client: parents.plan_adoption(client, "gate'way", ["gate'way"], force=True), BadValue),
        (lambda client: parents.plan_adoption(client, "gate'way", ["leaf", "nobody"], force=True), NotFound),
        (lambda client: parents.plan_adoption(client, "leaf", ["taken"], force=True), BadValue),
        (lambda client: parents.plan_release(client, "gate'way", ["child", "taken"]), BadValue),
        (lambda client: parents.children_of(client, "leaf"), BadValue),
    ],
)
def test_one_that_does_not_fit_refuses_all(
    client: HubClient, registry: RegistryDouble, act: Callable[[HubClient], Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        act(client)
    assert registry.puts == []


def test_a_parent_that_it_has_already_needs_no_force_and_no_write(client: HubClient) -> None:
    assert parents.plan_adoption(client, "gate'way", ["child"], force=False).children == ()


def test_children_are_queried_by_the_scope_with_its_quote_escaped(client: HubClient, registry: RegistryDouble) -> None:
    registry.rows = [{"deviceId": "child"}, {"deviceId": "gone"}, {"deviceId": "taken"}]
    assert parents.children_of(client, "gate'way") == ["child", "gone", "taken"]
    text = "SELECT deviceId FROM devices WHERE ARRAY_CONTAINS(parentScopes, 'ms-azure-iot-edge://gate\\'way-1')"
    assert registry.queries == [text]
    # The query may be behind: who is gone, or has another parent by now, is left alone.
    change = parents.plan_release_of_all(client, "gate'way")
    assert [each.device_id for each in change.children] == ["child"]
    list(parents.apply(client, change))
    assert registry.puts[0].body["deviceScope"] == ""


def test_the_parent_is_found_by_the_scope_and_must_still_have_it(client: HubClient) -> None:
    assert parents.parent_of(client, "child").device_id == "gate'way"
    with pytest.raises(NotFound, match="no parent"):
        parents.parent_of(client, "leaf")
    with pytest.raises(NotFound, match="no device has that scope now"):
        parents.parent_of(client, "stray")  # its parent was removed, and registered anew
