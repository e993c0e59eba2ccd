"""Microsoft's own device SDK answers our commands: the proof that the wire is right on both sides of us.

The SDK dials port 8883 whatever it is told, so this hub has that port, on a loopback address of its own.
"""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import REPOSITORY, Az
from tests.helpers.waiting import wait_until

SDK_PYTHON = REPOSITORY / ".venv-sdk" / "bin" / "python"
DEVICE_PROGRAM = Path(__file__).parents[1] / "helpers" / "sdk_device.py"
ADDRESS = "127.0.0.77"


def address_is_free() -> bool:
    try:
        socket.create_server((ADDRESS, 8883)).close()
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.skipif(not SDK_PYTHON.exists(), reason="azure-iot-device is not installed: make test does it"),
    pytest.mark.skipif(not address_is_free(), reason=f"{ADDRESS}:8883, which the SDK dials, cannot be bound"),
]


@pytest.fixture(scope="module")
def sdk_hub(az: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    started = az.json(
        "iot", "local-hub", "start", "--detach", "--in-memory", "--bind", ADDRESS, "--https-port", "0",
        "--mqtt-port", "8883", "--data-dir", str(tmp_path_factory.mktemp("sdk-hub")),
    )  # fmt: skip
    yield ScenarioHub(az, started)
    az.run("iot", "local-hub", "stop", "--https-port", str(started["httpsPort"]))


@pytest.fixture(scope="module")
def seen(sdk_hub: ScenarioHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A device made of the official SDK; gives the file into which it writes a JSON line for all that reaches it."""
    sdk_hub.new_device("sdk-1")
    words = ("iot", "hub", "device-identity", "connection-string", "show", "-n", sdk_hub.name, "-d", "sdk-1")
    connection_string = sdk_hub.az.json(*words)["connectionString"]
    assert connection_string.startswith(f"HostName={ADDRESS};"), "a device's string carries no port"
    output = tmp_path_factory.mktemp("sdk") / "seen.jsonl"
    with open(output, "wb") as stream:
        device = subprocess.Popen(
            [str(SDK_PYTHON), str(DEVICE_PROGRAM), sdk_hub.document["caCertificatePath"]],
            stdin=subprocess.PIPE,
            stdout=stream,
        )
    assert device.stdin is not None
    device.stdin.write(connection_string.encode() + b"\n")
    device.stdin.flush()
    try:
        sdk_hub.wait_for_connection("sdk-1")
        wait_until("the SDK is ready", lambda: '"ready"' in output.read_text())
        yield output
    finally:
        device.stdin.close()  # its sign to end
        device.wait(30)


def lines(seen: Path) -> list[dict]:
    return [json.loads(line) for line in seen.read_text().splitlines()]


def test_the_sdk_answers_our_direct_method(sdk_hub: ScenarioHub, seen: Path) -> None:
    answer = sdk_hub.az.json(
        "iot", "hub", "invoke-device-method", "-n", sdk_hub.name, "-d", "sdk-1", "--mn", "reboot",
        "--mp", '{"delay": 5}',
    )  # fmt: skip
    assert answer == {"status": 202, "payload": {"echo": {"delay": 5}}}


def test_the_sdk_answers_our_method_jobs_with_payload_and_null(sdk_hub: ScenarioHub, seen: Path) -> None:
    for job, payload in (("sdk-payload", '{"n": 1}'), ("sdk-null", "null")):
        ended = sdk_hub.az.json(
            "iot", "hub", "job", "create", "-n", sdk_hub.name, "--job-id", job, "--jt", "scheduleDeviceMethod",
            "--mn", "update", "--mp", payload, "-q", "deviceId = 'sdk-1'", "--wait", "--poll-interval", "1",
        )  # fmt: skip
        assert ended["status"] == "completed"
        assert ended["deviceJobStatistics"]["succeededCount"] == 1
        (row,) = sdk_hub.az.json("iot", "hub", "query", "-n", sdk_hub.name, "-q",
                                 f"SELECT * FROM devices.jobs WHERE jobId = '{job}'")  # fmt: skip
        assert row["outcome"]["deviceMethodResponse"] == {"status": 202, "payload": {"echo": json.loads(payload)}}


def test_the_sdk_sees_our_twin_job_and_reports_back(sdk_hub: ScenarioHub, seen: Path) -> None:
    sdk_hub.az.json(
        "iot", "hub", "job", "create", "-n", sdk_hub.name, "--job-id", "sdk-twin", "--jt", "scheduleUpdateTwin",
        "--patch", '{"properties":{"desired":{"BuildingNo":45}}}', "-q", "deviceId = 'sdk-1'",
        "--wait", "--poll-interval", "1",
    )  # fmt: skip
    wait_until(
        "the SDK got the patch", lambda: any(each.get("desired", {}).get("BuildingNo") == 45 for each in lines(seen))
    )

    def reported() -> object:
        twin = sdk_hub.az.json("iot", "hub", "device-twin", "show", "-n", sdk_hub.name, "-d", "sdk-1")
        return twin["properties"]["reported"].get("BuildingNo")

    wait_until("what the SDK reported is in the twin", lambda: reported() == 45)


def test_the_sdk_reads_its_twin(sdk_hub: ScenarioHub, seen: Path) -> None:
    (ready,) = (each for each in lines(seen) if "ready" in each)
    assert ready["ready"]["desired"]["$version"] >= 1
    assert "tags" not in ready["ready"]
