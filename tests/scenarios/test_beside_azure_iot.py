"""With Microsoft's azure-iot extension installed too, ours answers, with our own validators and our own paho-mqtt."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub, running_hub
from tests.helpers.az import EXTENSIONS, REPOSITORY, Az
from tests.helpers.azure_iot_double import install_beside, newer_eventhub

OLD_EVENTHUB = REPOSITORY / ".venv-eventhub-oldest"
DATA = Path(__file__).parents[1] / "data" / "reference_options.json"


def old_paho() -> Path:
    """The site-packages folder of the official SDK's environment, which has paho-mqtt 1.6.1."""
    (folder,) = (REPOSITORY / ".venv-sdk" / "lib").glob("python*/site-packages")
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Az:
    """az with both extensions."""
    if not (REPOSITORY / ".venv-sdk").exists() or not OLD_EVENTHUB.exists():
        pytest.skip("paho-mqtt 1.6.1, which azure-iot-device brings, or azure-eventhub 5.14.0: make test installs them")
    extensions = tmp_path_factory.mktemp("extensions")
    install_beside(extensions, EXTENSIONS / "iotjobs", DATA, old_paho(), OLD_EVENTHUB)
    return Az(tmp_path_factory.mktemp("both-config"), extensions)


@pytest.fixture(scope="module")
def both_newer(both: Az, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """The same, of an azure-iot that is newer than ours is prepared for; the configuration is the same too."""
    extensions = tmp_path_factory.mktemp("newer-extensions")
    eventhub = newer_eventhub(tmp_path_factory.mktemp("newer-eventhub"), EXTENSIONS / "iotjobs")
    install_beside(extensions, EXTENSIONS / "iotjobs", DATA, old_paho(), eventhub)
    return Az(both.config_dir, extensions)


@pytest.fixture(scope="module")
def both_hub(both: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    yield from running_hub(both, tmp_path_factory.mktemp("both-hub"))


def test_the_stand_in_is_loaded_and_its_paho_comes_first(both: Az) -> None:
    listed = {each["name"] for each in both.json("extension", "list")}
    assert listed == {"azure-iot", "iotjobs"}
    # A command of the stand-in's that ours does not have: it is there, and its validator is as bad as it says.
    refused = both.run("iot edge stand-in --device-id x")
    assert refused.code != 0
    assert "the stand-in" in refused.stderr
    assert imported_beside(both, "import paho.mqtt; print(paho.mqtt.__version__)").stdout.strip() == "1.6.1"
    assert "the stand-in's aiohttp" in imported_beside(both, "import aiohttp").stderr


def imported_beside(az: Az, code: str) -> "subprocess.CompletedProcess[str]":
    """A program with the search path of az's extensions, which az appends in the order of their names."""
    path = [str(az.extensions / name) for name in ("azure-iot", "iotjobs")]
    line = f"import sys; sys.path += {path!r}; {code}"
    return subprocess.run([sys.executable, "-S", "-c", line], capture_output=True, text=True, check=False)


def test_every_command_of_both_is_answered_by_ours(both_hub: ScenarioHub, tmp_path: Path) -> None:
    az, hub = both_hub.az, ("-n", both_hub.name)
    az.json("iot hub device-identity create", *hub, "-d", "d1")
    simulator = az.start("iot device simulate", *hub, "-d", "d1", "--mrc", "201", output=tmp_path / "out")
    try:
        both_hub.wait_for_connection("d1")
        assert az.json("iot hub invoke-device-method", *hub, "-d", "d1", "--mn", "x")["status"] == 201
        created = az.json(
            "iot hub job create",
            *hub,
            "--job-id",
            "j1",
            "--jt",
            "scheduleDeviceMethod",
            "--mn",
            "x",
            "-q",
            "*",
            "--wait",
            "--interval",
            "1",
        )
        assert created["status"] == "completed"
    finally:
        simulator.send_signal(signal.SIGINT)
        assert simulator.wait(30) == 0
    assert az.json("iot hub job show", *hub, "--job-id", "j1")["jobId"] == "j1"
    assert [job["jobId"] for job in az.json("iot hub job list", *hub)] == ["j1"]
    ended = az.run("iot hub job cancel", *hub, "--job-id", "j1")
    assert "OperationNotAllowedInCurrentState" in ended.stderr
    assert az.json("iot hub query", *hub, "-q", "SELECT COUNT() AS n FROM devices") == [{"n": 1}]
    assert len(az.json("iot hub device-identity list", *hub)) == 1
    assert len(az.json("iot hub device-twin list", *hub)) == 1
    assert az.json("iot hub device-twin show", *hub, "-d", "d1")["deviceId"] == "d1"
    twin = az.json("iot hub device-twin update", *hub, "-d", "d1", "--set", "tags.a=1")
    assert twin["tags"] == {"a": 1}
    assert az.json("iot hub module-identity create", *hub, "-d", "d1", "-m", "m1")["moduleId"] == "m1"
    renewed = az.json("iot hub device-identity renew-key", *hub, "-d", "d1", "--kt", "swap")
    assert renewed["deviceId"] == "d1"
    assert "sr=localhost" in az.json("iot hub generate-sas-token", *hub)["sas"]
    words = ("iot", "hub", "device-identity", "connection-string", "show")
    assert "DeviceId=d1" in az.json(*words, *hub, "-d", "d1")["connectionString"]
    disabled = az.json("iot hub device-identity update", *hub, "-d", "d1", "--set", "status=disabled")
    assert disabled["status"] == "disabled"
    assert az.json("iot hub device-identity show", *hub, "-d", "d1")["status"] == "disabled"
    assert az.run("iot device c2d-message send", *hub, "-d", "d1").code == 0
    assert az.run("iot hub device-identity delete", *hub, "-d", "d1").code == 0
    ended = az.run("iot hub monitor-events", *hub, "-d", "d1", "--timeout", "1", environment={"PYTHONVERBOSE": "1"})
    assert ended.code == 7
    loaded = re.findall(r"/(azure-iot|iotjobs)/azure/eventhub/_pyamqp/__init__\.py", ended.stderr)
    assert loaded and loaded[-1] == "iotjobs"  # the stand-in has loaded its own before
    assert az.json("iot local-hub show")["hostName"] == both_hub.name
    assert az.run("iot local-hub reset --yes").code == 0


def test_beside_a_newer_event_hubs_package_messages_go_both_ways(both_hub: ScenarioHub, both_newer: Az) -> None:
    az, hub = both_newer, ("-n", both_hub.name)
    az.json("iot hub device-identity create", *hub, "-d", "d2")
    assert az.run("iot device send-d2c-message", *hub, "-d", "d2", "--data", "hello").code == 0
    read = az.run("iot hub monitor-events", *hub, "-d", "d2", "--et", "0", "--mc", "1", "--timeout", "20")
    assert read.code == 0 and "hello" in read.stdout, read.stderr
    assert "the stand-in has azure-eventhub 6" in read.stderr, "az had the stand-in's loaded"
    assert az.run("iot device c2d-message send", *hub, "-d", "d2", "--data", "x").code == 0


def test_no_dest_of_ours_is_one_of_the_reference(reference: dict[str, Any]) -> None:
    """What is named the same gets the other extension's validators; the one cure is not to be named the same."""
    from tests.helpers.surface import our_arguments

    ours = {name for arguments in our_arguments().values() for name in arguments}
    assert ours.isdisjoint(reference["all_names"])
    assert json.dumps(sorted(ours))  # names are plain words
