"""Export and import of the registry, and modules of edge devices, as a user at a terminal meets them."""

import json
from pathlib import Path

from tests.conftest import ScenarioHub
from tests.helpers.waiting import wait_until


def wait_for_end(hub: ScenarioHub, job: str) -> None:
    wait_until(
        "the job has completed",
        lambda: hub.az.json("iot hub job show", "-n", hub.name, "--job-id", job)["status"] == "completed",
    )


def test_devices_are_exported_into_the_hubs_container_changed_and_imported(hub: ScenarioHub) -> None:
    uri = hub.az.json("iot local-hub show", "-n", hub.name)["containerUri"]
    hub.new_device("transferred")
    exported = hub.az.json("iot hub device-identity export", "-n", hub.name, "--bcu", uri, "--include-keys")
    assert exported["type"] == "export" and "sig=" not in json.dumps(exported)
    wait_for_end(hub, exported["jobId"])
    file = Path(hub.document["uploadDirectory"]) / "registry" / "devices.txt"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    (found,) = [each for each in lines if each["id"] == "transferred"]
    file.write_text(json.dumps({**found, "importMode": "update", "status": "disabled"}), encoding="utf-8")
    imported = hub.az.json("iot hub device-identity import", "-n", hub.name, "--ibcu", uri, "--obcu", uri)
    wait_for_end(hub, imported["jobId"])
    assert file.with_name("importErrors.log").read_text(encoding="utf-8") == ""
    assert hub.az.json("iot hub device-identity show", "-n", hub.name, "-d", "transferred")["status"] == "disabled"
    refused = hub.az.run("iot hub device-identity export", "-n", hub.name, "--sa", "mystorage", "--bc", "devices")
    assert refused.code == 1 and "az iot local-hub show --query containerUri" in refused.stderr


def test_modules_of_an_edge_device_are_set_and_copied_to_another(hub: ScenarioHub, tmp_path: Path) -> None:
    for device in ("gateway-1", "gateway-2"):
        hub.az.json("iot hub device-identity create", "-n", hub.name, "-d", device, "--ee")
    content = (
        '{"modulesContent": {"$edgeAgent": {"properties.desired": {"a": 1}}, "cam": {"properties.desired": {"r": 5}}}}'
    )
    modules = hub.az.json("iot edge set-modules", "-n", hub.name, "-d", "gateway-1", "--content", content)
    assert {each["moduleId"] for each in modules} == {"$edgeAgent", "$edgeHub", "cam"}
    manifest = tmp_path / "manifest.json"
    exported = hub.az.run("iot edge export-modules", "-n", hub.name, "-d", "gateway-1")
    manifest.write_text(exported.stdout, encoding="utf-8")
    hub.az.json("iot edge set-modules", "-n", hub.name, "-d", "gateway-2", "-k", str(manifest))
    copied = hub.az.json("iot edge export-modules", "-n", hub.name, "-d", "gateway-2")
    assert copied == json.loads(exported.stdout)
    assert copied["content"]["modulesContent"]["cam"] == {"properties.desired": {"r": 5}}
