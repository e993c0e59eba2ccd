"""Device identities on the wire."""

import base64
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub

KEY = base64.b64encode(bytes(range(32))).decode()


def test_a_new_device_gets_keys_an_etag_and_a_twin(hub: AnyHub, name: str) -> None:
    response = hub.request("PUT", f"/devices/{name}", {"deviceId": name})
    assert response.status_code == 200
    device = response.json()
    assert response.headers["ETag"] == f'"{device["etag"]}"'
    assert base64.b64decode(device["etag"]).isdigit()
    assert (device["status"], device["connectionState"]) == ("enabled", "Disconnected")
    assert device["lastActivityTime"].startswith("0001-01-01T00:00:00")
    assert device["authentication"]["type"] == "sas"
    assert len(base64.b64decode(device["authentication"]["symmetricKey"]["primaryKey"])) == 32
    twin = hub.ok("GET", f"/twins/{name}")
    assert (twin["etag"], twin["version"], twin["deviceEtag"]) == ("AAAAAAAAAAE=", 2, device["etag"])


def test_creating_twice_is_a_conflict_and_changes_nothing(hub: AnyHub, name: str) -> None:
    before = hub.new_device(name)
    again = {"deviceId": name, "status": "disabled"}
    assert hub.refused("PUT", f"/devices/{name}", again) == (409, "DeviceAlreadyExists")
    # Not even with the current etag in the body: the header decides.
    assert hub.refused("PUT", f"/devices/{name}", {**again, "etag": before["etag"]}) == (409, "DeviceAlreadyExists")
    assert hub.ok("GET", f"/devices/{name}") == before


def test_updating_what_is_not_there_is_not_found(hub: AnyHub, name: str) -> None:
    star = {"If-Match": "*"}
    assert hub.refused("PUT", f"/devices/{name}", {"deviceId": name}, headers=star) == (404, "DeviceNotFound")
    assert hub.refused("GET", f"/devices/{name}") == (404, "DeviceNotFound")


def test_an_update_needs_the_current_etag(hub: AnyHub, name: str) -> None:
    before = hub.new_device(name)
    record = {"deviceId": name, "status": "disabled", "authentication": before["authentication"]}
    stale = {"If-Match": '"MTIz"'}
    assert hub.refused("PUT", f"/devices/{name}", record, headers=stale) == (412, "PreconditionFailed")
    assert hub.ok("GET", f"/devices/{name}") == before
    after = hub.ok("PUT", f"/devices/{name}", record, headers={"If-Match": f'"{before["etag"]}"'})
    assert after["status"] == "disabled"
    assert after["etag"] != before["etag"]
    assert after["authentication"]["symmetricKey"] == before["authentication"]["symmetricKey"]


def test_an_update_without_authentication_makes_new_keys(hub: AnyHub, name: str) -> None:
    before = hub.new_device(name)
    after = hub.ok("PUT", f"/devices/{name}", {"deviceId": name}, headers={"If-Match": "*"})
    assert after["authentication"]["symmetricKey"] != before["authentication"]["symmetricKey"]


def test_a_delete_needs_an_etag_and_takes_the_twin_along(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    assert hub.refused("DELETE", f"/devices/{name}") == (412, "PreconditionFailed")
    assert hub.refused("DELETE", f"/devices/{name}", headers={"If-Match": '"MTIz"'}) == (412, "PreconditionFailed")
    assert hub.request("DELETE", f"/devices/{name}", headers={"If-Match": "*"}).status_code == 204
    assert hub.refused("GET", f"/twins/{name}") == (404, "DeviceNotFound")
    assert hub.refused("DELETE", f"/devices/{name}", headers={"If-Match": "*"}) == (404, "DeviceNotFound")


@pytest.mark.parametrize(
    "authentication",
    [
        {"symmetricKey": {"primaryKey": KEY}},
        {"symmetricKey": {"primaryKey": "bm8=", "secondaryKey": KEY}},
        {"symmetricKey": {"primaryKey": "not base64!", "secondaryKey": KEY}},
        {"type": "none"},
        {"type": "selfSigned"},
        {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "xyz"}},
    ],
)
def test_keys_and_thumbprints_are_checked(hub: AnyHub, name: str, authentication: dict[str, Any]) -> None:
    wrong = {"deviceId": name, "authentication": authentication}
    assert hub.refused("PUT", f"/devices/{name}", wrong) == (400, "ArgumentInvalid")
    assert hub.refused("GET", f"/devices/{name}")[0] == 404


def test_keys_of_ones_own_are_kept(hub: AnyHub, name: str) -> None:
    keys = {"primaryKey": KEY, "secondaryKey": KEY}
    device = hub.ok("PUT", f"/devices/{name}", {"deviceId": name, "authentication": {"symmetricKey": keys}})
    assert device["authentication"]["symmetricKey"] == keys


@pytest.mark.parametrize("bad", ["a%20b", "x" * 129, "a%2Fb", "%00", "%C3%A9"])
def test_ids_are_checked(hub: AnyHub, bad: str) -> None:
    assert hub.refused("PUT", f"/devices/{bad}", {}) == (400, "ArgumentInvalid")


def test_every_documented_character_may_stand_in_an_id(hub: AnyHub) -> None:
    device = "aZ0-.+%_#*?!(),:;=@$'"
    escaped = "aZ0-.%2B%25_%23*%3F!(),:;=@$'"
    created = hub.ok("PUT", f"/devices/{escaped}", {"deviceId": device})
    assert created["deviceId"] == device
    assert hub.ok("GET", f"/twins/{escaped}")["deviceId"] == device


def test_ids_differ_by_case(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.new_device(name.upper())
    assert hub.ok("GET", f"/devices/{name.upper()}")["deviceId"] == name.upper()


def test_an_edge_device_gets_a_scope_that_cannot_be_changed(hub: AnyHub, name: str) -> None:
    edge = hub.ok("PUT", f"/devices/{name}", {"deviceId": name, "capabilities": {"iotEdge": True}})
    assert edge["deviceScope"].startswith(f"ms-azure-iot-edge://{name}-")
    changed = {**edge, "deviceScope": "ms-azure-iot-edge://other-1"}
    star = {"If-Match": "*"}
    assert hub.refused("PUT", f"/devices/{name}", changed, headers=star) == (400, "ArgumentInvalid")
    leaf = hub.ok("PUT", f"/devices/{name}-leaf", {"deviceId": f"{name}-leaf", "deviceScope": edge["deviceScope"]})
    assert leaf["parentScopes"] == [edge["deviceScope"]]


def test_the_list_is_bounded(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.new_device(f"{name}-2")
    assert len(hub.ok("GET", "/devices?top=1")) == 1
    for top in ("0", "-1", "1001", "x"):  # out of range means as many as there may be
        assert len(hub.ok("GET", f"/devices?top={top}")) > 1
