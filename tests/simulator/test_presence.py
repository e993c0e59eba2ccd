"""When a device is there."""

from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.simulator.behaviour import Behaviour, Flapping, PresenceRule, Span, Windows
from azext_iotjobs.simulator.events import ActivityKind
from azext_iotjobs.simulator.parts.presence import window_at
from tests.helpers.driven_session import DrivenSession

BERLIN = ZoneInfo("Europe/Berlin")
DAY = Span(time(6), time(22))
NIGHT = Span(time(22), time(6))
HOUR_S = 3600.0


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def device(presence: PresenceRule, number: int = 0, begin: str = "2026-11-21T08:00", seed: str = "1") -> DrivenSession:
    return DrivenSession(Behaviour(presence=presence), device_id=f"d-{number}", begin=utc(begin), seed=seed)


def test_an_offline_share_is_decided_by_each_device_for_itself() -> None:
    def absent(seed: str, count: int) -> set[int]:
        devices = [device(PresenceRule(offline_share=0.05), number, seed=seed) for number in range(count)]
        assert [not each.is_ready for each in devices] == [
            bool(each.activities(ActivityKind.ABSENT)) for each in devices
        ]
        return {number for number, each in enumerate(devices) if not each.is_ready}

    few = absent("1", 1000)
    assert 25 <= len(few) <= 75
    assert {number for number in absent("1", 1500) if number < 1000} == few  # more devices change nothing
    assert absent("2", 1000) != few
    assert absent("1", 10) <= few
    gone = device(PresenceRule(offline_share=1))
    gone.run_until(1e6)
    assert gone.connection_changes() == []


def test_flapping_keeps_its_means_and_begins_in_the_middle() -> None:
    devices = [device(PresenceRule(flapping=Flapping(on_s=300, off_s=100)), number) for number in range(200)]
    assert sum(each.is_ready for each in devices) == pytest.approx(150, abs=25)
    lengths: dict[str, list[float]] = {"come": [], "leave": []}
    for each in devices:
        each.run_until(10 * HOUR_S)
        connection_changes = each.connection_changes()
        for (begin, word), (end, _) in zip(connection_changes, connection_changes[1:], strict=False):
            lengths[word].append(end - begin)
        assert all(one[1] != other[1] for one, other in zip(connection_changes, connection_changes[1:], strict=False))
    for word, mean in (("come", 300), ("leave", 100)):
        assert sum(lengths[word]) / len(lengths[word]) == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize(
    ("span", "weekdays", "at", "is_open", "change"),
    [
        (DAY, range(7), "2026-11-21T05:00", True, "2026-11-21T21:00"),  # 6 in Berlin, winter
        (DAY, range(7), "2026-11-21T04:59", False, "2026-11-21T05:00"),
        (DAY, range(7), "2026-07-21T04:00", True, "2026-07-21T20:00"),  # 6 in Berlin, summer
        (NIGHT, range(7), "2026-11-21T23:00", True, "2026-11-22T05:00"),
        (NIGHT, range(7), "2026-11-21T12:00", False, "2026-11-21T21:00"),
        (NIGHT, range(7), "2026-03-29T00:00", True, "2026-03-29T04:00"),  # the night of the change is an hour shorter
        (DAY, range(5), "2026-11-21T12:00", False, "2026-11-23T05:00"),  # a Saturday
        (NIGHT, [4], "2026-11-21T02:00", True, "2026-11-21T05:00"),  # begun on Friday
        (Span(time(2, 30), time(4, 30)), range(7), "2026-03-29T00:45", False, "2026-03-29T01:30"),  # 2:30 is skipped
        (Span(time(0), time(0)), range(7), "2026-11-21T12:00", True, None),  # whole days, one after the other
        (DAY, [], "2026-11-21T12:00", False, None),
    ],
)
def test_a_window_opens_and_closes_by_the_wall_clock(
    span: Span, weekdays: range, at: str, is_open: bool, change: str | None
) -> None:
    windows = Windows(spans=(span,), zone=BERLIN, weekdays=frozenset(weekdays))
    assert window_at(windows, utc(at)) == (is_open, None if change is None else utc(change))


@settings(max_examples=60)
@given(
    st.integers(0, 366 * 24 * 60),
    st.lists(st.tuples(st.integers(0, 1439), st.integers(0, 1439)), min_size=1, max_size=3),
    st.sets(st.integers(0, 6)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_nothing_changes_before_the_next_change(
    minute: int, spans: list[tuple[int, int]], weekdays: set[int], zone: str
) -> None:
    windows = Windows(
        spans=tuple(Span(time(*divmod(begin, 60)), time(*divmod(end, 60))) for begin, end in spans),
        zone=ZoneInfo(zone),
        weekdays=frozenset(weekdays),
    )
    at = utc("2026-01-01") + timedelta(minutes=minute)
    is_open, change = window_at(windows, at)
    last = change or at + timedelta(days=7)
    for part in range(20):
        assert window_at(windows, at + (last - at) * part / 20)[0] is is_open
    if change is not None:
        assert window_at(windows, change)[0] is not is_open


def test_devices_follow_their_windows_each_a_little_later() -> None:
    presence = PresenceRule(windows=Windows(spans=(DAY,), zone=BERLIN, spread_s=600))
    devices = [device(presence, number, begin="2026-11-21T12:00") for number in range(50)]
    opened = []
    for each in devices:
        each.run_until(24 * HOUR_S)
        (_, first), (closed_at, second), (opened_at, third) = each.connection_changes()
        assert (first, second, third) == ("come", "leave", "come")
        assert 9 * HOUR_S <= closed_at <= 9 * HOUR_S + 601
        assert opened_at - closed_at == pytest.approx(8 * HOUR_S, abs=2)
        opened.append(opened_at)
    assert max(opened) - min(opened) > 400


def test_a_wall_clock_that_is_set_does_not_confuse_it() -> None:
    one = device(PresenceRule(windows=Windows(spans=(DAY,), zone=BERLIN)), begin="2026-11-21T20:00")
    one.begin -= timedelta(hours=5)
    one.run_until(2 * HOUR_S)
    assert one.connection_changes() == [(0, "come")]
    one.run_until(7 * HOUR_S)
    assert [word for _, word in one.connection_changes()] == ["come", "leave"]
