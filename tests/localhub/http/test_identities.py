"""/devices: the registry's rules."""

import base64
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.helpers.hub_process import HubProcess

KEYS = {"primaryKey": base64.b64encode(b"p" * 16).decode(), "secondaryKey": base64.b64encode(b"s" * 64).decode()}
ANY = {"If-Match": "*"}
PRINT = "A1" * 20


def without_keys(identity: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in identity.items() if key not in ("authentication", "etag")}


def test_a_new_device_has_keys_and_the_services_fields(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("dev")
    made = hub.new_device(device)
    assert set(made) == {
        "deviceId",
        "generationId",
        "etag",
        "connectionState",
        "status",
        "statusReason",
        "connectionStateUpdatedTime",
        "statusUpdatedTime",
        "lastActivityTime",
        "cloudToDeviceMessageCount",
        "authentication",
        "capabilities",
    }
    assert (made["status"], made["connectionState"]) == ("enabled", "Disconnected")
    assert made["lastActivityTime"] == "0001-01-01T00:00:00Z"
    assert base64.b64decode(made["etag"]).isdigit()
    keys = made["authentication"]["symmetricKey"]
    assert [len(base64.b64decode(key)) for key in keys.values()] == [32, 32]
    assert keys["primaryKey"] != keys["secondaryKey"]
    answer = hub.request("GET", f"/devices/{device}")
    assert answer.json() == made
    assert answer.headers["ETag"] == f'"{made["etag"]}"'


@pytest.mark.parametrize(
    "device", ["a%b", "a#b", "a?b", "a+b", "a%2Fb", "x=@$'!*(),:;._-", "é".encode().hex(), "d" * 128]
)
def test_an_id_may_hold_what_a_url_has_other_uses_for(hub: HubProcess, device: str) -> None:
    hub.new_device(device)
    path = quote(device, safe="")
    assert hub.ok("GET", f"/devices/{path}")["deviceId"] == device
    assert hub.ok("GET", f"/twins/{path}")["deviceId"] == device
    assert hub.request("DELETE", f"/devices/{path}", headers=ANY).status_code == 204


@pytest.mark.parametrize("device", ["a b", "a%2Fb%2F..", "é", "d" * 129, "a\n", "a<b"])
def test_any_other_id_is_refused(hub: HubProcess, device: str) -> None:
    path = quote(device, safe="%")
    for method in ("PUT", "GET"):
        assert hub.refused(method, f"/devices/{path}", json={}) == (400, "ArgumentInvalid")


def test_creating_never_changes_a_device_that_is_there(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("dev")
    made = hub.new_device(device)
    answer = hub.request("PUT", f"/devices/{device}", json={**made, "status": "disabled"})
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (409, "DeviceAlreadyExists")
    assert hub.ok("GET", f"/devices/{device}") == made


def test_updating_never_makes_a_device(hub: HubProcess) -> None:
    answer = hub.request("PUT", "/devices/nobody", json={"deviceId": "nobody"}, headers=ANY)
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (404, "DeviceNotFound")
    assert hub.request("GET", "/devices/nobody").status_code == 404


@pytest.mark.parametrize("match", ["*", '"*"', '"{etag}"'])
def test_an_update_with_the_etag_changes_it(hub: HubProcess, fresh: Callable[[str], str], match: str) -> None:
    device = fresh("dev")
    made = hub.new_device(device)
    body = {**made, "status": "disabled", "statusReason": "repair"}
    changed = hub.ok("PUT", f"/devices/{device}", json=body, headers={"If-Match": match.format(etag=made["etag"])})
    assert (changed["status"], changed["statusReason"]) == ("disabled", "repair")
    assert changed["etag"] != made["etag"]
    assert changed["authentication"] == made["authentication"]
    assert changed["statusUpdatedTime"] > made["statusUpdatedTime"]


@pytest.mark.parametrize("match", ['"stale"', "stale", '""'])
@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
def test_a_stale_etag_is_412_and_changes_nothing(
    hub: HubProcess, fresh: Callable[[str], str], verb: str, match: str
) -> None:
    device = fresh("dev")
    made = hub.new_device(device)
    answer = hub.request(verb, f"/devices/{device}", json={"status": "disabled"}, headers={"If-Match": match})
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (412, "PreconditionFailed")
    assert hub.ok("GET", f"/devices/{device}") == made


def test_a_deletion_needs_an_etag(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("dev")
    made = hub.new_device(device)
    assert hub.request("DELETE", f"/devices/{device}").status_code == 412
    assert hub.ok("GET", f"/devices/{device}") == made


def test_a_deletion_takes_the_twin_along(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("dev")
    made = hub.new_device(device)
    answer = hub.request("DELETE", f"/devices/{device}", headers={"If-Match": f'"{made["etag"]}"'})
    assert (answer.status_code, answer.content) == (204, b"")
    assert hub.request("GET", f"/devices/{device}").status_code == 404
    assert hub.request("GET", f"/twins/{device}").headers["iothub-errorcode"] == "DeviceNotFound"
    assert hub.request("DELETE", f"/devices/{device}", headers=ANY).status_code == 404


def test_leaving_authentication_out_of_an_update_makes_new_keys(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("dev")
    made = hub.new_device(device)
    changed = hub.ok("PUT", f"/devices/{device}", json={"deviceId": device}, headers=ANY)
    assert changed["authentication"]["symmetricKey"] != made["authentication"]["symmetricKey"]
    assert without_keys(changed) == without_keys(made)


@pytest.mark.parametrize(
    ("authentication", "shown"),
    [
        ({"type": "sas", "symmetricKey": KEYS}, ("sas", KEYS["primaryKey"], None)),
        ({"symmetricKey": KEYS}, ("sas", KEYS["primaryKey"], None)),
        ({"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": PRINT}}, ("selfSigned", None, PRINT)),
        ({"type": "certificateAuthority"}, ("certificateAuthority", None, None)),
    ],
)
def test_each_kind_of_authentication_is_stored(
    hub: HubProcess, fresh: Callable[[str], str], authentication: Any, shown: tuple[Any, ...]
) -> None:
    device = fresh("dev")
    kept = hub.new_device(device, authentication=authentication)["authentication"]
    prints, keys = kept["x509Thumbprint"], kept["symmetricKey"]
    assert (kept["type"], keys["primaryKey"], prints["primaryThumbprint"]) == shown
    assert hub.ok("GET", f"/twins/{device}")["authenticationType"] == shown[0]


@pytest.mark.parametrize(
    "members",
    [
        {"deviceId": "another"},
        {"deviceId": 5},
        {"status": "asleep"},
        {"statusReason": "x" * 129},
        {"capabilities": {"iotEdge": "yes"}},
        {"capabilities": []},
        {"authentication": {"type": "none"}},
        {"authentication": {"type": "sas", "symmetricKey": {"primaryKey": KEYS["primaryKey"]}}},
        {"authentication": {"symmetricKey": {**KEYS, "primaryKey": "not base64!"}}},
        {"authentication": {"symmetricKey": {**KEYS, "primaryKey": base64.b64encode(b"x" * 15).decode()}}},
        {"authentication": {"symmetricKey": {**KEYS, "secondaryKey": base64.b64encode(b"x" * 65).decode()}}},
        {"authentication": {"type": "selfSigned"}},
        {"authentication": {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "AB:CD"}}},
    ],
)
def test_a_wrong_member_is_400_and_makes_no_device(
    hub: HubProcess, fresh: Callable[[str], str], members: dict[str, Any]
) -> None:
    device = fresh("dev")
    answer = hub.request("PUT", f"/devices/{device}", json={"deviceId": device, **members})
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (400, "ArgumentInvalid")
    assert hub.request("GET", f"/devices/{device}").status_code == 404


def test_an_edge_device_has_a_scope_of_its_own_that_stays(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("edge")
    made = hub.new_device(device, capabilities={"iotEdge": True})
    assert re.fullmatch(f"ms-azure-iot-edge://{device}-[0-9]+", made["deviceScope"])
    lost = hub.request("PUT", f"/devices/{device}", json={**made, "deviceScope": "other"}, headers=ANY)
    assert lost.status_code == 400
    assert hub.ok("PUT", f"/devices/{device}", json=made, headers=ANY)["deviceScope"] == made["deviceScope"]


def test_a_device_that_becomes_an_edge_device_gets_a_scope(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("edge")
    made = hub.new_device(device)
    changed = hub.ok("PUT", f"/devices/{device}", json={**made, "capabilities": {"iotEdge": True}}, headers=ANY)
    assert changed["deviceScope"].startswith(f"ms-azure-iot-edge://{device}-")


def test_a_leaf_names_its_parents_scope_twice(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    scope = hub.new_device(fresh("edge"), capabilities={"iotEdge": True})["deviceScope"]
    leaf = hub.new_device(fresh("leaf"), deviceScope=scope)
    assert (leaf["deviceScope"], leaf["parentScopes"]) == (scope, [scope])
