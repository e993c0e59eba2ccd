"""Schedules of IoT Central's scheduled jobs become schedules in UTC."""

from datetime import date, datetime, time, timezone
from typing import Any

import pytest

from azext_iotjobs.central.job import job_of
from azext_iotjobs.central.report import MemberList, TranslatedMember
from azext_iotjobs.fleet_job.calendar import occurrences
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.schedule import Frequency, Schedule

START = "2022-10-24T22:29:01Z"  # a Monday


def imported(schedule: Any, **more: Any) -> tuple[Schedule | None, dict[str, TranslatedMember]]:
    data = [{"type": "cloudProperty", "path": "Company", "value": "Contoso"}]
    members = MemberList()
    document = {"id": "s", "group": "g", "data": data, "schedule": schedule, **more}
    wanted = job_of(document, "All", members)
    return wanted.schedule, {each.name: each for each in members.all()}


def scheduled(**schedule: Any) -> Schedule:
    found = imported({"start": START, **schedule})[0]
    assert found is not None
    return found


def due(schedule: Schedule, since: datetime, count: int) -> list[str]:
    found = occurrences(schedule, since, since)
    return [f"{at:%m-%d %H:%M}" for at, _ in zip(found, range(count), strict=False)]


def test_it_begins_at_its_start_in_utc_to_the_minute() -> None:
    schedule, members = imported({"start": START, "recurrence": "daily"})
    assert schedule is not None and (schedule.zone, schedule.rule.at) == ("UTC", time(22, 29))
    assert schedule.starts == datetime(2022, 10, 24, 22, 29)
    assert "seconds are left out" in members["schedule.start"].note


def test_another_offset_is_made_utc() -> None:
    schedule, members = imported({"start": "2022-10-25T00:30:00+02:00", "recurrence": "weekly"})
    assert schedule is not None and (schedule.rule.weekdays, schedule.rule.at) == ((0,), time(22, 30))
    assert members["schedule.start"].became == "2022-10-24 22:30" and "seconds" not in members["schedule.start"].note


@pytest.mark.parametrize(
    ("recurrence", "following"),
    [
        ("daily", ["10-24 22:29", "10-25 22:29", "10-26 22:29"]),
        ("Weekly", ["10-24 22:29", "10-31 22:29", "11-07 22:29"]),
        ("monthly", ["10-24 22:29", "11-24 22:29", "12-24 22:29"]),
        ("once", ["10-24 22:29"]),
        (None, ["10-24 22:29"]),
    ],
)
def test_it_is_due_when_it_was(recurrence: str | None, following: list[str]) -> None:
    before = datetime(2022, 10, 1, tzinfo=timezone.utc)
    assert due(scheduled(recurrence=recurrence), before, 3) == following


def test_a_day_that_short_months_do_not_have_is_noted() -> None:
    _, members = imported({"start": "2026-01-31T00:00:00Z", "recurrence": "monthly"})
    assert members["schedule.recurrence"] == (
        "schedule.recurrence",
        "monthly on day 31",
        "months without that day are passed over",
    )


@pytest.mark.parametrize("spelled", ["date", "DateJobScheduleEnd"])
def test_it_ends_with_a_day(spelled: str) -> None:
    schedule = scheduled(recurrence="daily", end={"type": spelled, "date": "2022-10-26"})
    assert schedule.ends == datetime(2022, 10, 26, 23, 59, 59)
    assert len(due(schedule, datetime(2022, 10, 1, tzinfo=timezone.utc), 9)) == 3


def test_it_ends_at_an_instant() -> None:
    schedule = scheduled(recurrence="daily", end={"type": "date", "date": "2022-10-26T00:00:00+00:00"})
    assert schedule.ends == datetime(2022, 10, 26)


@pytest.mark.parametrize("spelled", ["occurrences", "OccurrencesJobScheduleEnd"])
def test_it_ends_after_occurrences_counted_from_its_start(spelled: str) -> None:
    schedule = scheduled(recurrence="daily", end={"type": spelled, "occurrences": 3})
    assert due(schedule, datetime(2022, 10, 25, 12, tzinfo=timezone.utc), 9) == ["10-25 22:29", "10-26 22:29"]


def test_one_instant_has_no_end() -> None:
    schedule, members = imported({"start": START, "end": {"type": "occurrences", "occurrences": 1}})
    assert schedule is not None and schedule.rule.frequency is Frequency.ONCE
    assert schedule.rule.on_date == date(2022, 10, 24)
    assert members["schedule.end"].became is None


@pytest.mark.parametrize(
    ("more", "said"), [({"enabled": False}, "it is not enabled in IoT Central"), ({"completed": True}, "it has ended")]
)
def test_what_iot_central_does_not_run_gets_no_schedule(more: dict[str, Any], said: str) -> None:
    schedule, members = imported({"start": START, "recurrence": "daily"}, **more)
    assert schedule is None
    assert members["schedule"].became is None and said in members["schedule"].note
    assert not any(each.startswith("schedule.") for each in members)


def test_an_enabled_one_is_set() -> None:
    schedule, members = imported({"start": START}, enabled=True, completed=False, etag='"8800"')
    assert schedule is not None and members["enabled"] == ("enabled", "its schedule", "")
    assert members["completed"].became is None and members["etag"].note == "of IoT Central's own use"


def test_one_that_does_not_say_whether_it_is_enabled_is_set_with_a_note() -> None:
    schedule, members = imported({"start": START})
    assert schedule is not None and "the document does not say it" in members["enabled"].note


@pytest.mark.parametrize("member", ["enabled", "completed"])
def test_what_is_neither_true_nor_false_is_refused(member: str) -> None:
    with pytest.raises(UserError, match=f"{member} is text, and not true or false"):
        imported({"start": START}, **{member: "no"})


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({}, "schedule.start is missing"),
        ({"start": "tomorrow"}, "schedule.start.* is not an ISO 8601 instant"),
        ({"start": 5}, "schedule.start is missing, or no instant"),
        ({"start": START, "recurrence": "yearly"}, "'yearly' is none of once, daily, weekly, monthly"),
        ({"start": START, "recurrence": 1}, "schedule.recurrence is none of"),
        ({"start": START, "recurrence": "cron"}, "schedule.recurrence 'cron' is none of"),
        ({"start": START, "recurrence": "daily", "end": {}}, "schedule.end.type is none of"),
        ({"start": START, "recurrence": "daily", "end": {"type": "never"}}, "schedule.end.type is none of"),
        ({"start": START, "recurrence": "daily", "end": {"type": "date"}}, "schedule.end.date is missing"),
        ({"start": START, "recurrence": "daily", "end": {"type": "date", "date": "x"}}, "schedule.end.date"),
        ({"start": START, "recurrence": "daily", "end": {"type": "date", "date": "2022-10-01"}}, "lies before"),
        ({"start": START, "recurrence": "daily", "end": {"type": "occurrences"}}, "not a whole number"),
        (
            {"start": START, "recurrence": "daily", "end": {"type": "occurrences", "occurrences": 0}},
            "not a whole number",
        ),
        ({"start": START, "recurrence": "daily", "end": {"type": "occurrences", "occurrences": True}}, "not a whole"),
        ({"start": START, "recurrence": "daily", "end": "2022-12-30"}, "schedule.end is text, and not an object"),
        (["daily"], "schedule is a list, and not an object"),
    ],
)
def test_a_schedule_that_means_nothing_is_refused(schedule: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        imported(schedule)
