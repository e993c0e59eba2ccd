"""Import and export jobs: files of devices in containers, and what the hub makes of them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_files import call, container_url, put
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import wait_until

pytestmark = pytest.mark.local_hub("reads and writes the local hub's own storage account")
ENDED = ("completed", "failed", "cancelled")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub of its own: an export has all devices, and one job may be live at a time."""
    with HubProcess(tmp_path / "hub") as process:
        yield process


def ended(hub: HubProcess, job: dict[str, Any]) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found.append(hub.ok("GET", f"/jobs/{job['jobId']}"))
        return found[-1]["status"] in ENDED

    wait_until("the job has ended", look)
    return found[-1]


def export(hub: HubProcess, **members: Any) -> list[str]:
    job = hub.ok("POST", "/jobs/create", {"type": "export", "outputBlobContainerUri": container_url(hub), **members})
    assert job["status"] == "enqueued" and "sig=" not in json.dumps(job)
    done = ended(hub, job)
    assert (done["status"], done["progress"], done["failureReason"]) == ("completed", 100, None)
    name = members.get("outputBlobName", "devices.txt")
    return call(hub, "GET", container_url(hub, name)).content.decode().splitlines()


def import_lines(hub: HubProcess, *lines: Any, **members: Any) -> list[dict[str, Any]]:
    """Run an import; gives the lines of its log of errors."""
    text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    assert put(hub, container_url(hub, members.get("inputBlobName", "devices.txt")), text.encode()).status_code == 201
    uris = dict.fromkeys(("inputBlobContainerUri", "outputBlobContainerUri"), container_url(hub))
    assert ended(hub, hub.ok("POST", "/jobs/create", {"type": "import", **uris, **members}))["status"] == "completed"
    log = call(hub, "GET", container_url(hub, "importErrors.log")).content.decode()
    return [json.loads(each) for each in log.splitlines()]


def test_an_export_has_devices_and_modules_with_keys_and_twins(hub: HubProcess) -> None:
    hub.new_device("pump", statusReason="new")
    hub.ok("PUT", "/devices/pump/modules/m", {"deviceId": "pump", "moduleId": "m"})
    hub.ok("PATCH", "/twins/pump", {"tags": {"site": "ü"}, "properties": {"desired": {"a": 1}}})
    device, module = (json.loads(line) for line in export(hub))
    assert (device["id"], device["status"], device["statusReason"]) == ("pump", "enabled", "new")
    assert device["eTag"] == hub.ok("GET", "/devices/pump")["etag"]
    assert device["twinETag"] == hub.ok("GET", "/twins/pump")["etag"]
    assert device["authentication"]["symmetricKey"]["primaryKey"]
    assert (device["tags"], device["properties"]["desired"]["a"]) == ({"site": "ü"}, 1)
    assert (module["id"], module["moduleId"]) == ("pump", "m")


def test_an_export_without_keys_begins_with_a_line_that_says_so(hub: HubProcess) -> None:
    hub.new_device("pump")
    note, line = export(hub, excludeKeysInExport=True, outputBlobName="a/keyless.txt")
    assert not note.startswith("{")
    assert json.loads(line)["authentication"]["symmetricKey"] == {"primaryKey": None, "secondaryKey": None}
    assert import_lines(hub, note, {**json.loads(line), "importMode": "delete"}) == []
    assert hub.request("GET", "/devices/pump").status_code == 404


def test_what_was_exported_is_imported_again(hub: HubProcess) -> None:
    hub.new_device("edge", capabilities={"iotEdge": True})
    hub.new_device("pump")
    hub.ok("PATCH", "/twins/pump", {"tags": {"site": "A"}, "properties": {"desired": {"a": {"b": [1]}}}})
    lines = export(hub)
    before = [hub.ok("GET", f"/devices/{each}")["authentication"] for each in ("edge", "pump")]
    assert import_lines(hub, *lines) == []
    for device in ("edge", "pump"):
        hub.request("DELETE", f"/devices/{device}", headers={"If-Match": "*"})
    assert import_lines(hub, *lines) == []
    assert [hub.ok("GET", f"/devices/{each}")["authentication"] for each in ("edge", "pump")] == before
    twin = hub.ok("GET", "/twins/pump")
    assert (twin["tags"], twin["properties"]["desired"]["a"]) == ({"site": "A"}, {"b": [1]})
    assert len(hub.ok("GET", "/devices/edge/modules")) == 2


