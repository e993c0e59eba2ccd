"""Importing IoT Central's documents into a store: what is there counts, and nothing is saved in half."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.central.filter_condition import FilterChoices
from azext_iotjobs.central.report import SourceDocument
from azext_iotjobs.central.translation import translate
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadRequest, NotFound, WrongState
from azext_iotjobs.operations.fleet_job import definitions
from azext_iotjobs.operations.fleet_job.central_import import (
    Effect,
    ImportPolicy,
    ImportStep,
    plan_import,
    save_import,
)

HOST, OTHER_HOST = "h.example", "other.example"
NOW = datetime(2029, 12, 31, tzinfo=timezone.utc)
GROUP = {"id": "g1", "displayName": "North", "filter": 'SELECT * FROM devices WHERE $id = "pump-1"'}
JOB: dict[str, Any] = {"id": "light", "group": "g1", "data": [{"type": "property", "path": "light", "value": 45}]}
SCHEDULED = {**JOB, "id": "nightly", "schedule": {"start": "2030-01-01T02:00:00Z", "recurrence": "daily"}}
LATER = {**SCHEDULED, "schedule": {"start": "2030-01-01T03:00:00Z", "recurrence": "daily"}}
OVER = {**SCHEDULED, "schedule": {"start": "2020-01-01T02:00:00Z"}, "enabled": True}
SOUTH = {**GROUP, "filter": 'SELECT * FROM devices WHERE $id = "pump-2"'}


class Importing:
    """A store, and a hub of which each condition means three devices."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore.open(folder / "state")
        self.counted: list[str] = []

    def plan(self, *documents: Any, overwrite: bool = False, host: str = HOST) -> list[ImportStep]:
        translated = translate([SourceDocument("f", each) for each in documents], FilterChoices(), ())
        return plan_import(self.store, host, translated, self.count, ImportPolicy(overwrite, NOW))

    def save(self, steps: list[ImportStep], host: str = HOST) -> None:
        save_import(self.store, host, steps, by="ann", at=NOW, new_key=lambda: "aaaaaaaa")

    def effects(self, *documents: Any, **more: Any) -> list[Effect]:
        steps = self.plan(*documents, **more)
        self.save(steps, more.get("host", HOST))
        return [each.effect for each in steps]

    def count(self, condition: str) -> int:
        self.counted.append(condition)
        return 3


@pytest.fixture
def importing(tmp_path: Path) -> Importing:
    return Importing(tmp_path)


def test_what_is_new_is_saved_with_its_schedule(importing: Importing) -> None:
    steps = importing.plan(SCHEDULED, JOB, GROUP)
    assert [each.device_count for each in steps] == [3, None, None]
    importing.save(steps)
    store = importing.store
    assert [(each.host, each.name, each.condition) for each in store.groups.list_all()] == [
        (HOST, "North", "deviceId = 'pump-1'")
    ]
    assert store.definitions.get("light").definition.targets.group == "North"
    schedule = store.schedules.get("nightly")
    assert schedule is not None and schedule.store_key == "aaaaaaaa" and store.schedules.get("light") is None


def test_planning_saves_nothing(importing: Importing) -> None:
    importing.plan(GROUP, JOB, SCHEDULED)
    assert importing.store.definitions.list_all() == [] and importing.store.groups.list_all() == []


def test_the_same_again_is_unchanged(importing: Importing) -> None:
    assert importing.effects(GROUP, JOB, SCHEDULED) == [Effect.CREATED] * 3
    assert importing.effects(GROUP, JOB, SCHEDULED) == [Effect.UNCHANGED] * 3
    assert importing.store.definitions.get("light").version == 1
    assert importing.counted == ["deviceId = 'pump-1'"], "a query for what is new alone"


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        (({**JOB, "description": "x"},), "light is there, and differs in description"),
        (({**JOB, "batch": {"type": "number", "value": 5}, "displayName": "L"},), "differs in rollout, display name"),
        ((LATER,), "nightly is there, and differs in schedule"),
        ((SOUTH,), "a device group 'North' is there, with another condition: deviceId = 'pump-1'"),
    ],
)
def test_what_differs_is_refused_and_stays_until_it_may_be_overwritten(
    importing: Importing, changed: tuple[Any, ...], differs: str
) -> None:
    importing.effects(GROUP, JOB, SCHEDULED)
    before = _content(importing.store)
    documents = (*changed, *(each for each in (GROUP,) if changed != (SOUTH,)))
    (step,) = [each for each in importing.plan(*documents) if each.effect is Effect.REFUSED]
    assert differs in step.translated.reason and "overwrite" in step.translated.reason
    assert all(each.became is None for each in step.translated.members)
    importing.effects(*documents)
    assert _content(importing.store) == before
    assert Effect.OVERWRITTEN in importing.effects(*documents, overwrite=True)
    assert _content(importing.store) != before
    assert set(importing.effects(*documents)) == {Effect.UNCHANGED}


