"""Manifests of edge devices: what is sent of them, and what is made of modules."""

import json
from typing import Any

import pytest

from azext_iotjobs.cli.edge.modules import export_modules, modules_of, set_modules
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, StateError
from azext_iotjobs.model.target import HubTarget
from tests.helpers.transport_double import TransportDouble, in_turn, response

MODULES = {"$edgeAgent": {"properties.desired": {"a": 1}}, "camera": {"properties.desired.rate": 5}}


def identity(module: str) -> dict[str, Any]:
    return {"deviceId": "gateway", "moduleId": module, "etag": "e", "authentication": {"type": "sas"}}


def client_of(transport: TransportDouble) -> HubClient:
    return HubClient(HubTarget.named("my-hub.azure-devices.net", 443, None), transport)


@pytest.mark.parametrize(
    "manifest",
    [{"modulesContent": MODULES}, {"content": {"modulesContent": MODULES}}, {"content": {"moduleContent": MODULES}}],
)
def test_a_manifest_in_each_of_its_forms_is_sent_as_the_hub_takes_it(manifest: dict[str, Any]) -> None:
    transport = TransportDouble(in_turn(response(status=204), response([identity("camera")])))
    shown = set_modules(client_of(transport), "gateway", json.dumps(manifest))
    first, second = transport.requests
    assert (first.method, first.path) == ("POST", "/devices/gateway/applyConfigurationContent")
    assert first.body == {"modulesContent": MODULES}
    assert (second.method, second.path) == ("GET", "/devices/gateway/modules")
    assert [each["moduleId"] for each in shown] == ["camera"]


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"modulesContent": {}},
        {"modulesContent": []},
        {"content": "text"},
        {"modulesContent": {"m": {}}},
        {"modulesContent": {"m": {"desired": {}}}},
        {"modulesContent": {"m": {"properties.desiredx": 1}}},
        {"deviceContent": {"properties.desired": {}}},
    ],
)
def test_what_is_no_manifest_is_refused_before_anything_is_sent(manifest: dict[str, Any]) -> None:
    transport = TransportDouble(in_turn())
    with pytest.raises(BadValue):
        set_modules(client_of(transport), "gateway", json.dumps(manifest))
    assert transport.requests == []


def test_modules_become_a_manifest_that_can_be_set_again() -> None:
    desired = {"rate": 5, "$metadata": {"$lastUpdated": "x"}, "$version": 3}
    twin = {"deviceId": "gateway", "moduleId": "camera", "properties": {"desired": desired}}
    transport = TransportDouble(in_turn(response([identity("camera")]), response(twin)))
    manifest = export_modules(client_of(transport), "gateway")
    assert manifest == {"content": {"modulesContent": {"camera": {"properties.desired": {"rate": 5}}}}}
    assert modules_of(manifest)


def test_a_device_without_modules_has_nothing_to_export() -> None:
    transport = TransportDouble(in_turn(response([])))
    with pytest.raises(StateError, match="gateway has no modules"):
        export_modules(client_of(transport), "gateway")