def test_each_line_does_as_its_mode_says_or_is_in_the_log(hub: HubProcess) -> None:
    old = hub.new_device("old")
    hub.new_device("twin")
    hub.new_device("gone")
    on = {"status": "enabled"}
    errors = import_lines(
        hub,
        {"id": "new", "importMode": "create", **on, "tags": {"n": 1}},
        {"id": "old", "importMode": "create", **on},
        {"id": "nobody", "importMode": "update", **on},
        {"id": "old", "importMode": "updateIfMatchETag", "eTag": "AAAA", "status": "disabled"},
        {"id": "old", "importMode": "createOrUpdateIfMatchETag", "eTag": old["etag"], "status": "disabled"},
        {"id": "twin", "importMode": "updateTwin", **on, "tags": {"site": "A"}},
        {"id": "twin", "importMode": "createOrUpdate", **on, "properties": {"desired": {"a": 1}}},
        {"id": "gone", "importMode": "delete", **on},
        {"id": "no-status", "importMode": "create"},
        {"id": "odd", "importMode": "conquer", **on},
        "",
        "{not json",
    )
    assert [(each["deviceId"], each["errorCode"]) for each in errors] == [
        ("old", 409001),
        ("nobody", 404001),
        ("old", 412001),
        ("no-status", 400004),
        ("odd", 400004),
        (None, 400000),
    ]
    assert hub.ok("GET", "/twins/new")["tags"] == {"n": 1}
    assert hub.ok("GET", "/devices/old")["status"] == "disabled"
    twin = hub.ok("GET", "/twins/twin")
    assert (twin["tags"], twin["properties"]["desired"]["a"]) == ({"site": "A"}, 1)
    assert hub.request("GET", "/devices/gone").status_code == 404


def test_a_twin_that_is_too_large_changes_nothing_of_its_device(hub: HubProcess) -> None:
    hub.new_device("pump")
    (error,) = import_lines(
        hub, {"id": "pump", "status": "disabled", "tags": {"a": "x" * 4000, "b": "x" * 4090, "c": "x" * 200}}
    )
    assert error["errorCode"] == 400004
    assert hub.ok("GET", "/devices/pump")["status"] == "enabled"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda uri: uri.partition("?")[0],
        lambda uri: uri.replace("sp=racwdl", "sp=racwl"),
        lambda uri: uri.replace("/registry?", "/nothing?"),
        lambda uri: "https://account.blob.core.windows.net/devices?sv=1",
        lambda uri: "http://[broken",
    ],
    ids=["no signature", "changed", "no container", "another account", "no address"],
)
def test_a_container_that_the_hub_may_not_use_is_refused_at_once(hub: HubProcess, spoil: Callable[[str], str]) -> None:
    spec = {"type": "export", "outputBlobContainerUri": spoil(container_url(hub))}
    assert hub.refused("POST", "/jobs/create", spec) == (400, "BlobContainerValidationError")
    assert hub.ok("GET", "/jobs") == []


def test_the_hubs_own_identity_needs_no_signature(hub: HubProcess) -> None:
    uri = container_url(hub).partition("?")[0]
    spec = {"type": "export", "outputBlobContainerUri": uri, "storageAuthenticationType": "IdentityBased"}
    assert ended(hub, hub.ok("POST", "/jobs/create", spec))["status"] == "completed"


@pytest.mark.parametrize(
    "change", [{"type": "transfer"}, {"type": None}, {"outputBlobContainerUri": None}, {"excludeKeysInExport": "yes"}]
)
def test_a_request_that_makes_no_sense_is_refused(hub: HubProcess, change: dict[str, Any]) -> None:
    spec = {"type": "export", "outputBlobContainerUri": container_url(hub), **change}
    assert hub.refused("POST", "/jobs/create", spec) == (400, "ArgumentInvalid")


def test_an_import_without_its_file_fails_and_says_so(hub: HubProcess) -> None:
    uris = dict.fromkeys(("inputBlobContainerUri", "outputBlobContainerUri"), container_url(hub))
    job = ended(hub, hub.ok("POST", "/jobs/create", {"type": "import", **uris, "inputBlobName": "nothing.txt"}))
    assert job["status"] == "failed" and "nothing.txt" in job["failureReason"]
    assert [each["jobId"] for each in hub.ok("GET", "/jobs")] == [job["jobId"]]


