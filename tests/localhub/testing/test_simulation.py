"""Simulated devices for tests, without az: they answer, they send, and they end with their hub."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing import LocalHub, LocalHubTimeout, SimulationFailed
from tests.helpers.waiting import wait_until

OLD_PAHO = '__version__ = "1.6.1"\n'


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


def test_they_behave_as_a_file_says_until_they_are_stopped(hub: LocalHub, tmp_path: Path) -> None:
    file = tmp_path / "pumps.yaml"
    file.write_text("methods: {openValve: {status: 201}}\ntelemetry: {main: {every: 100ms, values: {t: 21}}}\n")
    hub.create_device("known", status="enabled")
    with hub.simulate("known", "new-1", behaviour=file) as pumps:
        assert pumps.device_ids == ["known", "new-1"]
        assert hub.wait_connected("new-1")["connectionState"] == "Connected"
        assert hub.call("known", "openValve")["status"] == 201
        assert hub.wait_for_telemetry("new-1", {"t": 21}).device_id == "new-1"
        hub.patch_twin("known", desired={"interval": 5})
        assert hub.wait_reported("known", {"interval": 5})["interval"] == 5
    assert pumps.process.returncode == 0 and pumps.errors == ""
    wait_until("they are gone", lambda: hub.twin("known")["connectionState"] == "Disconnected")


def test_a_behaviour_may_be_a_document_or_ready_made_and_errors_say_what_is_wrong(hub: LocalHub) -> None:
    hub.simulate("r1", behaviour="reboot", seed="1").stop()
    absent = {"presence": {"offline": "100%"}}
    hub.simulate("a1", behaviour=absent).stop()  # those that never connect are not waited for
    with pytest.raises(SimulationFailed, match="behaviour, line 1: unknown key 'telemetri' .did you mean telemetry"):
        hub.simulate("r1", behaviour={"telemetri": {}})
    with pytest.raises(ValueError, match="0 devices: give 1 to 10,000 ids"):
        hub.simulate()


def test_they_end_with_their_hub_and_their_process_leaves_nothing() -> None:
    with LocalHub() as hub:
        simulation = hub.simulate("d1")
        folder = Path(hub.info["dataDirectory"]).parent
    assert simulation.process.returncode == 0 and not folder.exists()


def test_who_does_not_connect_in_time_is_told_of(hub: LocalHub) -> None:
    hub.create_device("disabled", status="disabled")
    with pytest.raises((LocalHubTimeout, SimulationFailed), match="disabled"):
        hub.simulate("disabled", timeout_s=2)


@pytest.mark.skipif(sys.platform == "win32", reason="PYTHONPATH before the environment's packages")
def test_with_an_older_paho_they_say_which_one_they_need(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "paho" / "mqtt").mkdir(parents=True)
    (tmp_path / "paho" / "__init__.py").touch()
    (tmp_path / "paho" / "mqtt" / "__init__.py").write_text(OLD_PAHO)
    (tmp_path / "paho" / "mqtt" / "client.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SimulationFailed, match=r"paho-mqtt 1.6.1 was found; 2.1 or newer is needed"):
        hub.simulate("p1")
