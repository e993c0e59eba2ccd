"""Microsoft's service SDK for Node.js, azure-iothub: what users call works, and fails under the names they catch."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.conformance.conftest import Open
from tests.helpers.driven import ClientError, Driven
from tests.helpers.official_sdks import needs_https_port, needs_mqtt_port, needs_node, node_program
from tests.helpers.waiting import wait_until

pytestmark = [needs_node, needs_https_port, needs_mqtt_port]


def refused(service: Driven, *words: Any) -> str:
    """The class of the error that the SDK gives for this call."""
    with pytest.raises(ClientError) as refusal:
        service.do(*words)
    return refusal.value.name


def job_ended(service: Driven, job: str) -> dict[str, Any]:
    def status() -> str:
        return str(service.do("jobs", "getJob", job)["status"])

    wait_until(f"{job} has ended", lambda: status() in ("completed", "failed", "cancelled"))
    return dict(service.do("jobs", "getJob", job))


# --- registry


def test_a_device_is_created_read_updated_listed_and_deleted(service: Driven, name: str) -> None:
    created = service.do("registry", "create", {"deviceId": name, "status": "enabled"})
    assert len(created["authentication"]["symmetricKey"]["primaryKey"]) == 44
    assert service.do("registry", "get", name) == created
    changed = service.do("registry", "update", {**created, "status": "disabled", "statusReason": "é"})
    assert (changed["status"], changed["statusReason"]) == ("disabled", "é")
    assert changed["authentication"] == created["authentication"]
    assert name in [each["deviceId"] for each in service.do("registry", "list")]
    service.do("registry", "delete", name)
    assert refused(service, "registry", "get", name) == "DeviceNotFoundError"


@pytest.mark.parametrize("device", ["a b", "x" * 129, "a/b"])
def test_a_bad_id_is_an_argument_error(service: Driven, device: str) -> None:
    assert refused(service, "registry", "create", {"deviceId": device}) == "ArgumentError"


def test_errors_of_the_registry_have_the_names_that_are_caught(service: Driven, name: str) -> None:
    service.do("registry", "create", {"deviceId": name})
    assert refused(service, "registry", "create", {"deviceId": name}) == "DeviceAlreadyExistsError"
    for what in ("update", "delete"):
        gone = f"{name}-gone"
        assert refused(service, "registry", what, {"deviceId": gone} if what == "update" else gone) == (
            "DeviceNotFoundError"
        )


def test_ids_are_encoded_and_decoded_once(service: Driven, name: str) -> None:
    device = f"{name}%2F#?+=@'&"[:-1]
    assert service.do("registry", "create", {"deviceId": device})["deviceId"] == device
    assert service.do("registry", "getTwin", device)["deviceId"] == device


def test_statistics_count_a_new_disabled_device(service: Driven, name: str) -> None:
    before = service.do("registry", "getRegistryStatistics")
    service.do("registry", "create", {"deviceId": name, "status": "disabled"})
    after = service.do("registry", "getRegistryStatistics")
    assert after["totalDeviceCount"] - before["totalDeviceCount"] == 1
    assert after["disabledDeviceCount"] - before["disabledDeviceCount"] == 1


def test_devices_are_added_changed_and_removed_in_bulk(service: Driven, name: str) -> None:
    devices = [{"deviceId": f"{name}-{number}", "tags": {"n": number}} for number in range(100)]
    added = service.do("registry", "addDevices", devices)
    assert (added["isSuccessful"], added["errors"]) == (True, [])
    assert service.do("registry", "getTwin", f"{name}-7")["tags"] == {"n": 7}
    off = [{"deviceId": f"{name}-{number}", "status": "disabled"} for number in range(10)]
    assert service.do("registry", "updateDevices", off, True)["isSuccessful"]
    assert service.do("registry", "get", f"{name}-9")["status"] == "disabled"
    removed = service.do("registry", "removeDevices", devices, True)
    assert removed["isSuccessful"]
    assert refused(service, "registry", "get", f"{name}-0") == "DeviceNotFoundError"


def test_a_bulk_call_that_fails_in_part_is_an_argument_error_and_the_rest_is_done(service: Driven, name: str) -> None:
    service.do("registry", "create", {"deviceId": f"{name}-0"})
    devices = [{"deviceId": f"{name}-{number}"} for number in range(3)]
    assert refused(service, "registry", "addDevices", devices) == "ArgumentError"
    assert service.do("registry", "get", f"{name}-2")["deviceId"] == f"{name}-2"


def test_modules_are_added_updated_listed_called_and_removed(service: Driven, hub: LocalHub, name: str) -> None:
    service.do("registry", "create", {"deviceId": name})
    module = service.do("registry", "addModule", {"deviceId": name, "moduleId": "m#1"})
    assert len(module["authentication"]["symmetricKey"]["primaryKey"]) == 44
    assert service.do("registry", "getModule", name, "m#1") == module
    assert [each["moduleId"] for each in service.do("registry", "getModulesOnDevice", name)] == ["m#1"]
    managed = service.do("registry", "updateModule", {**module, "managedBy": "me"}, True)
    assert managed["managedBy"] == "me"
    twin = service.do("registry", "getModuleTwin", name, "m#1")
    patched = service.do("registry", "updateModuleTwin", name, "m#1", {"tags": {"a": 1}}, twin["etag"])
    assert patched["tags"] == {"a": 1}
    stale = ("registry", "updateModuleTwin", name, "m#1", {"tags": {"a": 2}}, twin["etag"])
    assert refused(service, *stale) == "InvalidEtagError"
    with node_program(hub, "device.js") as client:
        client.do("open", {"connectionString": hub.device_connection_string(name, "m#1"), "module": True})
        client.do("listen")
        answer = service.do("invoke", name, "m#1", {"methodName": "ping", "payload": 2})
        assert answer == {"status": 202, "payload": {"echo": 2}}
    service.do("registry", "removeModule", name, "m#1")
    assert service.do("registry", "getModulesOnDevice", name) == []


# --- twins and queries


def test_a_twin_is_updated_with_its_etag_and_a_stale_one_is_refused(service: Driven, name: str) -> None:
    service.do("registry", "create", {"deviceId": name})
    etag = service.do("registry", "getTwin", name)["etag"]
    patch = {"tags": {"site": "north"}, "properties": {"desired": {"fan": {"speed": 3}}}}
    changed = service.do("registry", "updateTwin", name, patch, etag)
    assert (changed["tags"], changed["properties"]["desired"]["fan"]) == ({"site": "north"}, {"speed": 3})
    assert refused(service, "registry", "updateTwin", name, {"tags": {"site": "south"}}, etag) == "InvalidEtagError"
    assert service.do("registry", "getTwin", name)["tags"] == {"site": "north"}
    forced = service.do("registry", "updateTwin", name, {"tags": {"site": None}}, "*")
    assert not forced.get("tags")  # the SDK gives {} where the hub says nothing


def test_a_twin_object_updates_itself_with_the_etag_that_it_read(service: Driven, name: str) -> None:
    service.do("registry", "create", {"deviceId": name})
    assert service.do("updateThroughTwin", name, {"tags": {"a": 1}})["tags"] == {"a": 1}
    assert refused(service, "updateThroughTwin", f"{name}-gone", {"tags": {}}) == "DeviceNotFoundError"


def test_a_query_gives_twins_page_by_page(service: Driven, name: str) -> None:
    for number in range(5):
        service.do("registry", "create", {"deviceId": f"{name}-{number}"})
    pages = service.do("query", f"SELECT * FROM devices WHERE STARTSWITH(deviceId, '{name}-')", 2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(twin["deviceId"] for page in pages for twin in page) == [f"{name}-{number}" for number in range(5)]
    raw = service.do("rawQuery", f"SELECT COUNT() AS n FROM devices WHERE STARTSWITH(deviceId, '{name}-')", 10)
    assert raw == [[{"n": 5}]]


def test_a_query_that_does_not_parse_is_an_argument_error(service: Driven) -> None:
    assert refused(service, "query", "SELECT * FORM devices", 10) == "ArgumentError"


# --- direct methods


def test_a_method_reaches_a_device_and_its_answer_comes_back(service: Driven, name: str, open_node: Open) -> None:
    device = open_node(name)
    device.do("listen")
    answer = service.do("invoke", name, {"methodName": "reboot", "payload": {"delay": [1, None, "é"]}})
    assert answer == {"status": 202, "payload": {"echo": {"delay": [1, None, "é"]}}}
    assert service.do("invoke", name, {"methodName": "fail"})["status"] == 500


def test_a_method_fails_under_the_names_that_are_caught(
    service: Driven, hub: LocalHub, name: str, open_node: Open
) -> None:
    assert refused(service, "invoke", f"{name}-gone", {"methodName": "x"}) == "DeviceNotFoundError"
    device = open_node(name)
    device.do("listen")
    late = {"methodName": "late", "responseTimeoutInSeconds": 5}
    assert refused(service, "invoke", name, late) == "GatewayTimeoutError"
    wrong = {"methodName": "x", "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": 6}
    assert refused(service, "invoke", name, wrong) == "ArgumentError"
    device.close()
    wait_until("it is off line", lambda: hub.request("GET", f"/devices/{name}")["connectionState"] == "Disconnected")
    with pytest.raises(ClientError, match="Not found"):  # the SDK has no name for a device that is off line
        service.do("invoke", name, {"methodName": "x"})


# --- jobs


def test_a_method_job_runs_and_is_read(service: Driven, name: str, open_node: Open) -> None:
    device = open_node(name)
    device.do("listen")
    method = {"methodName": "reboot", "payload": {"n": 1}, "responseTimeoutInSeconds": 15}
    queued = service.do("jobs", "scheduleDeviceMethod", f"{name}-job", f"deviceId = '{name}'", method)
    assert (queued["jobId"], queued["status"]) == (f"{name}-job", "queued")
    assert job_ended(service, f"{name}-job")["deviceJobStatistics"]["succeededCount"] == 1
    (rows,) = service.do("rawQuery", f"SELECT * FROM devices.jobs WHERE jobId = '{name}-job'", 10)
    assert rows[0]["outcome"]["deviceMethodResponse"] == {"status": 202, "payload": {"echo": {"n": 1}}}


def test_a_twin_job_runs_and_is_listed(service: Driven, name: str) -> None:
    service.do("registry", "create", {"deviceId": name})
    patch = {"etag": "*", "tags": {"by": "node"}}
    service.do("jobs", "scheduleTwinUpdate", f"{name}-job", f"deviceId = '{name}'", patch, {"date": "2020-01-01"}, 60)
    assert job_ended(service, f"{name}-job")["status"] == "completed"
    assert service.do("registry", "getTwin", name)["tags"] == {"by": "node"}
    listed = service.do("jobPages", "scheduleUpdateTwin", "completed", 1)
    assert f"{name}-job" in [job["jobId"] for page in listed for job in page]
    assert all(len(page) <= 1 for page in listed)


def test_a_job_ahead_is_cancelled_once_and_its_id_stays_taken(service: Driven, name: str) -> None:
    ahead = {"date": (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()}
    words = ("jobs", "scheduleTwinUpdate", name, "*", {"etag": "*", "tags": {"a": 1}}, ahead, 60)
    service.do(*words)
    assert refused(service, *words) == "DeviceAlreadyExistsError"  # the SDK's only name for a conflict
    assert service.do("jobs", "getJob", name)["status"] in ("queued", "scheduled")
    assert service.do("jobs", "cancelJob", name)["status"] == "cancelled"
    assert refused(service, "jobs", "cancelJob", name) == "Error"
    assert refused(service, "jobs", "cancelJob", f"{name}-gone") == "Error"
    assert service.do("jobs", "getJob", f"{name}-gone")["status"] == "unknown"