def many(count: int) -> list[dict[str, Any]]:
    return [{"id": f"device-{number:05}", "importMode": "create", "status": "enabled"} for number in range(count)]


def test_one_job_is_live_at_a_time_and_ends_when_it_is_cancelled(hub: HubProcess) -> None:
    text = "\n".join(json.dumps(each) for each in many(20_000))
    put(hub, container_url(hub, "devices.txt"), text.encode())
    uris = dict.fromkeys(("inputBlobContainerUri", "outputBlobContainerUri"), container_url(hub))
    job = hub.ok("POST", "/jobs/create", {"type": "import", **uris})
    assert hub.refused("POST", "/jobs/create", {"type": "import", **uris}) == (403, "JobQuotaExceeded")
    hub.ok("DELETE", f"/jobs/{job['jobId']}")
    assert hub.ok("GET", f"/jobs/{job['jobId']}")["status"] == "cancelled"
    export(hub)
    assert hub.refused("GET", "/jobs/unknown") == (404, "JobNotFound")
    assert hub.refused("DELETE", "/jobs/unknown") == (404, "JobNotFound")


def test_a_killed_import_goes_on_and_applies_each_line_once(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub") as hub:
        lines = "\n".join(json.dumps(each) for each in many(8000))
        put(hub, container_url(hub, "devices.txt"), lines.encode())
        uris = dict.fromkeys(("inputBlobContainerUri", "outputBlobContainerUri"), container_url(hub))
        job = hub.ok("POST", "/jobs/create", {"type": "import", **uris})
        wait_until("it has begun", lambda: hub.ok("GET", f"/jobs/{job['jobId']}")["progress"] > 0)
        before = hub.ok("GET", f"/jobs/{job['jobId']}")
        assert before["status"] == "running"
        hub.kill()
    with HubProcess(tmp_path / "hub") as hub:
        assert ended(hub, job)["status"] == "completed"
        # `create` of a line that was applied already would be an error.
        assert call(hub, "GET", container_url(hub, "importErrors.log")).content == b""
        assert hub.ok("GET", "/statistics/devices")["totalDeviceCount"] == 8000


def test_an_import_whose_file_has_changed_meanwhile_fails(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "hub") as hub:
        put(hub, container_url(hub, "devices.txt"), "\n".join(json.dumps(each) for each in many(8000)).encode())
        uris = dict.fromkeys(("inputBlobContainerUri", "outputBlobContainerUri"), container_url(hub))
        job = hub.ok("POST", "/jobs/create", {"type": "import", **uris})
        wait_until("it has begun", lambda: hub.ok("GET", f"/jobs/{job['jobId']}")["progress"] > 0)
        hub.kill()
        (tmp_path / "hub" / "storage" / "registry" / "devices.txt").write_text("{}", encoding="ascii")
    with HubProcess(tmp_path / "hub") as hub:
        job = ended(hub, job)
        assert job["status"] == "failed" and "has changed since" in job["failureReason"]


def test_configurations_travel_too_when_they_are_asked_for(hub: HubProcess) -> None:
    content = {"deviceContent": {"properties.desired.a": 1}}
    spec = {"id": "c1", "content": content, "targetCondition": "tags.x='1'", "priority": 3, "labels": {"l": "v"}}
    etag = hub.ok("PUT", "/configurations/c1", spec)["etag"]
    export(hub, includeConfigurations=True)
    (line,) = call(hub, "GET", container_url(hub, "configurations.txt")).content.decode().splitlines()
    shown = json.loads(line)
    assert (shown["Id"], shown["Content"], shown["ETag"]) == ("c1", {"DeviceContent": content["deviceContent"]}, etag)
    hub.ok("DELETE", "/configurations/c1")
    other = {**shown, "Id": "c2", "Priority": 4, "ETag": "AAAA"}
    wrong = {**shown, "Id": "c3", "ImportMode": "create"}
    for expected in ([], [("c2", 412001)]):
        text = "\n".join(json.dumps(each) for each in (shown, other, wrong))
        put(hub, container_url(hub, "configurations.txt"), text.encode())
        errors = import_lines(hub, includeConfigurations=True)
        assert [(each["configurationId"], each["errorCode"]) for each in errors] == [*expected, ("c3", 400004)]
        shown = {**shown, "ETag": hub.ok("GET", "/configurations/c1")["etag"]}
    assert hub.ok("GET", "/configurations/c1")["content"] == content
    assert hub.ok("GET", "/configurations/c2")["priority"] == 4
