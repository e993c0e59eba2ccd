"""Devices are read page by page, with keys where they are wanted, and never more than a page at a time."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.identities import MAX_LISTED
from azext_iotjobs.model.errors import Throttled
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.identity.export_devices import ExportedDevice, exported_pages
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import response

PAGE = 100
EVERY = Selection(condition="*")
NOT_FOUND = {"Message": "ErrorCode:DeviceNotFound;none such"}


class ManyDevices:
    """A hub with numbered devices, at the transport's seam: none of them is kept."""

    def __init__(self, count: int, *, is_x509: bool = False) -> None:
        self.count = count
        self.gone: set[str] = set()
        self.paths: list[str] = []
        self.throttled = 0  # queries that are refused, from now on
        self._sign_in = "selfSigned" if is_x509 else "sas"

    def send(self, request: Request) -> Response:
        if request.path == "/devices/query":
            return self._page(int(request.headers.get("x-ms-continuation", 0)))
        self.paths.append(request.path)
        if request.path == "/devices":
            assert request.query == {"top": str(MAX_LISTED)}
            return response([self._record(f"d{number}") for number in range(min(MAX_LISTED, self.count))])
        name = request.path.rpartition("/")[2]
        if name in self.gone:
            return response(NOT_FOUND, status=404, iothub_errorcode="DeviceNotFound")
        return response(self._record(name))

    def _page(self, start: int) -> Response:
        if self.throttled:
            self.throttled -= 1
            return response({"Message": "ErrorCode:ThrottlingBacklogTimeout;wait"}, status=429)
        end = min(start + PAGE, self.count)
        twins = [self._twin(f"d{number}") for number in range(start, end)]
        return response(twins, x_ms_continuation=str(end)) if end < self.count else response(twins)

    def _twin(self, name: str) -> dict[str, Any]:
        reported = {"firmware": "2.0.1", "filler": "x" * 300}
        return {
            "deviceId": name,
            "authenticationType": self._sign_in,
            "tags": {"site": "north"},
            "properties": {"reported": reported},
        }

    def _record(self, name: str) -> dict[str, Any]:
        keys = {"primaryKey": f"key of {name}", "secondaryKey": f"other of {name}"}
        return {"deviceId": name, "etag": "e", "authentication": {"type": "sas", "symmetricKey": keys}}


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
