"""What `apply` does to stored fleet jobs: at the handler, on real stores, where no hub has to be asked."""

import sqlite3
from dataclasses import replace
from datetime import datetime, time, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job import read
from azext_iotjobs.cli.fleet_job.apply import apply
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.tables import applied
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError, WrongState
from azext_iotjobs.model.fleet_job import Action, Definition, FleetJob, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.schedule import Frequency, Rule, Schedule
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet_job import definitions as operation
from azext_iotjobs.operations.fleet_job.schedule import saved

CMD = SimpleNamespace()
NOW = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)
METHOD = MethodCall(name="reboot", response_timeout_s=30, connect_timeout_s=30)
DEFINITION = Definition(action=Action(method=METHOD), targets=Targets(selection=Selection(device_ids=("d1",))))
OURS = "description: ours\n"
DAILY = Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(2, 30)), zone="UTC")


def text(fleet_job_id: str, more: str = "") -> str:
    return f"id: {fleet_job_id}\naction: {{methodName: reboot}}\ntargets: {{deviceIds: [d1]}}\n{more}"


class Place:
    """A state folder with the fleet jobs a and b, and a file to apply to them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder / "state", folder / "job.yaml"
        store = SqliteStore.open(self.folder)
        for name in "ab":
            operation.create(store, name, "h.example", DEFINITION, by="me", at=NOW)
        saved.set_schedule(store, "a", DAILY, by="me", at=NOW, new_key=lambda: "abcdefgh")
        store.close()

    def apply(self, content: str, *, dry_run: bool = False, hub: str | None = None) -> list[dict[str, Any]]:
        self.file.write_text(content, encoding="utf-8")
        access = Access.READ if dry_run else Access.MAKE
        context = FleetJobContext(None, {"our_hub_name": hub}, str(self.folder), None, access)
        return apply(CMD, context, str(self.file), dry_run=dry_run)

    def shown(self, name: str) -> dict[str, Any]:
        return read.show(CMD, FleetJobContext(None, {}, str(self.folder), None, Access.READ), name)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def outcomes(rows: list[dict[str, Any]]) -> list[tuple[str, int, list[str]]]:
    return [(each["applied"], each["version"], [change["member"] for change in each["changes"]]) for each in rows]


def test_what_is_as_the_file_says_is_unchanged_and_no_hub_is_asked(place: Place) -> None:
    content = f"{text('a')}---\n{text('b')}"
    assert outcomes(place.apply(content)) == [("unchanged", 1, []), ("unchanged", 1, [])]


def test_a_change_makes_a_version_once_and_what_the_file_leaves_out_is_as_in_a_new_fleet_job(place: Place) -> None:
    content = text("b", "delivery: {rate: 5}\ndescription: why\n")
    for dry_run in (True, False):
        (row,) = place.apply(content, dry_run=dry_run)
        assert row["dryRun"] is dry_run and row["hub"] == "h.example"
        assert outcomes([row]) == [("updated", 2, ["description", "delivery.rate"])]
        assert place.shown("b")["version"] == (1 if dry_run else 2)
    assert row["changes"][1] == {"member": "delivery.rate", "from": None, "to": 5.0}
    assert outcomes(place.apply(content)) == [("unchanged", 2, [])]
    assert outcomes(place.apply(text("b"))) == [("updated", 3, ["description", "delivery.rate"])]


def test_a_schedule_stays_changes_goes_and_comes_without_a_new_version(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    assert place.shown("a")["schedule"]["rule"]["at"] == "02:30" and place.shown("b")["schedule"] is None
    later = "schedule: {rule: {frequency: daily, at: 03:00}, timeZone: UTC}\n"
    assert outcomes(place.apply(text("a"))) == [("unchanged", 1, [])]
    assert outcomes(place.apply(text("a", later))) == [("updated", 1, ["schedule.rule.at"])]
    assert "as `schedule export` does" in caplog.text
    assert outcomes(place.apply(text("a", "schedule: null\n"))) == [("updated", 1, ["schedule"])]
    assert outcomes(place.apply(text("a", "schedule: null\n"))) == [("unchanged", 1, [])]
    assert outcomes(place.apply(text("a", later))) == [("updated", 1, ["schedule"])]
    assert place.shown("a")["schedule"]["rule"]["at"] == "03:00"


@pytest.mark.parametrize(
    ("second", "error", "said"),
    [
        (text("b", "batch: 0\n"), BadValue, r"job.yaml:9:8: batch"),
        (text("b", "hub: other.example\n"), ConflictingChoice, "is of other.example, and .* belongs to h.example"),
        (
            text("b", "schedule: {rule: {frequency: once, date: 2020-01-01, at: 1:00}, timeZone: UTC}\n"),
            BadValue,
            "job.yaml:9:11: schedule: This schedule has no occurrence",
        ),
    ],
)
def test_nothing_is_written_when_a_later_document_is_refused(
    place: Place, second: str, error: type[IotJobsError], said: str
) -> None:
    with pytest.raises(error, match=said):
        place.apply(f"{text('a', OURS)}---\n{second}")
    assert place.shown("a")["version"] == 1


def test_a_file_is_not_applied_to_the_fleet_job_of_another_hub(place: Place) -> None:
    with pytest.raises(ConflictingChoice, match="belongs to h.example, but other is given"):
        place.apply(text("a", "description: new"), hub="other")
    assert outcomes(place.apply(text("a", "hub: h.example"), hub="h.example")) == [("unchanged", 1, [])]


def test_a_display_name_that_is_the_id_is_none(place: Place) -> None:
    assert outcomes(place.apply(text("b", "displayName: b"))) == [("unchanged", 1, [])]


def test_a_display_name_that_was_saved_as_the_id_makes_no_version(place: Place) -> None:
    store = SqliteStore.open(place.folder)
    operation.create(store, "c", "h.example", replace(DEFINITION, display_name="c"), by="me", at=NOW)
    store.close()
    assert outcomes(place.apply(text("c", "displayName: c"))) == [("unchanged", 1, [])]
    assert place.shown("c")["version"] == 1


def test_a_row_of_the_table_says_what_changes(place: Place) -> None:
    rows = applied(place.apply(text("b", "delivery: {rate: 5}\n"), dry_run=True))
    assert rows == [
        {"Id": "b", "Hub": "h.example", "Applied": "would be updated", "Version": "2", "Changes": "delivery.rate"}
    ]


class ChangingContext(FleetJobContext):
    """Somebody else edits a fleet job once this process has read it."""

    def check(self, job: FleetJob) -> None:
        store = SqliteStore.open(self.state_folder)
        other = replace(DEFINITION, description="of somebody else")
        operation.edit(store, job.fleet_job_id, other, by="you", at=NOW)
        store.close()


def test_what_somebody_else_has_changed_meanwhile_is_not_written_over(place: Place) -> None:
    place.file.write_text(f"{text('a', OURS)}---\n{text('b', OURS)}", encoding="utf-8")
    context = ChangingContext(None, {}, str(place.folder), None, Access.MAKE)
    with pytest.raises(WrongState, match="a was changed by somebody else meanwhile. Nothing was saved"):
        apply(CMD, context, str(place.file))
    assert [place.shown(name)["description"] for name in "ab"] == ["of somebody else"] * 2


def test_all_of_a_file_is_written_or_nothing(place: Place) -> None:
    database = sqlite3.connect(place.folder / FILE_NAME)
    database.execute("CREATE TRIGGER full BEFORE INSERT ON schedule BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    database.commit()
    database.close()
    schedule = "schedule: {rule: {frequency: daily, at: 03:00}, timeZone: UTC}\n"
    with pytest.raises(IotJobsError):
        place.apply(f"{text('a', OURS)}---\n{text('b', schedule)}")
    assert place.shown("a")["version"] == 1 and place.shown("a")["description"] == ""


@pytest.mark.parametrize("hub", ['""', '" "', '"HostName=h;SharedAccessKeyName=n;SharedAccessKey=c2VjcmV0"'])
def test_a_hub_that_is_no_name_is_a_problem_of_the_file(place: Place, hub: str) -> None:
    with pytest.raises(BadValue, match=r"job\.yaml:4:6: hub: give the name of a hub") as raised:
        place.apply(text("c", f"hub: {hub}\n"))
    assert "c2VjcmV0" not in str(raised.value)
