"""What devices' twins say beside what was done to them, as a user reads it."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.simulator.behaviour import Behaviour
from tests.conftest import ScenarioHub
from tests.helpers.fleet_job_scenario import FleetJobs
from tests.helpers.scenario_devices import ScenarioDevices

FORMULA = "=1+1"
STEERING = "\x1b[31mred"
SITES = {"c-1": FORMULA, "c-2": STEERING, "c-gone": "north"}
COLUMNS = ("--columns", "deviceId,status,tags.site,displayName,devices.status,properties.desired.fw,tags.sitee")


@pytest.fixture(scope="module")
def job(own_hub: ScenarioHub, jobs: FleetJobs) -> Iterator[ScenarioHub]:
    """A fleet job and a job that have changed the twins of three devices; one is deleted since."""
    devices = ScenarioDevices(own_hub, {device: Behaviour() for device in ("c-1", "c-2")})
    devices.client.identities.create(NewIdentity(device_id="c-gone"))
    for device, site in SITES.items():
        patch = TwinPatch(document={"tags": {"site": site, "displayName": f"Pump {device}"}})
        devices.client.twins.patch(device, patch)
    words = ("-q", "*", "--twin-patch", json.dumps({"properties": {"desired": {"fw": {"version": 2}}}}))
    jobs.create("columns", "--driver", "calls", "--run", *words)
    own_hub.az.json(f"iot hub job create -n {own_hub.name} --job-id columns --jt scheduleUpdateTwin --wait", *words)
    devices.client.identities.delete("c-gone", etag="*")
    yield own_hub
    devices.close()


@pytest.mark.usefixtures("job")
def test_a_csv_file_has_what_twins_hold_and_the_details_of_the_job(jobs: FleetJobs, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    ran = jobs.run("results", "-j", "columns", "--job-details", *COLUMNS, "--output-file", str(path))
    assert (ran.code, ran.stdout) == (0, ""), ran.stderr
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["deviceId"]: row for row in csv.DictReader(file)}
    assert [row["tags.site"] for row in rows.values()] == [f"'{FORMULA}", "\\x1b[31mred", ""]
    assert [row["displayName"] for row in rows.values()] == ["Pump c-1", "Pump c-2", ""]
    assert json.loads(rows["c-1"]["properties.desired.fw"]) == {"version": 2}
    assert rows["c-1"]["devices.status"] == "enabled" and rows["c-gone"]["status"] == "completed"
    for row in rows.values():
        assert (row["fleetJobId"], row["fleetJobVersion"], row["run"], row["action"]) == ("columns", "1", "1", "twin")
        assert row["runStatus"] == "completed" and row["runEnded"].endswith("Z")
    assert "1 device has no twin in the hub, so that these cells are empty: c-gone." in ran.stderr
    assert "tags.sitee: no twin of 2 devices has it." in ran.stderr and "device-twin show" in ran.stderr


def test_rows_of_a_job_and_of_calls_have_them_too(job: ScenarioHub) -> None:
    names = ("deviceId", "jobType", "tags.site", "connectionState")
    columns = ("--columns", ",".join(names))
    rows = job.az.json("iot hub job results --job-id columns -n", job.name, *columns)
    assert rows[0] == dict(zip(names, ("c-1", "scheduleUpdateTwin", FORMULA, "Connected"), strict=True))
    words = f"iot hub invoke-device-method -n {job.name} --mn reboot --device-ids c-2,c-1"
    table = job.az.run(words, "--columns", "deviceId,tags.site", "-o", "table").stdout
    assert "Tags.site" in table and FORMULA in table and "\\x1b[31mred" in table and "\x1b" not in table


def test_a_column_that_no_twin_can_have_is_refused(jobs: FleetJobs) -> None:
    ran = jobs.run("results", "-j", "columns", "--columns", "deviceId,reported.fw")
    assert ran.code == 1 and "'reported.fw' is not a column" in ran.stderr and "properties.reported.fw" in ran.stderr
