"""One hub for the contract tests; each test uses devices and jobs of its own.

The hub is a local one that is started for them, or the one whose connection string the environment variable
IOTJOBS_TEST_HUB holds. Each test says on which it runs: one whose `hub` is an `AnyHub` runs on both; one that needs
what only a local hub can be made to do is marked with `local_hub` and the reason. See docs/contract-tests.md.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.any_hub import AnyHub, RealHub
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice

REAL_HUB = "IOTJOBS_TEST_HUB"
MARKER = "local_hub"
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}(reason): needs a local hub; skipped when {REAL_HUB} is set")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that do not say on which hub they run; skip those that need a local one when there is another."""
    here = f"{Path(__file__).parent}{os.sep}"
    for item in items:
        if not isinstance(item, pytest.Function) or not str(item.path).startswith(here):
            continue
        marker = item.get_closest_marker(MARKER)
        runs_anywhere = item.function.__annotations__.get("hub") is AnyHub
        if runs_anywhere == (marker is not None):
            raise pytest.UsageError(f"{item.nodeid}: give it hub: AnyHub, or mark it with {MARKER}; one of the two")
        if marker is not None and os.environ.get(REAL_HUB):
            reason = f"{REAL_HUB} is set, and this test needs a local hub: it {marker.args[0]}"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyHub]:
    if connection_string := os.environ.get(REAL_HUB):
        real = RealHub(connection_string)
        yield real
        real.remove_all()
    else:
        process = HubProcess(tmp_path_factory.mktemp("contract"), "--in-memory")
        yield process
        assert process.stop() == 0


@pytest.fixture
def name(hub: AnyHub) -> str:
    """A name that nothing else has."""
    return f"{hub.prefix}thing-{next(_numbers)}"


@pytest.fixture
def connect(hub: AnyHub) -> Iterator[Callable[..., MqttDevice]]:
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
