"""The wizard's API: a form is checked, reviewed with the hub's devices, and saved, with its schedule."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.operations.fleet_job.planning import host_of
from tests.helpers.console import ServedConsole, served

FORM = {"id": "night", "action.methodName": "reboot", "targets.queryCondition": "tags.site = 'north'"}
DAILY = {"schedule.rule.frequency": "daily", "schedule.rule.at": "02:30", "schedule.timeZone": "Europe/Berlin"}


@pytest.fixture
def console(tmp_path: Path, pumps: HubClient) -> Iterator[ServedConsole]:
    with served(tmp_path, hub=pumps) as running:
        running.sign_in()
        yield running


@pytest.fixture
def store(console: ServedConsole, tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(tmp_path / "state", Access.MAKE)
    yield opened
    opened.close()


def ask(console: ServedConsole, what: str, form: dict[str, str], **more: str) -> Any:
    answer = console.post(f"/api/job-form/{what}", {"form": form, **more})
    assert answer.status == 200, answer.body
    return answer.json


def problems(answer: Any) -> dict[str, str]:
    return {each["field"]: each["text"] for each in answer["problems"]}


def test_a_form_is_checked_without_the_hub(console: ServedConsole) -> None:
    found = ask(console, "check", {**FORM, **DAILY})
    assert found == {
        "problems": [],
        "lines": [
            "az iot hub fleet-job create --method-name reboot --query-condition \"tags.site = 'north'\" -j night",
            "az iot hub fleet-job schedule set --daily --at 02:30 --time-zone Europe/Berlin -j night",
        ],
    }
    wrong = ask(console, "check", {**FORM, "batch": "no", "delivery.rate": "-1"})
    assert set(problems(wrong)) == {"batch", "delivery.rate"} and wrong["lines"] == []


def test_a_review_says_how_many_devices_there_are_and_names_some(console: ServedConsole) -> None:
    found = ask(console, "review", {**FORM, "batch": "3", "targets.excluded": "pump-00", **DAILY})
    assert found["preview"]["devices"] == 6 and found["preview"]["batchSizes"] == [3, 3]
    assert sorted(found["preview"]["sample"]) == [f"pump-{number:02}" for number in range(1, 7)]
    assert found["preview"]["driver"] in ("jobs", "calls") and len(found["next"]) == 5
    fewer = ask(console, "review", {**FORM, "targets.samplePercent": "50"})["preview"]
    assert (fewer["selected"], fewer["devices"]) == (7, 4)
    none = ask(console, "review", {**FORM, "targets.queryCondition": "tags.site = 'west'"})["preview"]
    assert (none["devices"], none["sample"], none["batches"]) == (0, [], 0)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"targets.queryCondition": "tags.site ="}, "targets.queryCondition"),
        ({"targets.queryCondition": ""}, "targets.queryCondition"),
        ({"verification.condition": "nonsense("}, "verification.condition"),
        ({"gates.query.condition": "nonsense(", "gates.query.max": "1"}, "gates.query.condition"),
        ({**DAILY, "schedule.ends": "2020-01-01"}, "schedule"),
        ({**DAILY, "schedule.timeZone": "Mars/Olympus"}, "schedule.timeZone"),
    ],
)
def test_what_is_refused_is_said_at_its_field_and_nothing_is_saved(
    console: ServedConsole, store: SqliteStore, form: dict[str, str], field: str
) -> None:
    for what in ("review", "save"):
        assert list(problems(ask(console, what, {**FORM, **form}))) == [field]
    with pytest.raises(NotFound):
        store.definitions.get("night")


def test_a_group_that_is_not_there_and_an_id_that_is_taken(console: ServedConsole, store: SqliteStore) -> None:
    assert ask(console, "save", FORM)["id"] == "night"
    grouped = {"id": "night", "action.methodName": "reboot", "targets.group": "pumps"}
    assert set(problems(ask(console, "check", grouped))) == {"id", "targets"}


def test_the_first_fleet_job_of_all_is_saved_with_its_schedule(
    console: ServedConsole, tmp_path: Path, pumps: HubClient
) -> None:
    assert not (tmp_path / "state").exists()
    assert ask(console, "save", {**FORM, **DAILY, "displayName": "At night"}) == {
        "problems": [],
        "lines": [],
        "id": "night",
    }
    store = SqliteStore.open(tmp_path / "state", Access.READ)
    job, stored = store.definitions.get("night"), store.schedules.get("night")
    store.close()
    assert (job.host, job.display_name, job.version, job.origin) == (host_of(pumps), "At night", 1, None)
    assert stored is not None and stored.schedule.zone == "Europe/Berlin"


def test_an_edit_makes_a_version_and_what_somebody_else_has_changed_stays(
    console: ServedConsole, store: SqliteStore
) -> None:
    ask(console, "save", {**FORM, **DAILY})
    begun = console.get("/api/job-form?edit=night").json
    assert begun["form"]["schedule.rule.at"] == "02:30" and begun["form"]["targets.queryCondition"].endswith("'north'")
    unscheduled = {name: text for name, text in begun["form"].items() if not name.startswith("schedule.")}
    edited = {**unscheduled, "batch": "2"}
    assert ask(console, "check", edited, edit="night")["lines"] == [
        "az iot hub fleet-job update --batch 2 -j night",
        "az iot hub fleet-job schedule remove -j night",
    ]
    ask(console, "save", edited, edit="night", seen=begun["seen"])
    assert store.definitions.get("night").version == 2 and store.schedules.get("night") is None
    late = console.post(
        "/api/job-form/save", {"form": {**edited, "batch": "3"}, "edit": "night", "seen": begun["seen"]}
    )
    assert late.status == 409 and "somebody else" in late.json["error"]["message"]
    assert store.definitions.get("night").version == 2
    renamed = ask(console, "check", {**edited, "id": "day"}, edit="night")
    assert list(problems(renamed)) == ["id"]


def test_a_copy_has_a_name_and_an_id_of_its_own_and_says_of_what_it_is(
    console: ServedConsole, store: SqliteStore
) -> None:
    ask(console, "save", {**FORM, **DAILY, "displayName": "At night"})
    begun = console.get("/api/job-form?copy=night").json
    assert (begun["form"]["displayName"], begun["form"]["id"]) == ("At night Copy", "night-copy")
    assert not any(name.startswith("schedule.") for name in begun["form"])
    assert ask(console, "save", begun["form"], copy="night")["id"] == "night-copy"
    copy = store.definitions.get("night-copy")
    assert copy.origin is not None and (copy.origin.fleet_job_id, copy.origin.how) == ("night", "copy")


def test_forms_are_of_texts_and_nothing_is_saved_read_only(tmp_path: Path, pumps: HubClient) -> None:
    with served(tmp_path, hub=pumps, is_read_only=True) as console:
        console.sign_in()
        assert console.post("/api/job-form/save", {"form": FORM}).status == 403
        assert console.get("/api/job-form").json["form"] == {}
    with served(tmp_path, hub=pumps) as console:
        console.sign_in()
        assert console.post("/api/job-form/check", {"form": {"id": 5}}).status == 400
    assert not (tmp_path / "state").exists()


def test_without_a_hub_nothing_new_is_made(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        console.sign_in()
        assert "without a hub" in console.get("/api/job-form").json["error"]["message"]
