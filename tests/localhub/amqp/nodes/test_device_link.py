"""Devices on AMQP connections: when they are online, what ends them, and how many share a connection."""

import pytest

from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.quota import Quota, Throttle
from tests.helpers.amqp_device import DeviceHub
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns

PUMP, OTHER = Address("pump-1"), Address("pump-2")
EVENTS, METHODS = "/devices/pump-1/messages/events", "/devices/pump-1/methods/devicebound"


def test_a_device_is_online_while_one_of_its_links_is_attached() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        assert not hub.links.is_connected(PUMP)
        client.sender(EVENTS, 0)
        client.receiver(METHODS, 1)
        assert hub.links.is_connected(PUMP) and hub.connection_state(PUMP) == "Connected"
        client.detach(0)
        assert hub.links.is_connected(PUMP)
        client.detach(1)
        assert not hub.links.is_connected(PUMP) and hub.connection_state(PUMP) == "Disconnected"
        client.sender(EVENTS, 2)
        assert hub.links.is_connected(PUMP)
        client.lose()
        assert not hub.links.is_connected(PUMP)

    run(main)


def test_a_newer_connection_takes_over() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1", "pump-2")
        older, newer = hub.connect(), hub.connect()
        older.sender(EVENTS, 0)
        older.sender("/devices/pump-2/messages/events", 1)
        newer.receiver(METHODS, 0)
        assert older.ended(0) == "amqp:link:stolen"
        assert older.is_attached(1) and hub.links.is_connected(OTHER)
        assert hub.links.accepts_methods(PUMP) and hub.connection_state(PUMP) == "Connected"
        older.lose()
        assert hub.links.accepts_methods(PUMP) and not hub.links.is_connected(OTHER)

    run(main)


def test_a_device_that_is_dropped_loses_its_links_and_the_others_stay() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1", "pump-2", "pump-1/valve")
        client = hub.connect()
        client.sender(EVENTS, 0)
        client.receiver(METHODS, 1)
        client.sender("/devices/pump-1/modules/valve/messages/events", 2)
        client.sender("/devices/pump-2/messages/events", 3)
        hub.links.drop(PUMP)
        assert client.ended(0) == client.ended(1) == "amqp:link:detach-forced"
        assert client.is_attached(2) and client.is_attached(3)
        assert hub.links.count_devices() == 1

    run(main)


def test_two_devices_and_a_module_on_one_connection_are_told_apart() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1", "pump-2", "pump-1/valve")
        client = hub.connect()
        client.receiver("/devices/pump-2/methods/devicebound", 0)
        client.receiver("/devices/pump-1/modules/valve/methods/devicebound", 1)
        client.sender(EVENTS, 2)
        assert not hub.links.accepts_methods(PUMP)
        assert hub.links.accepts_methods(OTHER) and hub.links.accepts_methods(Address("pump-1", "valve"))

    run(main)


@pytest.mark.parametrize(
    "address",
    ["/devices/unknown/messages/events", "/devices/pump-1/modules/none/twin"],
)
def test_a_device_that_is_not_registered_may_not_attach(address: str) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        client.sender(address)
        assert client.ended(0) == "amqp:unauthorized-access" and hub.links.count_devices() == 0

    run(main)


def test_inputs_of_a_module_are_silent_and_a_device_has_none() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1", "pump-1/valve")
        client = hub.connect()
        client.receiver("/devices/pump-1/modules/valve/messages/events", 0)
        client.grant(0, 10, drain=True)
        client.receiver(EVENTS, 1)
        assert client.is_attached(0) and client.arrived(0) == []
        assert client.ended(1) == "amqp:not-found"

    run(main)


def test_the_model_that_a_link_announces_is_stored() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        client.receiver(METHODS, 0)
        client.sender(EVENTS, 1, properties={"com.microsoft:model-id": "dtmi:com:pump;1"})
        identity = hub.identities.get(PUMP)
        assert identity is not None and identity.model_id == "dtmi:com:pump;1"

    run(main)


def slow_hub(loop: MovedLoop, clock: HandClock, rate: float) -> DeviceHub:
    granted = {throttle: Quota(rate=1e9, burst=1e9) for throttle in Throttle}
    granted[Throttle.CONNECTIONS] = Quota(rate=rate, burst=1)
    return DeviceHub(loop, "pump-1", "pump-2", quotas=Quotas(granted, clock))


def test_above_the_quota_a_device_comes_later_with_all_links_and_counts_once() -> None:
    async def main(loop: MovedLoop) -> None:
        clock = HandClock()
        hub = slow_hub(loop, clock, rate=0.2)
        client = hub.connect()
        client.sender("/devices/pump-2/messages/events", 0)
        client.sender(EVENTS, 1)
        client.receiver(METHODS, 2)
        client.grant(2, 5)
        assert client.is_attached(0) and not client.is_attached(1) and not client.is_attached(2)
        loop.advance(5)
        clock.advance(5)
        await turns()
        assert client.is_attached(1) and client.is_attached(2) and hub.links.accepts_methods(PUMP)
        assert hub.quotas is not None and hub.quotas.meters[Throttle.CONNECTIONS].passed == 2

    run(main)


def test_a_device_that_was_deleted_while_it_waited_does_not_come() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = slow_hub(loop, HandClock(), rate=0.2)
        client = hub.connect()
        client.sender("/devices/pump-2/messages/events", 0)
        client.sender(EVENTS, 1)
        hub.identities.delete(PUMP)
        loop.advance(5)
        await turns()
        assert client.ended(1) == "amqp:unauthorized-access" and not hub.links.is_connected(PUMP)

    run(main)


def test_far_above_the_quota_a_device_is_refused() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = slow_hub(loop, HandClock(), rate=0.01)
        client = hub.connect()
        client.sender("/devices/pump-2/messages/events", 0)
        client.sender(EVENTS, 1)
        assert client.ended(1) == "com.microsoft:device-container-throttled"
        client.sender(EVENTS, 2)
        assert client.ended(2) == "com.microsoft:device-container-throttled"
        assert hub.links.count_devices() == 1

    run(main)
