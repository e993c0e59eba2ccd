"""Fixtures of the black-box tests: the real az, and one local hub."""

import gc
import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.any_hub import AnyHub
from tests.helpers.az import EXTENSIONS, Az
from tests.helpers.default_signals import let_signals_work_below
from tests.helpers.hub_process import HubProcess
from tests.helpers.postgres_server import PostgresServer, postgres_server
from tests.helpers.stores import skip_without_postgres
from tests.helpers.waiting import wait_until

# No test fails for being slow: the machine may be busy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

let_signals_work_below()

# Where several workers share the files of tests, those that take long come first: none is left over at the end.
SLOW_FIRST = (
    "tests/scenarios/test_schedules.py",  # it waits until a window shuts, by the clock
    "tests/contract/test_simulation_trouble.py",
    "tests/test_benchmarks.py",
    "tests/documents/",
    "tests/scenarios/",
    "tests/contract/",
    "tests/operations/",
    "tests/localhub/",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays: it is not looked through for garbage, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by where they are; within a directory they keep their order."""

    def place(item: pytest.Item) -> int:
        return next((at for at, start in enumerate(SLOW_FIRST) if item.nodeid.startswith(start)), len(SLOW_FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, which each test has a store of its own in."""
    skip_without_postgres()
    with postgres_server() as server:
        yield server


class LocalHubOfAz(AnyHub):
    """A local hub, by what `local-hub start` printed."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.host = str(document["hostName"]).partition(":")[0]
        self.https_port, self.mqtt_port = int(document["httpsPort"]), int(document["mqttPort"])
        self.amqp_port = int(document["amqpPort"])
        self.ca = str(document["caCertificatePath"])
        self.proxies = {"https": ""}
        self._key = str(document["connectionString"]).rpartition("SharedAccessKey=")[2]

    def key(self, policy: str | None = None) -> str:
        assert policy in (None, self.policy)
        return self._key


@dataclass(frozen=True)
class ScenarioHub:
    """A local hub that az can find; `document` is what `local-hub start` prints.

    What scenarios are not about is done without az: a request takes a tenth of a command's time.
    """

    az: Az
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.document["hostName"])

    @property
    def for_devices(self) -> AnyHub:
        """The same hub as devices of tests connect to it."""
        return LocalHubOfAz(self.document)

    def new_device(self, device: str) -> None:
        self.for_devices.new_device(device)

    def state_of(self, device: str) -> str:
        return str(self.for_devices.ok("GET", f"/devices/{quote(device, safe='')}")["connectionState"])

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
    """A local hub on free ports, which az finds by its state file."""
    states = az.config_dir / "iotjobs" / "hubs"
    process = HubProcess(folder, "--in-memory", "--state-dir", str(states))
    yield ScenarioHub(az, process.info)
    assert process.stop() == 0
