"""Devices are read page by page, with keys where they are wanted, and never more than a page at a time."""

import tracemalloc
from collections.abc import Iterator

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.identities import MAX_LISTED
from azext_iotjobs.model.errors import Throttled
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.identity.export_devices import ExportedDevice, exported_pages
from tests.helpers.clock_double import ClockDouble
from tests.helpers.many_devices import PAGE, ManyDevices

EVERY = Selection(condition="*")


def pages(hub: ManyDevices, clock: ClockDouble | None = None, *, with_keys: bool) -> Iterator[list[ExportedDevice]]:
    client = HubClient(HubTarget(host="hub.example"), hub)
    return exported_pages(client, EVERY, clock or ClockDouble(), with_keys=with_keys)


def keys(hub: ManyDevices) -> dict[str, str | None]:
    found = [each for page in pages(hub, with_keys=True) for each in page]
    return {each.twin.device_id: None if each.identity is None else each.identity.primary_key for each in found}


def test_keys_of_a_small_hub_are_read_by_one_request() -> None:
    hub = ManyDevices(250)
    hub.gone.add("d7")  # never asked for
    assert keys(hub) == {f"d{number}": f"key of d{number}" for number in range(250)}
    assert hub.paths == ["/devices"]


def test_keys_of_a_large_hub_are_read_one_by_one_behind_those_of_the_list() -> None:
    hub = ManyDevices(MAX_LISTED + 150)
    hub.gone.add(f"d{MAX_LISTED + 3}")
    found = keys(hub)
    assert found == {
        name: f"key of {name}" for name in map("d{}".format, range(MAX_LISTED + 150)) if name not in hub.gone
    }
    assert sorted(hub.paths) == ["/devices", *sorted(f"/devices/d{MAX_LISTED + number}" for number in range(150))]


def test_devices_with_certificates_have_no_key_to_read() -> None:
    assert set(keys(ManyDevices(3, is_x509=True)).values()) == {None}


def test_without_keys_the_registry_is_not_asked() -> None:
    hub = ManyDevices(250)
    assert [len(each) for each in pages(hub, with_keys=False)] == [100, 100, 50]
    assert hub.paths == []


def test_a_page_that_is_throttled_is_asked_for_again() -> None:
    hub, clock = ManyDevices(250), ClockDouble()
    found = pages(hub, clock, with_keys=False)
    next(found)
    hub.throttled = 2
    assert [each.twin.device_id for each in next(found)] == [f"d{number}" for number in range(100, 200)]
    assert clock.slept == [20.0, 20.0]
    hub.throttled = 100
    with pytest.raises(Throttled):
        next(found)


def peak_bytes(count: int) -> int:
    tracemalloc.start()
    try:
        assert sum(len(page) for page in pages(ManyDevices(count), with_keys=False)) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_times_the_devices_take_no_more_memory() -> None:
    peak_bytes(PAGE)  # what is imported and made once
    assert peak_bytes(40 * PAGE) < 1.5 * peak_bytes(4 * PAGE)
