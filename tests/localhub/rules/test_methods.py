"""Pending direct methods: an answer ends the one call that it belongs to, once."""

from azext_iotjobs.localhub.rules.methods import MAX_IN_FLIGHT, PendingCalls


def test_an_answer_finds_the_call_it_belongs_to() -> None:
    pending: PendingCalls[str, str] = PendingCalls()
    first, second = pending.add("pump-1", "first"), pending.add("pump-1", "second")
    assert pending.take("pump-1", second) == "second"
    assert pending.take("pump-1", first) == "first"


def test_a_second_answer_finds_nothing_and_changes_nothing() -> None:
    pending: PendingCalls[str, str] = PendingCalls()
    rid, other = pending.add("pump-1", "first"), pending.add("pump-1", "other")
    pending.take("pump-1", rid)
    assert pending.take("pump-1", rid) is None
    assert pending.take("pump-1", other) == "other"


def test_an_answer_of_another_device_finds_nothing_and_changes_nothing() -> None:
    pending: PendingCalls[str, str] = PendingCalls()
    rid = pending.add("pump-1", "first")
    assert pending.take("pump-2", rid) is None
    assert pending.take("pump-1", rid) == "first"


def test_an_answer_without_a_call_is_ignored() -> None:
    pending: PendingCalls[str, str] = PendingCalls()
    assert pending.take("pump-1", "1") is None
    assert pending.take("pump-1", "") is None


def test_request_ids_of_a_device_count_from_one_and_none_comes_twice_while_it_is_there() -> None:
    pending: PendingCalls[str, int] = PendingCalls()
    rids = [(f"pump-{number % 3}", pending.add(f"pump-{number % 3}", number)) for number in range(30)]
    assert [rid for device, rid in rids if device == "pump-1"] == [str(number) for number in range(1, 11)]
    assert pending.take("pump-0", "1") == 0
    assert pending.add("pump-0", 99) == "11"
    for number in range(1, 11):
        pending.take("pump-1", str(number))
    assert pending.add("pump-1", 98) == "11"


def test_request_ids_begin_anew_when_a_device_has_been_gone() -> None:
    pending: PendingCalls[str, str] = PendingCalls()
    assert [pending.add("pump-1", "a"), pending.add("pump-1", "b"), pending.add("pump-2", "c")] == ["1", "2", "1"]
    pending.take_all("pump-1")
    assert [pending.add("pump-1", "d"), pending.add("pump-2", "e")] == ["1", "2"]


def test_a_device_that_disconnects_fails_only_its_own_calls() -> None:
    pending: PendingCalls[str, str] = PendingCalls()
    pending.add("pump-1", "a")
    pending.add("pump-1", "b")
    kept = pending.add("pump-2", "c")
    assert pending.take_all("pump-1") == ["a", "b"]
    assert pending.take_all("pump-1") == []
    assert pending.take("pump-2", kept) == "c"


def test_a_device_is_full_at_its_cap_and_has_room_again_after_an_answer() -> None:
    pending: PendingCalls[str, int] = PendingCalls()
    rids = [pending.add("pump-1", number) for number in range(MAX_IN_FLIGHT)]
    assert pending.is_full("pump-1")
    assert not pending.is_full("pump-2")
    pending.take("pump-1", rids[0])
    assert not pending.is_full("pump-1")
