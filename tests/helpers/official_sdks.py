"""Microsoft's SDKs as processes, and what they need of this machine.

They dial 8883, 5671 and 443, whatever they are told, so their hubs have these ports, on loopback addresses that are
this test run's own: two runs on one machine do not meet. What cannot be had here is skipped by name: the address, the
right to port 443, Node.js, an SDK.
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.helpers.driven import Driven

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = REPOSITORY / "tests" / "conformance" / "programs"
SDK_PYTHON = REPOSITORY / ".venv-sdk" / "bin" / "python"
NODE_MODULES = REPOSITORY / "requirements" / "node" / "node_modules"
OLDEST_NODE = 18
MQTT_PORT, AMQP_PORT, HTTPS_PORT = 8883, 5671, 443


def own_address(number: int) -> str:
    """A loopback address that no other test run uses; number: 0 to 9, one for each hub that runs at a time."""
    return f"127.{77 + number}.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"


ADDRESS = own_address(0)  # of the hub of tests/conformance


def can_bind(port: int) -> bool:
    try:
        socket.create_server((ADDRESS, port)).close()
    except OSError:
        return False
    return True


def node_version() -> int:
    """The major version of Node.js; 0 when there is none."""
    node = shutil.which("node")
    if node is None:
        return 0
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.strip().lstrip("v").split(".")[0] or 0)


has_https_port = can_bind(HTTPS_PORT)
needs_python_sdk = pytest.mark.skipif(
    not SDK_PYTHON.exists(), reason="azure-iot-device for Python is not installed: make test does it"
)
needs_node = pytest.mark.skipif(
    node_version() < OLDEST_NODE or not NODE_MODULES.is_dir(),
    reason=f"Microsoft's SDKs for Node.js are not installed: make test does it where Node.js {OLDEST_NODE} is",
)
needs_mqtt_port = pytest.mark.skipif(
    not can_bind(MQTT_PORT), reason=f"{ADDRESS}:{MQTT_PORT}, which SDKs dial, cannot be bound"
)
needs_amqp_port = pytest.mark.skipif(
    not can_bind(AMQP_PORT), reason=f"{ADDRESS}:{AMQP_PORT}, which SDKs dial, cannot be bound"
)
needs_https_port = pytest.mark.skipif(
    not has_https_port, reason=f"{ADDRESS}:{HTTPS_PORT}, which SDKs dial, cannot be bound; on most systems root can"
)


def python_device() -> Driven:
    """A device made of azure-iot-device for Python; it is to be opened."""
    return Driven(str(SDK_PYTHON), str(PROGRAMS / "device.py"))


def node_program(hub: LocalHub, name: str, *words: str) -> Driven:
    """A program on Microsoft's SDKs for Node.js, in an environment in which it trusts the hub. words: its arguments."""
    environment = {**hub.environment(), "NODE_PATH": str(NODE_MODULES)}
    return Driven("node", str(PROGRAMS / name), *words, environment=environment)
