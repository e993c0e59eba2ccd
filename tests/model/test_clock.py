from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.model.clock import SteadyClock, parse_instant, render_instant
from azext_iotjobs.model.errors import BadValue
from tests.helpers.clock_double import START, ClockDouble

EIGHT = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T08:00:00Z",
        "2026-12-01T08:00Z",
        "2026-12-01t08:00:00z",
        "2026-12-01 08:00:00Z",
        "2026-12-01T08:00:00 +00:00",
        "2026-12-01T10:00:00+02:00",
        "2026-12-01T10:00:00+0200",
        "2026-12-01T02:30:00-05:30",
        "2026-12-01T08:00:00.0000000Z",
        "2026-12-01T08:00:00,0Z",
        " 2026-12-01T08:00:00Z\n",
    ],
)
def test_the_usual_spellings_of_an_instant_are_read(text: str) -> None:
    instant = parse_instant(text)
    assert (instant.at, instant.assumed_utc) == (EIGHT, False)


@pytest.mark.parametrize("text", ["2026-12-01T08:00:00", "2026-12-01 08:00"])
def test_an_instant_without_offset_is_utc_and_says_so(text: str) -> None:
    instant = parse_instant(text)
    assert (instant.at, instant.assumed_utc) == (EIGHT, True)


def test_a_date_alone_is_its_midnight() -> None:
    assert parse_instant("2026-12-01").at == EIGHT - timedelta(hours=8)


def test_seven_fraction_digits_as_the_hub_writes_them_keep_their_microseconds() -> None:
    assert parse_instant("2020-01-06T21:44:00.8884134Z").at.microsecond == 888413


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-13-01T00:00:00Z",
        "2026-02-30",
        "2026-12-01T25:00Z",
        "2026-12-01T08:00:00+2",
        "20261201",
        "0001-01-01T00:00:00+23:00",
        "2026-12-01T08:00:00Zx",
        "٢٠٢٦-12-01",
    ],
)
def test_what_is_no_instant_is_refused_with_the_option_named(text: str) -> None:
    with pytest.raises(BadValue, match="--start-time"):
        parse_instant(text, "--start-time")


@given(st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(timezone.utc)))
def test_what_is_rendered_is_read_back(at: datetime) -> None:
    assert parse_instant(render_instant(at)).at == at


def test_an_instant_is_rendered_in_utc() -> None:
    assert render_instant(datetime(2026, 12, 1, 10, tzinfo=timezone(timedelta(hours=2)))) == "2026-12-01T08:00:00Z"


def test_a_steady_clock_moves_on_where_the_walls_is_set_back_and_with_it_where_that_is_ahead() -> None:
    wall = ClockDouble()
    steady = SteadyClock(wall)
    wall.passed_s, wall.set_s = 10, -86400
    assert steady.now() == START + timedelta(seconds=10)
    wall.passed_s = 70
    assert steady.now() == START + timedelta(seconds=70)
    wall.set_s = 3600
    assert steady.now() == START + timedelta(seconds=3670)
    wall.set_s = 0
    assert steady.now() == START + timedelta(seconds=3670), "it never goes back"
    wall.passed_s = 71
    assert steady.now() == START + timedelta(seconds=3671)
