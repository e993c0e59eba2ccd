"""One hub for the contract tests; each test uses devices and jobs of its own."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    process = HubProcess(tmp_path_factory.mktemp("contract"), "--in-memory")
    yield process
    assert process.stop() == 0


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"thing-{next(_numbers)}"


@pytest.fixture
def connect(hub: HubProcess) -> Iterator[Callable[..., MqttDevice]]:
    """Connects devices of a test; they are disconnected at its end."""
    devices: list[MqttDevice] = []

    def connect(device: str, **other: Any) -> MqttDevice:
        identity = hub.request("GET", f"/devices/{device}")
        document = identity.json() if identity.ok else hub.new_device(device)
        key = document["authentication"]["symmetricKey"]["primaryKey"]
        devices.append(MqttDevice(hub, device, key, **other))
        assert devices[-1].connect() == 0
        return devices[-1]

    yield connect
    for each in devices:
        each.close()
