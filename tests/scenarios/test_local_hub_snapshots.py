"""az iot local-hub snapshot and exec: a hub is brought back, and a command has one of its own."""

import json
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub, running_hub
from tests.helpers.az import Az
from tests.helpers.waiting import wait_until

SAY = (
    "import json, os, sys; print(json.dumps([sys.argv[1:], os.getppid(), os.environ['IOTJOBS_CONNECTION_STRING'], "
    "os.environ.get('PYTHONPATH')]), flush=True)"
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Az:
    return Az(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module")
def alone(own: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    yield from running_hub(own, tmp_path_factory.mktemp("hub"))


def test_a_hub_is_brought_back_to_a_file(own: Az, alone: ScenarioHub, tmp_path: Path) -> None:
    alone.new_device("pump-1")
    file = tmp_path / "fleet.snapshot"
    assert own.run("iot local-hub snapshot create --file", str(file)).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    alone.new_device("pump-2")
    again = own.run("iot local-hub snapshot create --file", str(file))
    assert again.code == 1 and "--overwrite" in again.stderr and file.read_bytes() == content
    unsure = own.run("iot local-hub snapshot restore --file", str(file))
    assert unsure.code == 1 and "--yes" in unsure.stderr
    file.with_name("half").write_bytes(content[:-100])
    damaged = own.run("iot local-hub snapshot restore --yes --file", str(file.with_name("half")))
    assert damaged.code == 1 and "This is not a snapshot of a local hub, or it is damaged." in damaged.stderr
    assert [each["deviceId"] for each in alone.for_devices.ok("GET", "/devices")] == ["pump-1", "pump-2"]
    restored = own.run("iot local-hub snapshot restore --yes --file", str(file))
    assert (restored.code, restored.stdout, restored.stderr) == (0, "", "")
    assert [each["deviceId"] for each in alone.for_devices.ok("GET", "/devices")] == ["pump-1"]
    assert own.run("iot local-hub snapshot create --overwrite --file", str(file)).code == 0


def test_a_command_has_a_hub_and_its_options_are_its_own(own: Az, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("devices: [{deviceId: pump-1}]\n")
    words = ["-k", "x", "--query", "y", "-h", "--", "z", "--verbose"]
    command = [sys.executable, "-c", f"{SAY}; sys.exit(42)", *words]
    ran = own.run("iot local-hub exec --seed", str(tmp_path / "fleet.yaml"), "--sku", "S1", "--", *command)
    assert ran.code == 42
    typed, _, connection, path = json.loads(ran.stdout)
    assert typed == words and connection.startswith("HostName=localhost:") and path is None
    refused = own.run("iot local-hub exec --sku S1 --units 999 --", sys.executable, "-c", SAY)
    assert refused.code == 2 and refused.stdout == "" and "--units 999" in refused.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 8)])
def test_signals_are_the_commands(own: Az, tmp_path: Path, number: signal.Signals, code: int) -> None:
    program = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); "
        f"signal.signal(signal.SIGINT, lambda *_: sys.exit(8)); {SAY}; signal.pause()"
    )
    said = tmp_path / "said"
    started = own.start("iot local-hub exec --", sys.executable, "-c", program, output=said)
    wait_until("the command runs", lambda: said.read_bytes().endswith(b"\n"))
    assert json.loads(said.read_bytes())[1] == started.pid, "the hub's program is in az's place"
    started.send_signal(number)
    assert started.wait(60) == code
