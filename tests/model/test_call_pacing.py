"""When the next of many calls may begin: tables, and whole rounds against hubs of a known rate."""

import heapq

import pytest

from azext_iotjobs.model.call_pacing import LEAST_RATE, Pacing


def begun(pacing: Pacing, until: float, step: float = 0.001) -> list[float]:
    """When calls begin, by one who always has another."""
    at, found = 0.0, []
    while at < until:
        if pacing.wait_s(at) == 0:
            pacing.began(at)
            found.append(at)
        else:
            at += max(step, pacing.wait_s(at))
    return found


@pytest.mark.parametrize(("rate", "least", "most"), [(0.5, 5, 6), (1, 10, 11), (40, 400, 405), (250, 2480, 2530)])
def test_a_rate_is_kept_to(rate: float, least: int, most: int) -> None:
    assert least <= len(begun(Pacing(rate), 10)) <= most


def test_without_a_rate_nothing_waits() -> None:
    pacing = Pacing(None)
    for _ in range(1000):
        pacing.began(5.0)
    assert (pacing.wait_s(5.0), pacing.rate) == (0, None)


def test_time_that_was_lost_is_not_made_up_for_by_a_burst() -> None:
    pacing = Pacing(10)
    pacing.began(0)
    beginning = 0
    while pacing.wait_s(100) == 0 and beginning < 10:
        pacing.began(100)
        beginning += 1
    assert beginning == 1


def test_a_refusal_pauses_all_and_those_that_began_before_it_say_nothing_new() -> None:
    pacing = Pacing(None)
    pacing.began(0)
    for at in range(1, 51):
        pacing.answered(at / 10)
    assert pacing.refused(5, 10) is True
    assert pacing.rate == pytest.approx(8)  # 10 answers a second were seen
    assert [pacing.refused(at, 10) for at in (5, 6, 14.9)] == [False] * 3
    assert [pacing.wait_s(14), pacing.wait_s(15), pacing.rate] == pytest.approx([1, 0, 8])


@pytest.mark.parametrize(
    ("again_at", "rate"),
    [(16, 4.0), (24.9, 4.0), (26, 8 * 0.8)],  # soon after the pause: half; later: four fifths
)
def test_the_next_refusal_slows_down_further(again_at: float, rate: float) -> None:
    pacing = Pacing(10)
    pacing.refused(5, 10)
    assert pacing.rate == 8
    pacing.refused(again_at, 10)
    assert pacing.rate == pytest.approx(rate)


def test_a_hub_that_answers_nothing_is_tried_slowly() -> None:
    pacing = Pacing(None)
    assert pacing.refused(0, 10) is True
    for at in range(11, 200, 11):
        pacing.refused(at, 10)
    assert pacing.rate == LEAST_RATE


def test_how_long_nothing_came_through_is_known() -> None:
    pacing = Pacing(None)
    assert pacing.blocked_s(50) == 0
    pacing.refused(50, 10)
    pacing.refused(61, 10)
    assert pacing.blocked_s(80) == 30
    pacing.answered(81)
    assert pacing.blocked_s(82) == 0


def test_answers_let_the_rate_grow_quickly_up_to_half_of_what_was_refused_and_then_slowly() -> None:
    pacing = Pacing(100)
    pacing.refused(0, 10)
    pacing.refused(11, 10)
    assert pacing.rate == 40
    at, seen = 21.0, {}
    while at < 81:
        at += 0.1
        pacing.answered(at)
        seen[round(at, 1)] = pacing.rate
    assert seen[22.0] == pytest.approx(40 * 1.01, rel=0.01)  # 80 was refused last: from 40 on it is slow
    assert 65 < seen[81.0] < 80
    pacing.answered(5000)  # an hour of silence counts as a second
    assert pacing.rate is not None and pacing.rate < seen[81.0] * 1.02


def test_a_way_in_trouble_is_given_up_after_three_pauses_without_an_answer() -> None:
    pacing = Pacing(None)
    at = 0.0
    for pause in (1, 2, 4):
        assert pacing.troubled(at) is True
        assert pacing.troubled(at) is True  # another call of the same moment
        assert pacing.wait_s(at) == pause
        at += pause
    assert pacing.troubled(at) is False
    pacing.answered(at)
    assert pacing.troubled(at) is True


@pytest.mark.parametrize("capacity", [5, 40, 160])
@pytest.mark.parametrize("concurrency", [10, 50])
def test_a_hub_of_some_rate_is_used_well_and_seldom_annoyed(capacity: float, concurrency: int) -> None:
    """30 minutes: the hub takes `capacity` calls a second, with a burst of a second, and each takes 0.1 s."""
    pacing, at, room, room_at = Pacing(None), 0.0, float(capacity), 0.0
    ends: list[tuple[float, bool]] = []
    answered = refused = 0
    while at < 1800:
        while len(ends) < concurrency and pacing.wait_s(at) == 0:
            pacing.began(at)
            room = min(capacity, room + (at - room_at) * capacity)
            room_at = at
            heapq.heappush(ends, (at + (0.1 if room >= 1 else 0.02), room >= 1))
            room -= room >= 1
        begins_at = at + pacing.wait_s(at) if len(ends) < concurrency else float("inf")
        if not ends or begins_at < ends[0][0]:
            at = max(begins_at, at + 1e-6)
            continue
        at, is_answer = heapq.heappop(ends)
        if is_answer:
            answered += 1
            pacing.answered(at)
        else:
            refused += 1
            pacing.refused(at, 10)
    most = min(capacity, concurrency / 0.1) * 1800
    assert answered > 0.55 * most, answered / most
    assert refused < 0.05 * answered, (refused, answered)
