"""Schedules as they are typed: what is meant is taken, and what would be left unsaid is refused."""

from datetime import datetime, time, timezone
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job.schedule.options import RuleOptions, ScheduleOptions
from azext_iotjobs.cli.fleet_job.schedule.read import say_next
from azext_iotjobs.fleet_job.calendar import occurrences
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, UserError
from azext_iotjobs.model.schedule import Schedule


def typed(rule: dict[str, Any], **more: Any) -> Schedule:
    return ScheduleOptions(due=RuleOptions(**{"time_zone": "UTC"} | rule), **more).schedule()


START = datetime(2027, 1, 29, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("rule", "more", "days"),
    [
        ({"once": "2027-02-01"}, {}, ["02-01"]),
        ({"daily": True}, {"starts": "2027-02-01", "ends": "2027-02-03"}, ["02-01", "02-02", "02-03"]),
        ({"weekly": "mon,thu"}, {"times": 3}, ["02-01", "02-04", "02-08"]),
        ({"monthly": "1,last"}, {"times": 3}, ["01-31", "02-01", "02-28"]),
    ],
)
def test_one_time_daily_weekly_and_monthly_from_a_day_to_a_day_or_so_many_times(
    rule: dict[str, Any], more: dict[str, Any], days: list[str]
) -> None:
    schedule = typed({"at": "02:30", "time_zone": "Europe/Berlin"} | rule, **more)
    found = list(occurrences(schedule, START, START))
    assert [f"{each:%m-%d}" for each in found] == days
    assert {f"{each:%H:%M}" for each in found} == {"01:30"}, "of the schedule's zone; in UTC an hour earlier"


@pytest.mark.parametrize("offset", ["+05:00", "-0330", "+00:00"])
def test_an_offset_of_a_date_and_time_is_refused_and_named(offset: str) -> None:
    with pytest.raises(BadValue) as caught:
        typed({"once": f"2027-12-01T02:00{offset}"})
    assert f"leave {offset} out, and name the zone" in str(caught.value) and "--time-zone" in (caught.value.hint or "")


def test_z_is_utc() -> None:
    assert typed({"once": "2027-12-01T02:00Z", "time_zone": None}).zone == "UTC"


def test_a_date_alone_is_due_when_its_window_opens() -> None:
    assert typed({"once": "2027-12-01"}, window="02:00-04:00").rule.at == time(2)
    assert typed({"once": "2027-12-01", "at": "03:00"}, window="02:00-04:00").rule.at == time(3)
    assert typed({"once": "2027-12-01T03:30"}, window="02:00-04:00").rule.at == time(3, 30)


@pytest.mark.parametrize("days", ["monthly", "monkey", "mo", "m", "mond", "thur", "mon,sunny"])
def test_what_only_begins_like_a_day_is_no_day(days: str) -> None:
    with pytest.raises(BadValue, match="--weekly"):
        typed({"weekly": days, "at": "02:30"})


def test_days_have_three_letters_or_their_whole_names() -> None:
    assert typed({"weekly": "Monday, thu,SUN", "at": "02:30"}).rule.weekdays == (0, 3, 6)


def test_who_catches_nothing_up_says_no_time_for_it() -> None:
    daily = {"daily": True, "at": "02:30"}
    with pytest.raises(ConflictingChoice, match="--catch-up"):
        typed(daily, missed="skip", catch_up="2h")
    assert typed(daily, missed="once", catch_up="2h").catch_up_s == 7200


@pytest.mark.parametrize(
    ("at", "jitter", "kind"),
    [("03:30", "30m", BadValue), ("03:30", "29m", None), ("02:00", "2h", BadValue), ("02:00", "119m", None)],
)
def test_a_delay_that_leads_out_of_the_window_is_refused(at: str, jitter: str, kind: type[UserError] | None) -> None:
    rule = {"daily": True, "at": at}
    if kind is None:
        assert typed(rule, window="02:00-04:00", jitter=jitter).jitter_s > 0
        return
    with pytest.raises(kind, match="jitter"):
        typed(rule, window="02:00-04:00", jitter=jitter)


def test_so_is_one_past_midnight() -> None:
    rule = {"daily": True, "at": "23:30"}
    assert typed(rule, window="22:00-04:00", jitter="4h").jitter_s == 4 * 3600
    with pytest.raises(BadValue, match="jitter"):
        typed(rule, window="22:00-04:00", jitter="270m")


@pytest.mark.parametrize("zone", [None, "", " "])
def test_times_without_a_zone_are_refused(zone: str | None) -> None:
    with pytest.raises(MissingChoice, match="--time-zone"):
        typed({"daily": True, "at": "02:30", "time_zone": zone})


def test_whoever_sees_when_it_is_due_next_is_told_how_much_later_it_starts(caplog: pytest.LogCaptureFixture) -> None:
    soon = {"local": "2027-12-01T02:00:00+01:00", "utc": "2027-12-01T01:00:00Z", "zone": "CET"}
    document = {"description": "daily at 02:00", "timeZone": "Europe/Berlin", "delaySeconds": 5519.0, "next": [soon]}
    say_next(document)
    assert "daily at 02:00, Europe/Berlin, each 1:31:59 later. Next:" in caplog.text
