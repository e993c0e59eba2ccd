"""Many devices in one request, each with its own success or failure; and keys renewed."""

from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub


def bulk(hub: AnyHub, *items: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = hub.request("POST", "/devices", list(items))
    return answer.status_code, answer.json()


def codes(result: dict[str, Any]) -> dict[str, str]:
    return {error["deviceId"]: error["errorCode"] for error in result["errors"]}


def test_a_hundred_devices_are_made_with_their_twins(hub: AnyHub, name: str) -> None:
    items = [
        {"id": f"{name}-{number}", "importMode": "create", "tags": {"n": number}, "properties": {"desired": {"a": 1}}}
        for number in range(100)
    ]
    assert bulk(hub, *items) == (200, {"isSuccessful": True, "errors": [], "warnings": []})
    twin = hub.ok("GET", f"/twins/{name}-42")
    assert (twin["tags"], twin["properties"]["desired"]["a"]) == ({"n": 42}, 1)
    assert hub.ok("GET", f"/devices/{name}-99")["authentication"]["symmetricKey"]["primaryKey"]


def test_each_failure_is_reported_and_the_others_are_done(hub: AnyHub, name: str) -> None:
    kept = hub.new_device(f"{name}-old")
    status, result = bulk(
        hub,
        {"id": f"{name}-old", "importMode": "create", "status": "disabled"},
        {"id": f"{name}-new", "importMode": "create"},
        {"id": f"{name}-nobody", "importMode": "update"},
        {"id": "not an id", "importMode": "create"},
        {"id": f"{name}-odd", "importMode": "conquer"},
        {"id": f"{name}-twice", "importMode": "create"},
        {"id": f"{name}-twice", "importMode": "delete"},
        {"id": f"{name}-deep", "importMode": "create", "tags": {"a.b": 1}},
    )
    assert (status, result["isSuccessful"]) == (400, False)
    assert codes(result) == {
        f"{name}-old": "DeviceAlreadyExists",
        f"{name}-nobody": "DeviceNotFound",
        "not an id": "ArgumentInvalid",
        f"{name}-odd": "ArgumentInvalid",
        f"{name}-twice": "ArgumentInvalid",
        f"{name}-deep": "ArgumentInvalid",
    }
    assert hub.ok("GET", f"/devices/{name}-old") == kept
    assert hub.ok("GET", f"/devices/{name}-new") and hub.ok("GET", f"/devices/{name}-twice")
    assert hub.refused("GET", f"/devices/{name}-deep")[0] == 404


@pytest.mark.parametrize("mode", [None, "createOrUpdate", "update", "updateIfMatchETag", "createOrUpdateIfMatchETag"])
def test_a_device_is_updated(hub: AnyHub, name: str, mode: str | None) -> None:
    made = hub.new_device(name)
    item = {**made, "id": name, "eTag": made["etag"], "status": "disabled", **({"importMode": mode} if mode else {})}
    assert bulk(hub, item)[0] == 200
    changed = hub.ok("GET", f"/devices/{name}")
    assert (changed["status"], changed["authentication"]) == ("disabled", made["authentication"])


@pytest.mark.parametrize("mode", ["updateIfMatchETag", "deleteIfMatchETag", "createOrUpdateIfMatchETag"])
def test_a_stale_etag_changes_nothing(hub: AnyHub, name: str, mode: str) -> None:
    made = hub.new_device(name)
    status, result = bulk(hub, {"id": name, "importMode": mode, "eTag": "stale", "status": "disabled"})
    assert (status, codes(result)) == (400, {name: "PreconditionFailed"})
    assert hub.ok("GET", f"/devices/{name}") == made


@pytest.mark.parametrize("mode", ["delete", "deleteIfMatchETag"])
def test_a_device_is_deleted(hub: AnyHub, name: str, mode: str) -> None:
    made = hub.new_device(name)
    assert bulk(hub, {"id": name, "importMode": mode, "eTag": made["etag"]})[0] == 200
    assert hub.refused("GET", f"/devices/{name}")[0] == 404


def test_a_twin_is_updated_with_and_without_its_etag(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    patch = {"id": name, "importMode": "updateTwin", "tags": {"a": 1}, "properties": {"desired": {"b": 2}}}
    assert bulk(hub, patch)[0] == 200
    twin = hub.ok("GET", f"/twins/{name}")
    assert (twin["tags"], twin["properties"]["desired"]["b"]) == ({"a": 1}, 2)
    stale = {**patch, "importMode": "updateTwinIfMatchETag", "twinETag": "AAAAAAAAAAE=", "tags": {"a": 2}}
    assert codes(bulk(hub, stale)[1]) == {name: "PreconditionFailed"}
    assert bulk(hub, {**stale, "twinETag": twin["etag"]})[0] == 200
    assert hub.ok("GET", f"/twins/{name}")["tags"] == {"a": 2}


def test_modules_come_in_bulk_too(hub: AnyHub, name: str) -> None:
    status, result = bulk(hub, {"id": name}, {"id": name, "moduleId": "m1"}, {"id": f"{name}-x", "moduleId": "m1"})
    assert (status, codes(result)) == (400, {f"{name}-x": "IotHubUnauthorizedAccess"})
    assert [each["moduleId"] for each in hub.ok("GET", f"/devices/{name}/modules")] == ["m1"]


def test_more_than_a_hundred_is_too_many(hub: AnyHub, name: str) -> None:
    items = [{"id": f"{name}-{number}"} for number in range(101)]
    assert hub.refused("POST", "/devices", items) == (413, "TooManyDevices")
    assert hub.refused("GET", f"/devices/{name}-0")[0] == 404


@pytest.mark.parametrize("body", [{"devices": []}, ["d1"], "d1", None])
def test_a_body_that_is_no_list_of_objects_is_refused(hub: AnyHub, body: Any) -> None:
    assert hub.refused("POST", "/devices", body) == (400, "GenericBadRequest")


@pytest.mark.parametrize(("policy_key", "other"), [("primaryKey", "secondaryKey"), ("secondaryKey", "primaryKey")])
def test_one_key_is_renewed_and_the_other_stays(hub: AnyHub, name: str, policy_key: str, other: str) -> None:
    before = hub.new_device(name)["authentication"]["symmetricKey"]
    hub.ok("PUT", f"/devices/{name}/modules/m1", {})
    request = {"policyKey": policy_key, "devices": [{"id": name}, {"id": name, "moduleId": "m1"}]}
    result = hub.ok("POST", "/devices/keys/regenerate", request)
    assert (result["errors"], len(result["rotatedKeys"])) == ([], 2)
    after = hub.ok("GET", f"/devices/{name}")["authentication"]["symmetricKey"]
    assert after[policy_key] != before[policy_key] and after[other] == before[other]
    module = hub.ok("GET", f"/devices/{name}/modules/m1")["authentication"]["symmetricKey"]
    told = [(each["id"], each.get("moduleId"), each[policy_key], each[other]) for each in result["rotatedKeys"]]
    assert told == [(name, None, after[policy_key], ""), (name, "m1", module[policy_key], "")]


def test_both_keys_are_renewed_at_once(hub: AnyHub, name: str) -> None:
    before = hub.new_device(name)["authentication"]["symmetricKey"]
    result = hub.ok("POST", "/devices/keys/regenerate", {"policyKey": "both", "devices": [{"id": name}]})
    assert [each["id"] for each in result["rotatedKeys"]] == [name]
    after = hub.ok("GET", f"/devices/{name}")["authentication"]["symmetricKey"]
    assert all(after[which] != before[which] for which in ("primaryKey", "secondaryKey"))
    assert {which: result["rotatedKeys"][0][which] for which in after} == after


def test_keys_that_cannot_be_renewed_are_reported(hub: AnyHub, name: str) -> None:
    hub.new_device(f"{name}-x", authentication={"type": "certificateAuthority"})
    hub.new_device(name)
    devices = [{"id": f"{name}-x"}, {"id": "nobody"}]
    request: dict[str, Any] = {"policyKey": "primaryKey", "devices": devices}
    answer = hub.request("POST", "/devices/keys/regenerate", request)
    assert (answer.status_code, codes(answer.json())) == (
        400,
        {f"{name}-x": "ArgumentInvalid", "nobody": "DeviceNotFound"},
    )
    devices.append({"id": name})
    assert hub.request("POST", "/devices/keys/regenerate", request).status_code == 207
    assert hub.refused("POST", "/devices/keys/regenerate", {**request, "policyKey": "swap"})[0] == 400
