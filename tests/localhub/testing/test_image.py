"""The image of the local hub, as far as that can be seen without a container engine."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tests.helpers.az import REPOSITORY
from tests.helpers.waiting import wait_until

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
SENT = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
PINS = REPOSITORY / "container" / "requirements.txt"
HERE = ("--bind", "127.0.0.1", "--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0")


def instructions(name: str) -> list[str]:
    """What follows an instruction's name, for each time that it is there."""
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)


def test_what_is_copied_is_there_and_nothing_else_is_sent_to_the_engine() -> None:
    copied = {each for line in instructions("COPY") if "--from" not in line for each in line.split()[:-1]}
    assert copied == SENT
    assert [each for each in copied if not (REPOSITORY / each).exists()] == []


def test_its_ports_are_those_that_the_hub_is_started_with_and_that_compose_publishes() -> None:
    (exposed,) = instructions("EXPOSE")
    started = re.findall(r"--\w+-port (\d+)", (REPOSITORY / "container" / "entrypoint.sh").read_text())
    compose = yaml.safe_load((REPOSITORY / "container" / "compose.yaml").read_text())
    assert exposed.split() == started == ["443", "8883", "5671"]
    assert compose["services"]["iothub"]["ports"] == [f"127.0.0.1:{port}:{port}" for port in started]


def test_it_is_run_by_nobody_special_and_by_scripts_that_can_be_run() -> None:
    assert instructions("USER") == ["10001:10001"]
    (entry,), (health,) = instructions("ENTRYPOINT"), instructions("HEALTHCHECK")
    for name in (*json.loads(entry), *json.loads(health.partition("CMD ")[2])):
        assert os.access(REPOSITORY / "container" / name, os.X_OK), name


def test_the_packages_of_the_image_are_what_the_wheel_requires_in_exact_versions() -> None:
    texts = [path.read_text() for path in (PINS, PINS.parent / "../requirements/runtime.txt")]
    lines = [line for text in texts for line in text.splitlines() if line[:1] not in ("", "#", "-")]
    pins = {each.name.lower(): each for each in map(Requirement, lines)}
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.findall(r"^(?:dependencies|local-hub) = \[(.*?)\]", project, re.DOTALL | re.MULTILINE)
    required = [Requirement(text) for part in listed for text in re.findall(r'"([^"]+)"', part)]
    assert len(required) > 7 and "-r ../requirements/runtime.txt" in texts[0].splitlines()
    for each in required:
        if each.marker is None or each.marker.evaluate({"sys_platform": "linux"}):
            (pin,) = pins[each.name.lower()].specifier
            assert pin.operator == "==" and Version(pin.version) in each.specifier, each


def commands(folder: Path) -> Path:
    """A folder with what the image has on its path."""
    folder.mkdir()
    (folder / "iotjobs-local-hub").write_text(f'#!/bin/sh\nexec {sys.executable} -m azext_iotjobs.localhub "$@"\n')
    (folder / "iotjobs-local-hub").chmod(0o755)
    (folder / "python").symlink_to(sys.executable)
    for name in ("entrypoint.sh", "healthcheck.py"):
        (folder / name).symlink_to(REPOSITORY / "container" / name)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="images are of Linux")
def test_the_container_is_the_hub_which_is_healthy_until_it_is_ended(tmp_path: Path) -> None:
    data, path = tmp_path / "data", commands(tmp_path / "bin")
    data.mkdir()
    env = {
        **os.environ,
        **{"PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)},
        **{"DATA_DIR": str(data), "CA_FILE": str(tmp_path / "ca.pem"), "DNS_NAMES": "iothub hub.test", "SEED_FILE": ""},
    }

    def health() -> tuple[int, str]:
        asked = subprocess.run(["healthcheck.py"], env=env, capture_output=True, text=True, check=False, timeout=60)
        return asked.returncode, asked.stdout

    assert health() == (1, f"The hub has not begun to serve clients: there is no file {data / 'ready.json'}.\n")
    hub = subprocess.Popen(["entrypoint.sh", *HERE], env=env, stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None
    with hub.stdout:
        ready = json.loads(hub.stdout.readline())
    assert health() == (0, '{"status":"up"}\n')
    assert ready["pid"] == hub.pid, "the script has become the hub, so that it gets signals"
    assert [each["hostName"].partition(":")[0] for each in ready["dnsNames"]] == ["iothub", "hub.test"]
    ca = tmp_path / "ca.pem"
    assert ca.read_bytes() == Path(ready["caCertificatePath"]).read_bytes() and ca.stat().st_mode & 0o777 == 0o644
    os.kill(hub.pid, signal.SIGSTOP)
    code, text = health()
    os.kill(hub.pid, signal.SIGCONT)
    assert code == 1 and text.startswith("The hub does not answer: ")
    hub.send_signal(signal.SIGTERM)
    assert hub.wait(60) == 0
    wait_until("it is said to be gone", lambda: health()[0] == 1)
