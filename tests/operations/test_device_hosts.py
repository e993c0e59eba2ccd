"""Whoever acts as a device goes to the hub's host for devices and signs for it; services go to the other one.

The hub is real, and refuses each at the other's name.
"""

from collections.abc import Iterator

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.message import DeviceMessage
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.operations.message import send_d2c
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.mqtt import MqttProtocol
from tests.helpers.hub_process import HubProcess

CLOCK = SystemClock()
BODY = DeviceMessage(body=b"x", properties={})


class Never:
    """Nobody stops it."""

    def is_set(self) -> bool:
        return False


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hosts"), "--in-memory") as process:
        yield process


@pytest.fixture(params=["classic", "device", "service"])
def target(hub: HubProcess, request: pytest.FixtureRequest) -> HubTarget:
    """The hub by one of its names."""
    label = "" if request.param == "classic" else f"{request.param}."
    named = HubTarget.named(f"local-hub.{label}localhost", hub.ports[0], hub.ca)
    return named._replace(mqtt_port=hub.ports[1], is_local=True)


@pytest.fixture
def key(hub: HubProcess, target: HubTarget, name: str) -> DeviceKey:
    primary = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    return DeviceKey(device_id=name, key=primary)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name).replace("[", "-").replace("]", "")


def test_a_service_calls_the_hub_by_every_name(hub: HubProcess, target: HubTarget, key: DeviceKey) -> None:
    client = HubClient.open(target, SasKey(policy="iothubowner", key=hub.key()), CLOCK)
    assert client.identities.get(key.device_id).primary_key == key.key


@pytest.mark.parametrize("is_own_key", [True, False])
def test_a_device_sends_over_https(hub: HubProcess, target: HubTarget, key: DeviceKey, is_own_key: bool) -> None:
    client = HubClient.open(target, SasKey(policy="iothubowner", key=hub.key()), CLOCK)
    device = client.device(key.device_id, key.key if is_own_key else None)
    device.send(BODY)
    assert device.receive(30) is None
    assert len(hub.events_of(key.device_id)) == 1


@pytest.mark.parametrize("way", MqttProtocol)
def test_a_device_sends_over_mqtt(hub: HubProcess, target: HubTarget, key: DeviceKey, way: MqttProtocol) -> None:
    sender = send_d2c.Sender(device_id=key.device_id, credential=key)
    send_d2c.send(target, sender, BODY, 1, CLOCK, way)
    assert len(hub.events_of(key.device_id)) == 1


@pytest.mark.parametrize("way", MqttProtocol)
def test_a_device_is_simulated(hub: HubProcess, target: HubTarget, key: DeviceKey, way: MqttProtocol) -> None:
    plan = TelemetryPlan(text="x", count=1, interval_s=1, properties={})
    device = event_loop.SimulatedDevice(device_id=key.device_id, credential=key, behaviour=Behaviour(), plan=plan)
    summary = event_loop.run(target, [device], lambda *_: None, CLOCK, Never(), way)
    assert summary.acknowledged_count == 1
