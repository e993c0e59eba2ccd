import math

import pytest

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.transport.connect_pacing import MOST_UNDER_WAY, Pacer
from azext_iotjobs.transport.open_files import SPARE_FILES, files_needed, make_room


def begun_at(pacer: Pacer, count: int, now: float) -> list[float]:
    """When `count` connections begin, each as soon as it may; each ends at once."""
    found = []
    for _ in range(count):
        now = pacer.next_at(now)
        pacer.begin(now)
        pacer.end()
        found.append(now)
    return found


def test_the_first_begins_at_once_and_the_others_follow_at_the_ramp() -> None:
    times = begun_at(Pacer(200), 401, 10.0)
    assert times[0] == 10.0
    assert times[200] - times[0] == pytest.approx(0.9, abs=0.11)
    assert times[400] - times[200] == pytest.approx(1.0)


def test_a_late_turn_is_made_up_for_and_a_long_pause_is_not_saved_up() -> None:
    pacer = Pacer(100)
    begun_at(pacer, 1, 0.0)
    after_pause = begun_at(pacer, 100, 60.0)
    assert sum(at == 60.0 for at in after_pause) <= 12
    assert after_pause[-1] > 60.8


def test_so_many_under_way_and_no_more_until_one_ends() -> None:
    pacer = Pacer(1e9)
    for _ in range(MOST_UNDER_WAY):
        assert pacer.next_at(1.0) < math.inf
        pacer.begin(1.0)
    assert pacer.next_at(1.0) == math.inf
    pacer.end()
    assert pacer.next_at(1.0) < math.inf


def test_each_device_needs_one_file_and_too_many_are_refused_with_both_numbers() -> None:
    assert files_needed(1000, 7) == 1007 + SPARE_FILES
    make_room(1)
    with pytest.raises(BadValue, match=r"10000000 devices need 100\d+ open files, and this process may have \d+"):
        make_room(10_000_000)
