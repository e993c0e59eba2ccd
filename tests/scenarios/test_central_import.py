"""What IoT Central's REST API gives of an application's jobs is imported, and runs on the local hub."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.fleet_job_scenario import FleetJobs

DEVICES = ("central-1", "central-2")
TEMPLATE = "dtmi:modelDefinition:zomtmdxh:eqod32zbyl"
GROUPS = {
    "value": [
        {
            "id": "833d7a7d-8f99-4e04-9e56-745806bdba6e",
            "displayName": "Thermostats",
            "description": "All thermostats",
            "filter": 'SELECT * FROM devices WHERE $id IN ["central-1", "central-2"] AND $provisioned = true',
            "organizations": ["seattle"],
        }
    ]
}
LIGHT: dict[str, Any] = {
    "id": "Light-45",
    "displayName": "Set light threshold",
    "group": "833d7a7d-8f99-4e04-9e56-745806bdba6e",
    "batch": {"type": "percentage", "value": 50},
    "cancellationThreshold": {"type": "number", "value": 1, "batch": False},
    "data": [
        {"type": "PropertyJobData", "target": TEMPLATE, "path": "light.threshold", "value": 45},
        {"type": "CloudPropertyJobData", "target": TEMPLATE, "path": "Company", "value": "Contoso"},
    ],
    "status": "complete",
}
MIGRATION = {**LIGHT, "id": "migrate", "data": [{"type": "deviceTemplateMigration", "template": TEMPLATE}]}
NIGHTLY = {
    "id": "nightly",
    "group": LIGHT["group"],
    "data": [{"type": "command", "target": TEMPLATE, "path": "reboot"}],
    "schedule": {
        "start": "2030-01-07T02:30:00Z",
        "recurrence": "weekly",
        "end": {"type": "occurrences", "occurrences": 9},
    },
    "enabled": True,
}


@pytest.fixture(scope="module")
def registered(hub: ScenarioHub) -> ScenarioHub:
    for device in DEVICES:
        hub.new_device(device)
    return hub


@pytest.fixture
def place(registered: ScenarioHub, tmp_path: Path) -> FleetJobs:
    for name, content in (("groups", GROUPS), ("jobs", [LIGHT, MIGRATION]), ("scheduled", NIGHTLY)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return FleetJobs(registered, tmp_path / "state")


def test_groups_jobs_and_scheduled_jobs_are_imported_and_run(place: FleetJobs) -> None:
    files = [str(place.folder.parent / f"{name}.json") for name in ("groups", "jobs", "scheduled")]
    words = ("-n", place.hub.name, "--from-central", *files, "--assume", "provisioned=true")

    planned = place.run("import", *words, "--dry-run", "-o", "table")
    assert planned.code == 4 and "is not imported: it changes the device template" in planned.stderr
    assert "Nothing was saved, because of --dry-run" in planned.stderr
    assert not place.folder.exists(), "nothing is made, and so nothing is saved"
    assert "device group Thermostats" in planned.stdout and "properties.desired" not in planned.stderr

    imported = place.ok("import", *words, code=4)
    assert [(each["id"], each["result"], each["became"]) for each in imported] == [
        (LIGHT["group"], "created", {"group": "Thermostats"}),
        ("Light-45", "created", {"fleetJob": "light-45"}),
        ("migrate", "refused", None),
        ("nightly", "created", {"fleetJob": "nightly", "schedule": "weekly on mon at 02:30 UTC"}),
    ]
    assert imported[0]["deviceCount"] == 2
    assert imported[0]["notImported"] == ["id", "description", "organizations"]
    assert imported[1]["notImported"] == ["data[0].target", "data[1].target", "status"]

    again = place.ok(
        "import",
        "-n",
        place.hub.name,
        "--from-central",
        "-",
        files[0],
        "--assume",
        "provisioned=true",
        stdin=json.dumps({"value": [LIGHT]}),
    )
    assert [each["result"] for each in again] == ["unchanged", "unchanged"]

    ran = place.ok("run", "-j", "light-45", "--driver", "calls")
    assert ran["status"] == "completed" and ran["progress"]["completed"] == 2 and ran["batches"] == 2
    twin = place.hub.az.json("iot hub device-twin show", "-n", place.hub.name, "-d", DEVICES[0])
    assert (
        twin["properties"]["desired"]["light"] == {"__t": "c", "threshold": 45} and twin["tags"]["Company"] == "Contoso"
    )
    shown = place.ok("schedule show", "-j", "nightly")
    assert shown["next"][0]["utc"].startswith("2030-01-07T02:30") and shown["timeZone"] == "UTC"
