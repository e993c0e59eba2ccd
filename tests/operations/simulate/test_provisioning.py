"""Devices of a simulation: found, created, removed; and what is left when the process dies in between."""

import threading

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.bulk import NewDevice
from azext_iotjobs.model.errors import BadRequest, BadValue, Throttled
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.simulated_devices import RUN_TAG, SIMULATED_TAG, Shard
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.simulate.provisioning import Creation, Deletion, create, delete, find
from tests.helpers.clock_double import ClockDouble
from tests.helpers.device_registry_double import RUN, DeviceRegistryDouble, Died, Doom, LogDouble
from tests.helpers.waiting import looks

TARGET = HubTarget(host="hub.example")
TAGS = {SIMULATED_TAG: True, RUN_TAG: RUN}


def new(*names: str) -> list[NewDevice]:
    return [NewDevice(identity=NewIdentity(device_id=each), tags=TAGS) for each in names]


def made(
    registry: DeviceRegistryDouble, log: LogDouble, *names: str, clock: ClockDouble | None = None, stop_after: int = 99
) -> Creation:
    stop = threading.Event()

    def on_batch(done: int, _total: int) -> None:
        if done >= 100 * stop_after:
            stop.set()

    return create(HubClient(TARGET, registry), new(*names), log, clock or ClockDouble(), stop, on_batch)


def removed(registry: DeviceRegistryDouble, log: LogDouble) -> Deletion:
    return delete(HubClient(TARGET, registry), log, ClockDouble(), lambda _done, _total: None)


def many(count: int) -> list[str]:
    return [f"p{number:03}" for number in range(count)]


def test_devices_are_created_a_hundred_at_once_and_their_etags_are_known() -> None:
    registry, log = DeviceRegistryDouble("other"), LogDouble()
    assert made(registry, log, *many(250)).created == tuple(many(250))
    sizes = [len(each.body) for each in registry.requests if each.path == "/devices"]
    assert sizes == [100, 100, 50]
    assert log.created.etags == {name: registry.devices[name]["deviceEtag"] for name in many(250)}
    assert registry.devices["p007"]["tags"] == TAGS


def test_created_devices_are_removed_and_no_others() -> None:
    registry, log = DeviceRegistryDouble("other", "p000x"), LogDouble()
    made(registry, log, *many(120))
    assert len(removed(registry, log).deleted) == 120
    assert registry.devices.keys() == {"other", "p000x"}
    assert log.created.etags == {}


def test_an_existing_device_is_neither_changed_nor_removed() -> None:
    registry, log = DeviceRegistryDouble("p001"), LogDouble()
    before = dict(registry.devices["p001"])
    creation = made(registry, log, *many(3))
    assert creation.created == ("p000", "p002")
    assert [each.device_id for each in creation.existing] == ["p001"]
    assert removed(registry, log).deleted == ["p000", "p002"]
    assert registry.devices == {"p001": before}


def test_a_device_that_somebody_changed_stays_and_is_named() -> None:
    registry, log = DeviceRegistryDouble(), LogDouble()
    made(registry, log, *many(3))
    registry.put("p001", tags=TAGS)  # made anew by somebody, tags and all
    del registry.devices["p002"]
    result = removed(registry, log)
    assert (result.deleted, result.changed, result.missing) == (["p000"], ["p001"], ["p002"])
    assert registry.devices.keys() == {"p001"}


def test_after_a_lost_response_devices_created_by_the_first_try_count_as_ours() -> None:
    registry, log = DeviceRegistryDouble("p001", loses_first_answers=True), LogDouble()
    assert made(registry, log, *many(3)).created == ("p000", "p002")
    result = removed(registry, log)
    assert registry.devices.keys() == {"p001"}
    assert sorted(result.missing) == ["p000", "p002"]  # gone since the first time


def test_it_waits_for_a_query_that_is_behind_and_then_reads_devices_singly() -> None:
    registry, log, clock = DeviceRegistryDouble(), LogDouble(), ClockDouble()
    registry.unseen_by_queries.add("p001")
    made(registry, log, *many(3), clock=clock)
    assert log.created.etags["p001"] == registry.devices["p001"]["deviceEtag"]
    assert 5 <= sum(clock.slept) <= 30


