"""Fixtures of the black-box tests: the real az, and one local hub that it started."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.any_hub import AnyHub
from tests.helpers.az import EXTENSIONS, Az
from tests.helpers.waiting import wait_until

# No test fails for being slow: the machine may be busy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Where several workers share the files of tests, those that take long come first: none is left over at the end.
SLOW_FIRST = ("tests/scenarios/", "tests/test_benchmarks.py", "tests/contract/", "tests/operations/", "tests/localhub/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by where they are; within a directory they keep their order."""

    def place(item: pytest.Item) -> int:
        return next((at for at, start in enumerate(SLOW_FIRST) if item.nodeid.startswith(start)), len(SLOW_FIRST))

    items.sort(key=place)


@dataclass(frozen=True)
class ScenarioHub:
    """A local hub that az started; `document` is what `local-hub start` printed."""

    az: Az
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.document["hostName"])

    @property
    def for_devices(self) -> AnyHub:
        """The same hub as devices of tests connect to it."""
        hub = AnyHub()
        hub.host = "localhost"
        hub.https_port, hub.mqtt_port = int(self.document["httpsPort"]), int(self.document["mqttPort"])
        hub.ca = str(self.document["caCertificatePath"])
        return hub

    def new_device(self, device: str) -> None:
        self.az.json(f"iot hub device-identity create -n {self.name}", "-d", device)

    def state_of(self, device: str) -> str:
        words = ("iot", "hub", "device-identity", "show", "-n", self.name, "-d", device)
        return str(self.az.json(*words, "--query", "connectionState"))

    def wait_for_connection(self, device: str) -> None:
        wait_until(f"{device} is connected", lambda: self.state_of(device) == "Connected")


@pytest.fixture(scope="session")
def reference() -> dict[str, Any]:
    """The reference extension's options, by command."""
    text = (Path(__file__).parent / "data" / "reference_options.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@pytest.fixture(scope="session")
def az(tmp_path_factory: pytest.TempPathFactory) -> Az:
    """The real az with our extension, and a configuration folder that is this test run's own."""
    assert (EXTENSIONS / "iotjobs").is_dir(), "the extension is not installed: run `make test`, or `make demo` once"
    return Az(tmp_path_factory.mktemp("azure-config"))


@pytest.fixture(scope="session")
def hub(az: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    """The local hub of all scenarios but those that would change each other's devices."""
    yield from running_hub(az, tmp_path_factory.mktemp("hub"))


def running_hub(az: Az, folder: Path) -> Iterator[ScenarioHub]:
    """A local hub on free ports, started and stopped by az."""
    started = az.json(
        "iot local-hub start --detach --in-memory --https-port 0 --mqtt-port 0",
        "--data-dir",
        str(folder),
    )
    yield ScenarioHub(az, started)
    assert az.run("iot local-hub stop", "--https-port", str(started["httpsPort"])).code == 0
