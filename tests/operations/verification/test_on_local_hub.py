"""Verification over real transports: what the queries mean to a hub that evaluates them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification, VerificationFailure, VerifyingDevice
from azext_iotjobs.operations.verification.conditions import try_conditions
from azext_iotjobs.operations.verification.device_list import DeviceList
from azext_iotjobs.operations.verification.verifier import Verifier
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.template import constant
from tests.helpers.devices_on_thread import DevicesOnThread, client_of
from tests.helpers.hub_process import HubProcess
from tests.helpers.waiting import wait_until

CLOCK = SystemClock()
ODD = "it's \\ [odd]"  # a value that has to be quoted
REPORTED = {"fw": {"version": ODD, "[x]": 1}, "n": 7, "Big": {"list": list(range(1_000))}}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubClient]:
    """Two connected devices that report REPORTED, and one that never was; tags on all."""
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process, client_of(process) as client:
        devices = DevicesOnThread(client, ("a-1", "a(2)"), Behaviour(first_reported=constant(REPORTED)))
        client.identities.create(NewIdentity(device_id="silent"))
        count = "SELECT COUNT() AS total FROM devices WHERE properties.reported.n = 7"
        wait_until("both have reported", lambda: next(client.queries.run(count))["total"] == 2)
        client.twins.patch("silent", TwinPatch(document={"tags": {"site": "north"}}))
        yield client
        devices.close()


def decided(
    hub: HubClient, verification: Verification, *devices: str, ago_s: float = 0.0, is_late: bool = False
) -> dict[str, tuple[VerificationFailure | None, object]]:
    """Each device's verdict, of those that there are soon. is_late: the time of all is over."""
    listed, now = DeviceList(), CLOCK.now()
    for number, each in enumerate(devices):
        verify_by = now - timedelta(seconds=1) if is_late else now + timedelta(seconds=5)
        began_at = now - timedelta(seconds=ago_s)
        listed.add(VerifyingDevice(key=number, device_id=each, module_id=None, began_at=began_at, verify_by=verify_by))
    verifier = Verifier(hub.queries, verification, listed, QueryPace(None), CLOCK, lambda text: None)
    found: dict[str, tuple[VerificationFailure | None, object]] = {}
    try:
        while len(listed):
            for verdict in verifier.turn():
                listed.remove(verdict.device)
                found[verdict.device.device_id] = (verdict.failure, verdict.reported)
            assert verifier.trouble is None
            verifier.nap()
        return found
    finally:
        verifier.close()


def test_values_and_names_that_have_to_be_quoted_verify_their_devices(hub: HubClient) -> None:
    condition = "properties.reported.fw.version = 'it\\'s \\\\ [odd]' AND properties.reported.n IN [7, 8]"
    found = decided(hub, Verification(condition=condition), "a-1", "a(2)")
    shown = {"properties.reported.fw.version": ODD, "properties.reported.n": 7}
    assert found == {"a-1": (None, shown), "a(2)": (None, shown)}


def test_a_condition_with_or_stays_one_beside_the_ids(hub: HubClient) -> None:
    found = decided(hub, Verification(condition="properties.reported.n = 1 OR tags.site = 'north'"), "silent")
    assert found == {"silent": (None, {"tags.site": "north"})}, "a-1 was not asked about"


def test_what_is_not_there_is_said_after_the_time_is_over(hub: HubClient) -> None:
    found = decided(hub, Verification(condition="properties.reported.m = 1"), "a-1", "silent", "gone", is_late=True)
    late = VerificationFailure.NOT_IN_TIME
    assert found == {"a-1": (late, {}), "silent": (late, {}), "gone": (late, None)}


def test_a_failure_counts_when_it_was_reported_after_the_device_was_operated(hub: HubClient) -> None:
    both = Verification(condition="properties.reported.n = 8", failed_condition="properties.reported.n = 7")
    failed, late = VerificationFailure.REPORTED_FAILURE, VerificationFailure.NOT_IN_TIME
    assert decided(hub, both, "a-1", ago_s=3600, is_late=True)["a-1"][0] is failed
    assert decided(hub, both, "a-1", is_late=True)["a-1"][0] is late, "it stood there before"


def test_names_are_found_in_any_case_as_the_hub_finds_them_and_what_is_large_is_cut(hub: HubClient) -> None:
    found = decided(hub, Verification(condition="IS_DEFINED(properties.reported.Big.list)"), "a-1")
    ((failure, reported),) = found.values()
    assert failure is None and isinstance(reported, dict)
    assert reported["properties.reported.Big.list"].endswith("characters)")


def test_a_condition_is_tried_before_anything_is_done(hub: HubClient) -> None:
    assert try_conditions(hub.queries, Verification(condition="properties.reported.n = 7")) == 2
    of_modules = Verification(condition="FROM devices.modules WHERE properties.reported.n = 7")
    assert try_conditions(hub.queries, of_modules) is None
    bad = "tags.a = = 1"
    for verification in (Verification(condition=bad), Verification(condition="tags.a = 1", failed_condition=bad)):
        with pytest.raises(BadValue, match="cannot read this condition. The hub answered 400"):
            try_conditions(hub.queries, verification)
