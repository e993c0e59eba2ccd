"""The hub for other people's tests: from the installed extension, by pytest, and az beside it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub
from tests.helpers.az import EXTENSIONS, Az

USERS_TEST = """
def test_first(local_hub):
    local_hub.create_device("d1")
    assert "tags" not in local_hub.request("GET", "/twins/d1")

def test_second(local_hub, local_hub_session):
    assert local_hub.request("GET", "/devices") == []
    assert local_hub.host_name != local_hub_session.host_name
"""


def test_a_users_pytest_has_the_fixtures(az: Az, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["azext_iotjobs.localhub.testing"]\n')
    (tmp_path / "test_theirs.py").write_text(USERS_TEST)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(az.extensions / "iotjobs")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout


def test_az_in_its_environment_sees_this_hub_and_no_other(hub: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_EXTENSION_DIR", str(EXTENSIONS))
    with LocalHub() as own:
        environment = own.environment()
        az = Az(Path(environment["AZURE_CONFIG_DIR"]))
        az.environment.update(environment)
        az.json("iot hub device-identity create -n localhost -d by-az")
        assert own.request("GET", "/devices/by-az")["deviceId"] == "by-az"
        named_by_environment = az.json("iot hub device-identity list")
        assert [each["deviceId"] for each in named_by_environment] == ["by-az"]
        shown = az.json("iot local-hub show")
        assert shown["hostName"] == own.host_name
