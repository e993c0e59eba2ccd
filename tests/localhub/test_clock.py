"""The hub's clock: moved ahead, at a scale, set back, and what credentials see of that."""

from datetime import timedelta

import pytest

from azext_iotjobs.localhub.auth.sas import LATEST_EXPIRY
from azext_iotjobs.localhub.clock import NO_TIME, HubClock
from tests.helpers.moved_loop import HandClock

HOUR = timedelta(hours=1)


def test_it_is_the_machines_until_it_is_moved_and_goes_on_from_there() -> None:
    clock = HandClock()
    assert (clock.now(), clock.offset) == (clock.at, NO_TIME)
    clock.move(2 * HOUR)
    clock.advance(60)
    assert (clock.now() - clock.at, clock.offset, clock.machine_now()) == (2 * HOUR, 2 * HOUR, clock.at)
    clock.move(HOUR)
    assert clock.offset == 3 * HOUR


def test_the_machines_clock_is_the_real_one_where_no_test_replaces_it() -> None:
    clock = HubClock()
    before = clock.now()
    assert before <= clock.machine_now() and clock.offset == NO_TIME


@pytest.mark.parametrize("scale", [0.5, 10.0])
def test_at_a_scale_it_gains_or_loses_and_waits_are_as_much_shorter_or_longer(scale: float) -> None:
    clock = HandClock(scale=scale)
    begun_at = clock.now()
    clock.advance(100)
    assert (clock.now() - begun_at).total_seconds() == 100 * scale
    assert clock.offset_in(100) - clock.offset == clock.offset == timedelta(seconds=100 * (scale - 1))
    assert clock.machine_s(50) == 50 / scale
    clock.move(HOUR)
    clock.advance(1)
    assert (clock.now() - begun_at - HOUR).total_seconds() == 101 * scale


def test_it_goes_on_as_far_ahead_as_the_hub_before_it_was() -> None:
    clock = HandClock(scale=10.0)
    clock.advance(100)
    clock.resume(HOUR)
    assert clock.offset == HOUR
    clock.advance(1)
    assert clock.offset == HOUR + timedelta(seconds=9)


def test_who_waits_is_told_of_each_move_until_he_no_longer_wants_to_be() -> None:
    clock, told = HandClock(), []

    def once() -> None:
        told.append("once")
        clock.unsubscribe(once)

    clock.subscribe(once)
    clock.subscribe(lambda: told.append(f"{clock.offset}"))
    clock.move(HOUR)
    clock.move(HOUR)
    clock.set_to(NO_TIME)
    assert told == ["once", "1:00:00", "2:00:00", "0:00:00"]
    clock.unsubscribe(once)


def test_a_session_lasts_as_long_as_its_credentials_had_left_and_moves_count() -> None:
    clock = HandClock()
    clock.move(5 * HOUR)
    ends_at = clock.session_end(clock.at + HOUR)  # by the machine, as clients make them
    assert ends_at - clock.session_now() == HOUR
    clock.move(timedelta(minutes=40))
    clock.advance(19 * 60)
    assert clock.session_now() < ends_at
    clock.advance(60)
    assert clock.session_now() == ends_at


def test_a_scale_does_not_shorten_sessions_and_a_clock_set_back_does_not_prolong_them() -> None:
    clock = HandClock(scale=100.0)
    ends_at = clock.session_end(clock.at + HOUR)
    clock.advance(60)
    assert ends_at - clock.session_now() == timedelta(minutes=59)
    clock.move(timedelta(minutes=30))
    clock.set_to(NO_TIME)
    assert (clock.offset, ends_at - clock.session_now()) == (NO_TIME, timedelta(minutes=29))


def test_credentials_that_never_expire_do_not_after_a_move_either() -> None:
    clock = HandClock()
    clock.move(timedelta(days=3650))
    assert clock.session_end(LATEST_EXPIRY) == LATEST_EXPIRY
