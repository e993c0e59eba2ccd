"""The wheel in an environment without az, as pip installs it for somebody with an empty home folder.

It takes a package registry and a minute: `make torture`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs import __version__
from tests.helpers.az import EXTENSIONS, REPOSITORY
from tests.helpers.official_sdks import has_https_port, needs_https_port, needs_mqtt_port, needs_node, own_address
from tests.helpers.short_form import IN_FULL

pytestmark = pytest.mark.skipif(
    not IN_FULL, reason="it installs an environment from a package registry: make torture does"
)
WHEEL = EXTENSIONS / "iotjobs" / f"iotjobs-{__version__}-py3-none-any.whl"
GUIDE = REPOSITORY / "docs" / "how-to" / "testing.md"
APPS = REPOSITORY / "docs" / "how-to" / "testing-examples.md"
FILE = re.compile(r"^<!-- run: file (\S+) -->\n```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
FREE_PORTS = ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0")
LIMIT_S = 600

WITH_THE_SDK = f'''
import ssl

from azext_iotjobs.localhub.testing import LocalHub
from azure.iot.device import IoTHubDeviceClient, Message


def test_a_device_of_microsofts_sdk_reports_to_the_hub():
    with LocalHub("--bind", "{own_address(4)}", "--mqtt-port", "8883") as hub:
        hub.create_device("pump-1")
        ca = open(hub.ca_certificate_path).read()
        device = IoTHubDeviceClient.create_from_connection_string(
            hub.device_connection_string("pump-1"), server_verification_cert=ca
        )
        device.connect()
        device.patch_twin_reported_properties({{"firmware": "2.0.1"}})
        device.shutdown()
        assert hub.request("GET", "/twins/pump-1")["properties"]["reported"]["firmware"] == "2.0.1"


def test_the_fixture_is_a_hub(local_hub):
    assert local_hub.request("GET", "/devices") == []


def test_jobs_run_from_python(local_hub):
    from azext_iotjobs.sdk import JobClient

    with JobClient.from_connection_string(local_hub.connection_string, ca_file=local_hub.ca_bundle_path) as client:
        client.schedule_twin_update("tag-1", "*", {{"tags": {{"site": "north"}}}})
        assert client.wait("tag-1", poll_interval_s=1).status.value == "completed"


def test_simulated_devices_need_a_newer_paho():
    from azext_iotjobs.model.clock import SystemClock
    from azext_iotjobs.model.errors import OldDependency
    from azext_iotjobs.model.target import HubTarget
    from azext_iotjobs.transport.mqtt import MqttTransport

    try:
        MqttTransport(HubTarget("localhost"), SystemClock())
    except OldDependency as err:
        assert "paho-mqtt 1.6.1 was found; 2.1 or newer is needed" in str(err)
        assert 'python -m pip install "paho-mqtt>=2.1"' in str(err.hint)
    else:
        raise AssertionError("paho-mqtt 1.6.1 was taken")
'''


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment in which pip has put the wheel for tests beside Microsoft's device SDK; gives its programs."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder / "environment", with_pip=True)
    programs = folder / "environment" / "bin"
    shutil.copy(WHEEL, folder)
    words = ("install", "--quiet", f"{folder / WHEEL.name}[testing,sdk]", "azure-iot-device", "pytest-xdist")
    run(folder, str(programs / "python"), "-m", "pip", *words)
    yield programs


def run(home: Path, *words: str) -> str:
    """What a command prints that must succeed, in an empty folder and with an empty home."""
    (home / "work").mkdir(exist_ok=True)
    ran = subprocess.run(
        words, cwd=home / "work", env=variables(home), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def variables(home: Path) -> dict[str, str]:
    left_out = ("AZURE", "IOTJOBS", "PYTHON", "PYTEST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "HOME": str(home), "TMPDIR": str(home)}


@needs_mqtt_port
def test_beside_microsofts_sdk_the_hub_the_fixtures_and_the_library_work(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "conftest.py").write_text('pytest_plugins = ["azext_iotjobs.localhub.testing"]\n')
    (tmp_path / "work" / "test_theirs.py").write_text(WITH_THE_SDK)
    assert "4 passed" in run(tmp_path, str(environment / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider")


@needs_mqtt_port
def test_the_tests_of_the_how_to_guide_pass_in_parallel(environment: Path, tmp_path: Path) -> None:
    files = dict(FILE.findall(GUIDE.read_text(encoding="utf-8")))
    for name in ("test_service.py", "test_observed.py"):
        assert ".simulate(" in files.pop(name), "simulated devices need a newer paho-mqtt than Microsoft's SDK has"
    (tmp_path / "work").mkdir()
    for name, text in files.items():
        own = text.replace("mqtt.CallbackAPIVersion.VERSION2, ", "")  # which its paho-mqtt has not
        (tmp_path / "work" / name).write_text(own, encoding="utf-8")
        if name == "test_thermostat.py":
            (tmp_path / "work" / "test_another_thermostat.py").write_text(own, encoding="utf-8")
    words = ("-m", "pytest", "-q", "-rs", "-n", "2", "-p", "no:cacheprovider")
    said = run(tmp_path, str(environment / "python"), *words)
    passed = "5 passed" if has_https_port else "3 passed, 2 skipped"
    assert passed in said, said
    assert has_https_port or "sudo sysctl net.ipv4.ip_unprivileged_port_start=443" in said


@needs_https_port
@needs_node
def test_the_tests_of_three_apps_pass_in_parallel(environment: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name, text in FILE.findall(APPS.read_text(encoding="utf-8")):
        (work / name).write_text(text, encoding="utf-8")
    run(tmp_path, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "azure-iothub")
    said = run(tmp_path, str(environment / "python"), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider")
    assert "17 passed" in said, said


def test_a_command_is_run_with_a_hub(environment: Path, tmp_path: Path) -> None:
    told = run(tmp_path, str(environment / "iotjobs-local-hub"), "exec", "--", "printenv", "IOTJOBS_CONNECTION_STRING")
    assert told.startswith("HostName=localhost:") and len(told.splitlines()) == 1


def test_the_local_hub_runs_alone_and_leaves_nothing(environment: Path, tmp_path: Path) -> None:
    script = str(environment / "iotjobs-local-hub")
    assert run(tmp_path, script, "--help").startswith("usage: iotjobs-local-hub [-h] ")
    before = set(tmp_path.iterdir())
    hub = subprocess.Popen(
        [script, *FREE_PORTS], cwd=tmp_path, env=variables(tmp_path), stdout=subprocess.PIPE, text=True
    )
    assert hub.stdout is not None
    assert json.loads(hub.stdout.readline())["inMemory"] is True
    hub.send_signal(signal.SIGTERM)
    hub.communicate(timeout=60)
    assert hub.returncode == 0 and set(tmp_path.iterdir()) == before
