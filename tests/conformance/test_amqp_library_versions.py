"""Our clients of AMQP as a service, with the oldest and the newest azure-eventhub that commands work with."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from azext_iotjobs.transport.amqp_library import KNOWN, LEAST
from tests.helpers.hub_messages import wait_for_events

REPOSITORY = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("programs") / "amqp_service.py"
OLDEST = REPOSITORY / ".venv-eventhub-oldest"
FOLDERS = {"newest": None, "oldest": OLDEST}


def run_with(folder: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """What the program prints with the azure-eventhub in `folder`; None: with the one of these tests."""
    path = [str(each) for each in (folder, REPOSITORY) if each is not None]
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("is_websocket", [False, True], ids=["amqp", "websocket"])
@pytest.mark.parametrize("age", FOLDERS)
def test_it_sends_asks_where_events_are_and_reads_them(age: str, is_websocket: bool) -> None:
    folder = FOLDERS[age]
    if folder is not None and not folder.exists():
        pytest.skip("the oldest azure-eventhub is not installed: make test does it")
    with LocalHub() as hub:
        device = f"{age}-{is_websocket}"
        hub.create_device(device)
        hub.request("POST", f"/devices/{device}/messages/events", {"t": 21})
        wait_for_events(hub, device)
        key = hub.connection_string.partition("SharedAccessKey=")[2]
        given = {
            "host": hub.host_name.partition(":")[0],
            "port": hub.amqp_port,
            "httpsPort": hub.https_port,
            "ca": hub.ca_certificate_path,
            "policy": "iothubowner",
            "key": key,
            "device": device,
            "isWebSocket": is_websocket,
        }
        done = run_with(folder, given)
        sent = hub.request("GET", f"/devices/{device}/messages/devicebound")
    assert json.loads(done["event"]["body"]) == {"t": 21} and done["event"]["name"] == "local-hub"
    assert sent == "hello"
    first, _, last = KNOWN.partition(" to ")
    assert done["version"] == (last if folder is None else first)
    assert first.startswith(".".join(map(str, LEAST)))
