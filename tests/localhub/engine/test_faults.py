"""The list of faults: which one happens, how often, until when."""

from datetime import timedelta
from typing import Any

import pytest

from azext_iotjobs.localhub.engine.faults import MAX_LISTED, Effect, Faults, TooManyFaults
from azext_iotjobs.localhub.rules.fault import Operation, read_fault
from tests.helpers.moved_loop import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def faults(clock: HandClock) -> Faults:
    return Faults(clock)


def drop(**members: Any) -> Any:
    return read_fault({"kind": "drop", **members})


def happens(faults: Faults, times: int = 1, device: str = "pump-1") -> list[bool]:
    return [faults.effect(Operation.REQUEST, device, "GET /twins/x") is not None for _ in range(times)]


def test_a_fault_happens_until_it_is_cleared(faults: Faults) -> None:
    listed = faults.add(drop())
    assert happens(faults, 3) == [True] * 3
    assert listed.applied == 3
    faults.clear(listed.fault_id)
    assert happens(faults) == [False]
    assert (faults.active, faults.all()) == ((), [])


def test_a_fault_happens_the_next_times_and_stays_in_the_list(faults: Faults) -> None:
    listed = faults.add(drop(times=2, device="pump-1"))
    assert happens(faults, device="fan-1") == [False]
    assert happens(faults, 3) == [True, True, False]
    assert faults.current() == ()
    assert faults.all() == [listed]
    assert listed.applied == 2


def test_a_fault_happens_for_a_time(faults: Faults, clock: HandClock) -> None:
    faults.add(drop(forSeconds=10))
    clock.at += timedelta(seconds=9)
    assert happens(faults) == [True]
    clock.at += timedelta(seconds=1)
    assert happens(faults) == [False]
    assert faults.active == ()


def test_a_share_is_the_same_with_the_same_seed(faults: Faults) -> None:
    runs = []
    for seed in (1, 1, 2):
        faults.add(drop(percent=30, seed=seed))
        runs += [happens(faults, 200)]
        faults.clear()
    assert runs[0] == runs[1] != runs[2]
    assert 30 < sum(runs[0]) < 90


def test_the_first_times_of_a_share(faults: Faults) -> None:
    faults.add(drop(percent=50, times=3))
    assert sum(happens(faults, 100)) == 3


def test_delays_add_up_and_of_the_others_the_oldest_happens(faults: Faults) -> None:
    for seconds in (1, 2):
        faults.add(read_fault({"kind": "latency", "delaySeconds": seconds}))
    first, second = faults.add(drop(times=1)), faults.add(read_fault({"kind": "status", "status": 429}))
    assert faults.effect(Operation.REQUEST, None, "GET /devices") == Effect(3, first.fault)
    assert (first.applied, second.applied) == (1, 0)
    assert faults.effect(Operation.REQUEST, None, "GET /devices") == Effect(3, second.fault)


def test_tokens_are_judged_by_a_clock_that_is_wrong_for_some(faults: Faults) -> None:
    assert faults.clock_skew("pump-1") == timedelta(0)
    faults.add(read_fault({"kind": "clock-skew", "skewSeconds": 3600, "device": "pump-*"}))
    assert faults.clock_skew("pump-1") == timedelta(hours=1)
    assert faults.clock_skew("fan-1") == faults.clock_skew(None) == timedelta(0)


def test_a_full_list_loses_what_is_over_and_then_takes_no_more(faults: Faults) -> None:
    over = faults.add(drop(times=1))
    happens(faults)
    for _ in range(MAX_LISTED):
        faults.add(drop())
    assert faults.get(over.fault_id) is None
    with pytest.raises(TooManyFaults):
        faults.add(drop())
