"""Instants that never go back, on a machine whose clock does."""

import threading
from datetime import datetime, timedelta

from azext_iotjobs.model.clock import ForwardClock
from tests.helpers.clock_double import START, ClockDouble


class Adjusted(ClockDouble):
    """Its wall time can be set; its monotonic time cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.off = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.off


def test_a_clock_that_is_set_back_a_day_goes_on_from_the_last_instant() -> None:
    wall = Adjusted()
    clock = ForwardClock(wall)
    assert clock.now() == START
    clock.sleep(5)
    assert clock.now() == START + timedelta(seconds=5)
    wall.off = timedelta(days=-1)
    clock.sleep(2)
    assert clock.now() == START + timedelta(seconds=7)
    clock.sleep(3)
    assert clock.now() == START + timedelta(seconds=10) and clock.monotonic() == 10


def test_a_clock_that_is_set_forward_is_followed_and_not_left_when_it_is_set_right() -> None:
    wall = Adjusted()
    clock = ForwardClock(wall)
    clock.now()
    wall.off = timedelta(hours=1)
    assert clock.now() == START + timedelta(hours=1)
    wall.off = timedelta(0)
    clock.sleep(1)
    assert clock.now() == START + timedelta(hours=1, seconds=1)


def test_threads_see_no_instant_before_one_that_was_seen() -> None:
    wall = Adjusted()
    clock = ForwardClock(wall)
    seen: list[list[datetime]] = [[] for _ in range(4)]

    def look(own: list[datetime]) -> None:
        for number in range(200):
            wall.off = timedelta(seconds=-number if number % 2 else number)
            own.append(clock.now())

    threads = [threading.Thread(target=look, args=(own,)) for own in seen]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert all(own == sorted(own) and len(own) == 200 for own in seen)
