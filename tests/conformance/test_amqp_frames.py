"""The AMQP client within Microsoft's Event Hubs SDK for Python: messages of many frames, in both directions."""

import json
import subprocess

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.helpers.any_hub import sas
from tests.helpers.official_sdks import PROGRAMS, SDK_PYTHON, needs_python_sdk

pytestmark = needs_python_sdk
LIMIT_S = 120


@pytest.mark.parametrize("max_frame_bytes", [512, 65536])
def test_a_large_message_passes_in_frames_of_any_size(max_frame_bytes: int) -> None:
    with LocalHub("--partitions", "2", amqp_plain=True) as hub:
        hub.create_device("pump-1")
        key = hub.device_connection_string("pump-1").partition("SharedAccessKey=")[2]
        owner = hub.connection_string.partition("SharedAccessKey=")[2]
        given = {
            "port": hub.amqp_plain_port,
            "device": "pump-1",
            "deviceToken": sas(key, "localhost/devices/pump-1"),
            "serviceToken": sas(owner, "localhost", policy="iothubowner"),
            "maxFrameBytes": max_frame_bytes,
            "bodyBytes": 200 * 1024,
            "partitions": ["0", "1"],
        }
        ran = subprocess.run(
            [str(SDK_PYTHON), str(PROGRAMS / "amqp_frames.py")],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["received"] == [found["sent"]]