def test_it_waits_while_throttling_outlasts_a_request() -> None:
    registry, log, clock = DeviceRegistryDouble(), LogDouble(), ClockDouble()
    registry.throttled = 4
    assert len(made(registry, log, *many(3), clock=clock).created) == 3
    assert sum(clock.slept) >= 60
    registry.throttled = 9
    with pytest.raises(Throttled):
        removed(registry, log)
    assert len(removed(registry, log).deleted) == 3


def test_a_device_whose_twin_was_not_created_gets_its_tags() -> None:
    registry, log = DeviceRegistryDouble(), LogDouble()
    registry.without_twin.add("p001")
    made(registry, log, *many(2))
    assert registry.devices["p001"]["tags"] == TAGS


def test_a_refusal_is_an_error_and_the_others_can_be_removed() -> None:
    registry, log = DeviceRegistryDouble(), LogDouble()
    registry.refused["p001"] = "ArgumentInvalid"
    with pytest.raises(BadRequest, match=r"1 device \(p001\): ArgumentInvalid: because"):
        made(registry, log, *many(3))
    assert registry.devices.keys() == {"p000", "p002"}
    removed(registry, log)
    assert registry.devices == {}


def test_a_stop_ends_the_creation_between_two_requests() -> None:
    registry, log = DeviceRegistryDouble(), LogDouble()
    assert len(made(registry, log, *many(300), stop_after=1).created) == 100
    assert len(registry.devices) == 100


@pytest.mark.parametrize("loses", [False, True])
def test_wherever_the_process_dies_nothing_is_forgotten_and_nothing_of_others_removed(loses: bool) -> None:
    """At every request, before it and before its answer, and at every line of the list, in it and behind it; in the
    creation, in the removal, and then again in the removal that comes after."""
    moment = 0
    for _ in looks("a moment after the last request and the last line of the list"):
        doom = Doom(at=moment)
        registry = DeviceRegistryDouble("p001", "p101", "other", doom=doom, loses_first_answers=loses)
        theirs = {name: dict(each) for name, each in registry.devices.items()}
        log = LogDouble(doom)
        try:
            made(registry, log, *many(150))
            removed(registry, log)
            was_killed = False
        except Died:
            was_killed = True
        if not was_killed:
            break
        for second in (7, 3, None):  # clean-ups that die too, and one that does not
            registry.doom = Doom(at=second)
            log = log.read_again()
            log._doom = registry.doom
            try:
                result = removed(registry, log)
            except Died:
                continue
        assert registry.devices == theirs, f"killed at moment {moment}"
        assert result.failed == []
        moment += 1
    assert moment > 20


def test_named_devices_are_found_in_their_order_with_their_numbers() -> None:
    registry = DeviceRegistryDouble("c", "a", "b")
    found = find(HubClient(TARGET, registry), Selection(device_ids=("b", "x", "a"), excluded=("c",)), None, None)
    assert [each.device_id for each in found.existing] == ["b", "a"]
    assert (found.missing, found.numbers) == (("x",), {"b": 0, "x": 1, "a": 2})


def test_a_device_that_a_query_does_not_know_yet_is_looked_up() -> None:
    registry = DeviceRegistryDouble("a", "b")
    registry.unseen_by_queries.add("b")
    assert find(HubClient(TARGET, registry), Selection(device_ids=("a", "b")), None, None).missing == ()


def test_shards_divide_the_devices_and_keep_their_numbers() -> None:
    registry = DeviceRegistryDouble(*many(60))
    client = HubClient(TARGET, registry)
    parts = [find(client, Selection(condition="*"), Shard(each, 3), None) for each in (1, 2, 3)]
    assert sorted(each.device_id for part in parts for each in part.existing) == many(60)
    assert parts[0].numbers == parts[1].numbers == {name: number for number, name in enumerate(many(60))}


def test_more_than_allowed_is_refused() -> None:
    client = HubClient(TARGET, DeviceRegistryDouble(*many(5)))
    for selection in (Selection(condition="*"), Selection(device_ids=tuple(many(5)))):
        with pytest.raises(BadValue, match="max_devices.*allows 4"):
            find(client, selection, None, 4)
        assert len(find(client, selection, None, 5).existing) == 5
