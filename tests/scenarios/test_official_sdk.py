"""Microsoft's own device SDK answers our commands: the proof that the wire is right on both sides of us.

The SDK dials port 8883 whatever it is told, so this hub has that port, on a loopback address of its own.
"""

import json
from collections.abc import Iterator

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Az
from tests.helpers.driven import Driven
from tests.helpers.official_sdks import MQTT_PORT, needs_mqtt_port, needs_python_sdk, own_address, python_device
from tests.helpers.waiting import wait_until

ADDRESS = own_address(2)
pytestmark = [needs_python_sdk, needs_mqtt_port]


@pytest.fixture(scope="module")
def sdk_hub(az: Az, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScenarioHub]:
    started = az.json(
        f"iot local-hub start --detach --in-memory --bind {ADDRESS} --https-port 0 --mqtt-port {MQTT_PORT}",
        "--data-dir",
        str(tmp_path_factory.mktemp("sdk-hub")),
    )
    yield ScenarioHub(az, started)
    az.run("iot local-hub stop", "--https-port", str(started["httpsPort"]))


@pytest.fixture(scope="module")
def device(sdk_hub: ScenarioHub) -> Iterator[Driven]:
    """A device made of the official SDK, connected."""
    sdk_hub.new_device("sdk-1")
    words = ("iot", "hub", "device-identity", "connection-string", "show", "-n", sdk_hub.name, "-d", "sdk-1")
    connection_string = sdk_hub.az.json(*words)["connectionString"]
    assert connection_string.startswith(f"HostName={ADDRESS};"), "a device's string carries no port"
    with python_device() as device:
        device.do("open", {"connectionString": connection_string, "ca": sdk_hub.document["caCertificatePath"]})
        device.do("listen")
        assert sdk_hub.state_of("sdk-1") == "Connected"
        yield device


def test_the_sdk_answers_our_direct_method(sdk_hub: ScenarioHub, device: Driven) -> None:
    answer = sdk_hub.az.json(
        f"iot hub invoke-device-method -n {sdk_hub.name} -d sdk-1 --mn reboot",
        "--mp",
        '{"delay": 5}',
    )
    assert answer == {"status": 202, "payload": {"echo": {"delay": 5}}}


def test_the_sdk_answers_our_method_jobs_with_payload_and_null(sdk_hub: ScenarioHub, device: Driven) -> None:
    for job, payload in (("sdk-payload", '{"n": 1}'), ("sdk-null", "null")):
        ended = sdk_hub.az.json(
            f"iot hub job create -n {sdk_hub.name} --job-id {job} --jt scheduleDeviceMethod --mn update "
            "--wait --poll-interval 1",
            "--mp",
            payload,
            "-q",
            "deviceId = 'sdk-1'",
        )
        assert ended["status"] == "completed"
        assert ended["deviceJobStatistics"]["succeededCount"] == 1
        (row,) = sdk_hub.az.json(
            f"iot hub query -n {sdk_hub.name}", "-q", f"SELECT * FROM devices.jobs WHERE jobId = '{job}'"
        )
        assert row["outcome"]["deviceMethodResponse"] == {"status": 202, "payload": {"echo": json.loads(payload)}}


def test_the_sdk_sees_our_twin_job_and_reports_back(sdk_hub: ScenarioHub, device: Driven) -> None:
    sdk_hub.az.json(
        f"iot hub job create -n {sdk_hub.name} --job-id sdk-twin --jt scheduleUpdateTwin --wait --poll-interval 1",
        "--patch",
        '{"properties":{"desired":{"BuildingNo":45}}}',
        "-q",
        "deviceId = 'sdk-1'",
    )
    device.event("desired", lambda each: each["patch"].get("BuildingNo") == 45)

    def reported() -> object:
        twin = sdk_hub.az.json(f"iot hub device-twin show -n {sdk_hub.name} -d sdk-1")
        return twin["properties"]["reported"].get("BuildingNo")

    wait_until("what the SDK reported is in the twin", lambda: reported() == 45)
