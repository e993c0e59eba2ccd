"""Schedules as values: what does not fit together is refused, by the name of what is wrong."""

from datetime import date, datetime, time
from typing import Any

import pytest

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, UserError
from azext_iotjobs.model.schedule import LAST_DAY, Frequency, Rule, Schedule, Window, is_within

DAILY = Rule(frequency=Frequency.DAILY, at=time(2, 30))
ONCE = Rule(frequency=Frequency.ONCE, at=time(2), on_date=date(2026, 12, 1))


def schedule(rule: Rule = DAILY, **more: Any) -> Schedule:
    return Schedule(rule=rule, zone="UTC", **more)


@pytest.mark.parametrize(
    ("made", "kind", "named"),
    [
        (lambda: Rule(frequency=Frequency.DAILY), MissingChoice, "at"),
        (lambda: Rule(frequency=Frequency.CRON, at=time(2), cron="0 2 * * *"), ConflictingChoice, "cron"),
        (lambda: Rule(frequency=Frequency.CRON), MissingChoice, "cron"),
        (lambda: Rule(frequency=Frequency.WEEKLY, at=time(2)), MissingChoice, "weekly"),
        (lambda: Rule(frequency=Frequency.WEEKLY, at=time(2), weekdays=(7,)), BadValue, "weekly"),
        (lambda: Rule(frequency=Frequency.MONTHLY, at=time(2)), MissingChoice, "monthly"),
        (lambda: Rule(frequency=Frequency.MONTHLY, at=time(2), month_days=(1, 32)), BadValue, "monthly"),
        (lambda: Rule(frequency=Frequency.MONTHLY, at=time(2), month_days=(0,)), BadValue, "monthly"),
        (lambda: Rule(frequency=Frequency.ONCE, at=time(2)), MissingChoice, "once"),
        (lambda: schedule(ends=datetime(2027, 1, 1), times=3), ConflictingChoice, "ends"),
        (lambda: schedule(ONCE, times=3), ConflictingChoice, "once"),
        (lambda: schedule(times=0), BadValue, "times"),
        (lambda: schedule(starts=datetime(2027, 1, 1), ends=datetime(2026, 1, 1)), BadValue, "ends"),
        (lambda: schedule(jitter_s=13 * 3600.0), BadValue, "jitter_s"),
        (lambda: schedule(catch_up_s=0.0), BadValue, "catch_up_s"),
        (lambda: schedule(catch_up_s=31 * 86400.0), BadValue, "catch_up_s"),
        (lambda: schedule(window=Window(time(2), time(2))), BadValue, "window"),
        (lambda: schedule(window=Window(time(3), time(4))), BadValue, "at"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(made: Any, kind: type[UserError], named: str) -> None:
    with pytest.raises(kind) as caught:
        made()
    assert caught.value.field == named


def test_what_fits_is_taken() -> None:
    assert Rule(frequency=Frequency.MONTHLY, at=time(0), month_days=(1, 15, LAST_DAY)).month_days == (1, 15, -1)
    assert schedule(window=Window(time(22), time(4))).window == Window(time(22), time(4))


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        (Window(time(2), time(4)), (time(2), time(3, 59, 59)), (time(1, 59), time(4))),
        (Window(time(22), time(4)), (time(22), time(23, 59), time(0), time(3, 59)), (time(4), time(21, 59))),
    ],
)
def test_a_window_is_open_from_its_opening_until_before_it_shuts(
    window: Window, inside: tuple[time, ...], outside: tuple[time, ...]
) -> None:
    assert all(is_within(window, each) for each in inside)
    assert not any(is_within(window, each) for each in outside)
