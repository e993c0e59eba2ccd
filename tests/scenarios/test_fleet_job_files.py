"""Fleet jobs as files: written, applied, changed and applied again, and taken to another folder."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.fleet_job_scenario import FleetJobs

FILE = """\
# yaml-language-server: $schema=fleet-job.schema.json
id: files-${ring}
displayName: Firmware ${version}
action:
  methodName: update
  payload: {version: "${version}", force: false}
targets:
  queryCondition: tags.ring = ${ring} AND tags.note = 'it"s'
batch: [1, 20%]
gates: {success: 95%}
verification: {condition: "properties.reported.fw = '${version}'"}
delivery: {concurrency: 20}
schedule:
  rule: {frequency: weekly, weekdays: [mon, thu], at: 02:30}
  timeZone: Europe/Berlin
---
id: files-light
action: {twinPatch: {properties: {desired: {light: ${light:-45}}}}}
targets: {deviceIds: [f-1]}
"""
SET = ("--set", "version=2.0.1", "ring=1")


@pytest.fixture(scope="module")
def place(hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> FleetJobs:
    hub.new_device("f-1")
    return FleetJobs(hub, tmp_path_factory.mktemp("files") / "state")


def outcomes(rows: Any) -> list[tuple[str, int]]:
    return [(each["applied"], each["version"]) for each in rows]


def test_a_file_is_applied_changed_and_taken_to_another_folder(place: FleetJobs, tmp_path: Path) -> None:
    hub, file = ("-n", place.hub.name), tmp_path / "job.yaml"
    file.write_text(FILE.replace("{light: ${light:-45}}", "{light: 45}"), encoding="utf-8")
    words = (*hub, "-f", str(file), *SET)
    planned = place.ok("apply", *words, "--dry-run")
    assert outcomes(planned) == [("created", 1), ("created", 1)] and not place.folder.exists()
    assert outcomes(place.ok("apply", *words)) == [("created", 1), ("created", 1)]
    assert outcomes(place.ok("apply", *words)) == [("unchanged", 1), ("unchanged", 1)]
    file.write_text(FILE.replace("{light: ${light:-45}}", "{light: 46}").replace("20%", "30%"), encoding="utf-8")
    changed = place.ok("apply", *words)
    assert outcomes(changed) == [("updated", 2), ("updated", 2)]
    assert [each["member"] for row in changed for each in row["changes"]] == [
        "batch",
        "action.twinPatch.properties.desired.light",
    ]
    shown = place.run("show", "-j", "files-1", "-o", "yaml")
    assert "Europe/Berlin" in shown.stdout and 'it"s' in shown.stdout
    same = place.ok("apply", "-f", "-", stdin=shown.stdout)
    assert outcomes(same) == [("unchanged", 2)]
    other = FleetJobs(place.hub, tmp_path / "other")
    assert outcomes(other.ok("apply", "-f", "-", stdin=shown.stdout)) == [("created", 1)]
    assert other.ok("schedule show", "-j", "files-1")["rule"]["weekdays"] == ["mon", "thu"]
    assert other.ok("apply", "-f", "-", stdin=shown.stdout.replace("Europe/Berlin", "UTC"))[0]["changes"] == [
        {"member": "schedule.timeZone", "from": "Europe/Berlin", "to": "UTC"}
    ]


def test_every_problem_of_a_file_is_said_with_its_place_and_nothing_is_written(
    place: FleetJobs, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "id: files-new\naction: {methodName: update}\ntargets: {queryCondition: '*'}\n---\n"
        'id: Wrong\nacton: {}\naction: {methodName: a}\ntargets: {queryCondition: "tags.a = \'x"}\n'
    )
    ran = place.run("apply", "-n", place.hub.name, "-f", str(file), "--set", "x=1")
    assert ran.code == 1
    text = " ".join(ran.stderr.split())
    for said in (f"{file}:5:5: id 'Wrong'", f"{file}:6:1: unknown key 'acton' (did you mean action?)", f"{file}:8:27:"):
        assert said in text, ran.stderr
    assert "--set x: the file has no ${x}" in text
    gone = place.run("show", "-j", "files-new")
    assert gone.code == 3


def test_what_the_hub_cannot_read_is_refused_at_its_place_before_anything_is_written(
    place: FleetJobs, tmp_path: Path
) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text(
        "id: files-fine\naction: {methodName: update}\ntargets: {queryCondition: '*'}\n---\n"
        "id: files-not\naction: {methodName: update}\ntargets: {queryCondition: 'tags.a = = 1'}\n"
        "verification: {condition: 'properties.reported.fw = 2'}\n---\n"
        "id: files-nor\naction: {methodName: update}\ntargets: {deviceIds: [f-1]}\n"
        "verification: {condition: 'properties.reported.fw = = 2'}\n"
    )
    ran = place.run("apply", "-n", place.hub.name, "-f", str(file))
    text = " ".join(ran.stderr.split())
    assert ran.code == 1 and f"{file}:7:27: targets.queryCondition: the hub cannot read this condition" in text, text
    assert f"{file}:13:27: verification.condition: the hub cannot read this condition" in text, text
    assert place.run("show", "-j", "files-fine").code == 3
