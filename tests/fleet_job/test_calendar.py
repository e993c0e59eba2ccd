"""Occurrences against a plain meaning: every minute around each change of the clocks, as a zone's clocks show it."""

import random
import zoneinfo
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from azext_iotjobs.fleet_job.calendar import check_rule, described, next_opening, occurrences, window_at, zone_of
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.schedule import LAST_DAY, Frequency, Rule, Schedule, Window
from tests.helpers.short_form import IN_FULL

UTC = timezone.utc
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FROM, TO = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
SEED = random.SystemRandom().randrange(10**6) if IN_FULL else 7
# Half an hour, three quarters, months of fasting, winter as the exception, none at all.
ODD = ["Australia/Lord_Howe", "Pacific/Chatham", "Africa/Casablanca", "Europe/Dublin", "America/Nuuk", "Asia/Kathmandu"]


def zones() -> list[str]:
    """Every zone, or some of them."""
    every = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
    some = sorted({*ODD, *random.Random(SEED).sample(every, 4)})
    return every if IN_FULL else some


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """When its clocks change: the first minute with another offset."""
    days = [FROM + number * DAY for number in range((TO - FROM).days + 1)]
    for before, after in pairwise(days):
        low, high = before, after
        if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
            continue
        while high - low > MINUTE:
            middle = low + (high - low) // MINUTE // 2 * MINUTE
            is_before = middle.astimezone(zone).utcoffset() == before.astimezone(zone).utcoffset()
            low, high = (middle, high) if is_before else (low, middle)
        yield high


class Clocks:
    """What clocks show in each minute around a change."""

    def __init__(self, zone: ZoneInfo, change: datetime) -> None:
        self.begins = change - DAY - 12 * 60 * MINUTE
        self.minutes = [self.begins + number * MINUTE for number in range(3 * 24 * 60)]
        self.shown = [each.astimezone(zone).replace(tzinfo=None, fold=0) for each in self.minutes]
        self.firsts: dict[datetime, datetime] = {}
        for at, shown in zip(self.minutes, self.shown, strict=True):
            self.firsts.setdefault(shown, at)

    def first(self, wall: datetime) -> datetime:
        """The first minute that shows a time, or else the first that shows a later one."""
        return self.firsts.get(wall) or next(
            at for at, shown in zip(self.minutes, self.shown, strict=True) if shown > wall
        )

    def of(self, times: list[time]) -> list[datetime]:
        """When these times of each day are, but for the days at both ends, of which not all minutes are here."""
        days = sorted({each.date() for each in self.shown})[1:-1]
        return sorted({self.first(datetime.combine(day, at)) for day in days for at in times})


def made(rule: Rule, zone: str, **more: Any) -> Schedule:
    return Schedule(rule=rule, zone=zone, **more)


def daily(at: time) -> Rule:
    return Rule(frequency=Frequency.DAILY, at=at)


def cron(text: str) -> Rule:
    return Rule(frequency=Frequency.CRON, cron=text)


def found(schedule: Schedule, first: datetime, last: datetime) -> list[datetime]:
    """Its occurrences from `first` to `last`, both inclusive."""
    since = first - DAY
    all_of_them = occurrences(schedule, since, first - timedelta(seconds=1))
    result = []
    for each in all_of_them:
        if each > last:
            break
        result.append(each)
    return result


@pytest.mark.parametrize("name", zones())
def test_around_every_change_of_the_clocks_occurrences_are_where_the_clocks_first_show_them(name: str) -> None:
    zone = ZoneInfo(name)
    chance = random.Random(f"{SEED} {name}")
    for change in changes(zone):
        clocks = Clocks(zone, change)
        near = change.astimezone(zone) + chance.randrange(-90, 90) * MINUTE
        for at in (time(near.hour, near.minute), time(2, 30), time(chance.randrange(24), chance.randrange(60))):
            expected = clocks.of([at])
            assert found(made(daily(at), name), expected[0], expected[-1]) == expected, (name, change, at)
        step = chance.choice((7, 15, 30))
        times = [time(hour, minute) for hour in range(24) for minute in range(0, 60, step)]
        expected = clocks.of(times)
        every = cron(f"*/{step} * * * *")
        assert found(made(every, name), expected[0], expected[-1]) == expected, (name, change, step)


def test_a_skipped_hour_runs_at_the_first_instant_after_and_a_doubled_hour_once() -> None:
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    half_past_two = made(daily(time(2, 30)), "Europe/Berlin")
    assert found(half_past_two, spring, spring + DAY) == [spring.replace(hour=1)], "02:30 is skipped: 03:00 there"
    assert found(half_past_two, autumn, autumn + DAY - MINUTE) == [autumn.replace(hour=0, minute=30)], "the first 02:30"