def test_a_job_of_a_group_that_is_refused_is_refused_but_not_one_that_is_there_already(importing: Importing) -> None:
    importing.effects(GROUP, JOB)
    steps = importing.plan(SOUTH, JOB, SCHEDULED)
    assert [each.effect for each in steps] == [Effect.REFUSED, Effect.UNCHANGED, Effect.REFUSED]
    assert steps[2].translated.reason == "its device group 'North' is not imported."


def test_a_condition_that_the_hub_cannot_read_is_refused(importing: Importing) -> None:
    def refusing(condition: str) -> int:
        raise BadRequest("no such word", status=400)

    importing.count = refusing  # type: ignore[method-assign]
    group, job = importing.plan(GROUP, JOB)
    assert group.translated.reason == "the hub cannot read its condition: no such word"
    assert (group.effect, job.effect) == (Effect.REFUSED, Effect.REFUSED)


def test_a_fleet_job_of_another_hub_stays(importing: Importing) -> None:
    importing.effects(GROUP, JOB, host=OTHER_HOST)
    group, job = importing.plan(GROUP, JOB, overwrite=True)
    assert (group.effect, job.effect) == (Effect.CREATED, Effect.REFUSED)
    assert "belongs to other.example" in job.translated.reason


def test_a_schedule_that_is_over_is_not_set_and_the_fleet_job_is_saved(importing: Importing) -> None:
    step = importing.plan(GROUP, OVER)[1]
    assert step.effect is Effect.CREATED
    (member,) = [each for each in step.translated.members if each.name.startswith(("schedule", "enabled"))]
    assert member.became is None and "no day and time that it means lies ahead" in member.note
    assert importing.effects(GROUP, OVER) == [Effect.CREATED] * 2
    assert importing.store.schedules.get("nightly") is None
    assert importing.effects(GROUP, OVER) == [Effect.UNCHANGED] * 2


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("recurrence", ["once", "daily", "weekly", "monthly"])
@pytest.mark.parametrize("end", [None, {"type": "occurrences", "occurrences": 999}])
def test_a_schedule_at_either_end_of_the_calendar_is_imported_or_over(
    importing: Importing, start: str, recurrence: str, end: Any
) -> None:
    schedule = {"start": start, "recurrence": recurrence, "end": end}
    assert importing.effects(GROUP, {**SCHEDULED, "schedule": schedule}) == [Effect.CREATED] * 2


def test_a_schedule_of_its_own_stays_where_none_is_imported(importing: Importing) -> None:
    importing.effects(GROUP, SCHEDULED)
    assert importing.effects(GROUP, {**SCHEDULED, "enabled": False}) == [Effect.UNCHANGED] * 2
    assert importing.store.schedules.get("nightly") is not None


def test_a_run_of_the_past_is_neither_saved_nor_a_fault(importing: Importing) -> None:
    assert importing.effects({**JOB, "scheduledJobId": "nightly"}) == [Effect.HISTORY]
    assert importing.store.definitions.list_all() == []


def test_all_is_saved_or_nothing(importing: Importing) -> None:
    steps = importing.plan(GROUP, JOB, SCHEDULED)
    other = steps[1].translated.wanted
    assert other is not None
    taken = definitions.create(importing.store, "nightly", HOST, other.definition, by="bob", at=NOW)  # type: ignore[union-attr]
    with pytest.raises(WrongState, match="Fleet job nightly was changed by somebody else meanwhile"):
        importing.save(steps)
    assert importing.store.definitions.list_all() == [taken]
    assert importing.store.groups.list_all() == []
    with pytest.raises(NotFound):
        importing.store.definitions.get("light")


def test_a_device_group_that_somebody_else_has_changed_meanwhile_stays(importing: Importing) -> None:
    importing.effects(GROUP, JOB)
    steps = importing.plan(SOUTH, JOB, overwrite=True)
    importing.store.groups.save(HOST, "North", "deviceId = 'pump-9'")
    with pytest.raises(WrongState, match="Device group 'North' was changed by somebody else meanwhile"):
        importing.save(steps)
    assert importing.store.groups.condition_of(HOST, "North") == "deviceId = 'pump-9'"


def _content(store: SqliteStore) -> list[Any]:
    jobs = store.definitions.list_all()
    return [*store.groups.list_all(), *((each, store.schedules.get(each.fleet_job_id)) for each in jobs)]