def plain_days(rule: Rule, first: date, count: int) -> list[date]:
    """The days of a rule, one by one."""
    days = [first + number * DAY for number in range(count)]
    if rule.frequency is Frequency.WEEKLY:
        return [each for each in days if each.weekday() in rule.weekdays]
    last = [each for each in days if (each + DAY).day == 1]
    return [each for each in days if each.day in rule.month_days or (LAST_DAY in rule.month_days and each in last)]


@pytest.mark.parametrize("seed", range(200 if IN_FULL else 20))
def test_weekly_and_monthly_days_are_those_of_a_plain_calendar(seed: int) -> None:
    chance = random.Random(f"{SEED} {seed}")
    at = time(chance.randrange(24), chance.randrange(60))
    weekdays = tuple(sorted(chance.sample(range(7), chance.randrange(1, 7))))
    month_days = tuple(sorted(chance.sample([LAST_DAY, *range(1, 32)], chance.randrange(1, 5))))
    first = date(2024, 1, 1) + chance.randrange(2000) * DAY
    for rule in (
        Rule(frequency=Frequency.WEEKLY, at=at, weekdays=weekdays),
        Rule(frequency=Frequency.MONTHLY, at=at, month_days=month_days),
    ):
        expected = [datetime.combine(each, at, UTC) for each in plain_days(rule, first, 800)]
        since = datetime.combine(first, time(0), UTC)
        got = list(islice(occurrences(made(rule, "UTC"), since, since - MINUTE), len(expected)))
        assert got == expected, rule


def test_it_ends_with_its_last_day_or_after_so_many_times() -> None:
    start = datetime(2026, 12, 1)
    since = datetime(2026, 11, 29, 12, tzinfo=UTC)
    three = made(daily(time(2)), "Europe/Berlin", starts=start, times=3)
    assert [each.day for each in occurrences(three, since, since)] == [1, 2, 3]
    behind = datetime(2026, 12, 2, 1, tzinfo=UTC)
    assert [each.day for each in occurrences(three, since, behind)] == [3], "counted from its start, not from now"
    until = made(daily(time(2)), "Europe/Berlin", starts=start, ends=datetime(2026, 12, 2, 2))
    assert [each.day for each in occurrences(until, since, since)] == [1, 2], "the end counts"
    once = made(Rule(frequency=Frequency.ONCE, at=time(2), on_date=date(2026, 12, 1)), "Europe/Berlin")
    assert list(occurrences(once, since, since)) == [datetime(2026, 12, 1, 1, tzinfo=UTC)]
    assert list(occurrences(once, since, behind)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("0 2 * *", "five fields"), ("0 0 2 * * *", "5 fields"), ("61 2 * * *", "minute"), ("0 2 31 2 *", "day")],
)
def test_a_cron_expression_that_means_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadValue) as caught:
        check_rule(cron(text))
    assert caught.value.field == "cron" and said in f"{caught.value} {caught.value.hint}".lower()


@pytest.mark.parametrize("name", ["Berlin", "", "../etc/passwd", "/etc/passwd", "Europe/Berlin\n", "CEST "])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(BadValue, match="time_zone"):
        zone_of(name)


def test_a_window_is_open_between_its_hours_there_also_past_midnight() -> None:
    berlin = zone_of("Europe/Berlin")
    night = Window(time(22), time(4))
    at = datetime(2026, 12, 1, 1, tzinfo=UTC)  # 02:00 there
    hours = window_at(night, berlin, at)
    assert hours is not None
    assert (hours.opens_at, hours.shuts_at) == (at.replace(day=30, month=11, hour=21), at.replace(hour=3))
    assert window_at(night, berlin, hours.shuts_at) is None, "it is shut at its end"
    assert window_at(night, berlin, hours.opens_at) == hours
    assert next_opening(night, berlin, hours.shuts_at) == at.replace(hour=21)


def test_a_window_that_the_clocks_skip_does_not_open_that_day() -> None:
    berlin = zone_of("Europe/Berlin")
    short = Window(time(2), time(3))
    skipped = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert window_at(short, berlin, skipped) is None
    assert next_opening(short, berlin, skipped) == datetime(2026, 3, 30, 0, tzinfo=UTC)


def test_rules_are_said_in_words() -> None:
    assert described(Rule(frequency=Frequency.WEEKLY, at=time(2, 30), weekdays=(0, 3))) == "weekly on mon, thu at 02:30"
    assert described(Rule(frequency=Frequency.MONTHLY, at=time(2), month_days=(1, -1))) == "monthly on 1, last at 02:00"
