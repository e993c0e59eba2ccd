"""What a run creates and removes around a simulation, however it ends, and its log on disk."""

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.simulate import created_devices_log
from azext_iotjobs.cli.simulate.create_devices import RegisteredDevices, clean_up, registered
from azext_iotjobs.cli.simulate.credentials import CredentialPlan
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.cli.simulate.select_devices import SimulatedDevices
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import CannotConnect, ConflictingChoice, LinkError, NotFound
from azext_iotjobs.model.target import HubTarget
from tests.helpers.device_registry_double import DeviceRegistryDouble

TARGET = HubTarget(host="Hub.example")
TEMPORARY = SimulateOptions(prefix="P", count=2, create=True, delete_after=True)
LASTING = SimulateOptions(prefix="P", count=2, create=True)
CLEAN_UP = SimulateOptions(clean_up="")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    return tmp_path


def creating(
    registry: DeviceRegistryDouble, options: SimulateOptions, **target: Any
) -> AbstractContextManager[RegisteredDevices]:
    client = HubClient(HubTarget(host=TARGET.host, **target), registry)
    found = SimulatedDevices(existing=(), missing=("P1", "P2"), numbers={"P1": 0, "P2": 1}, own_keys={})
    return registered(client, found, options, CredentialPlan(), threading.Event())


def cleaned(
    registry: DeviceRegistryDouble, options: SimulateOptions = CLEAN_UP, target: HubTarget = TARGET
) -> dict[str, Any]:
    return clean_up(SimpleNamespace(), HubClient(target, registry), options)


def test_how_long_the_quota_makes_it_take_is_shown_before_devices_are_created(caplog: pytest.LogCaptureFixture) -> None:
    registry = DeviceRegistryDouble()
    with creating(registry, TEMPORARY):
        assert "Registering 2 devices: about 1 s on an S1" in caplog.text and "as long again" in caplog.text
    caplog.clear()
    with creating(registry, TEMPORARY, is_local=True):
        assert "Registering" not in caplog.text


@pytest.mark.parametrize("end", [None, CannotConnect("no hub"), ValueError("a bug of ours")])
def test_the_devices_that_a_run_created_are_removed_however_it_ends(end: Exception | None) -> None:
    registry = DeviceRegistryDouble("P1x")
    try:
        with creating(registry, TEMPORARY) as created:
            assert registry.devices.keys() == {"P1", "P2", "P1x"}
            assert [each.sign_in for each in created.devices.existing] == ["sas", "sas"]
            if end is not None:
                raise end
    except (LinkError, ValueError) as err:
        assert err is end
    assert registry.devices.keys() == {"P1x"}
    assert list(created_devices_log.folder().iterdir()) == []


def test_created_devices_have_the_typed_tags_and_those_of_a_simulation() -> None:
    registry = DeviceRegistryDouble()
    options = SimulateOptions(prefix="P", count=2, create=True, our_tags=["site=north", "place.floor=2"])
    with creating(registry, options) as created:
        for facts in created.devices.existing:
            simulation_tags = {"simulated": True, "simulatedRun": created.run}
            assert facts.tags == {"site": "north", "place": {"floor": 2}, **simulation_tags}
            assert registry.devices[facts.device_id]["tags"] == facts.tags


def test_a_second_ctrl_c_removes_nothing_and_says_how_to_clean_up(caplog: pytest.LogCaptureFixture) -> None:
    registry = DeviceRegistryDouble()
    with pytest.raises(KeyboardInterrupt), creating(registry, TEMPORARY):
        raise KeyboardInterrupt
    assert "2 devices are still registered" in caplog.text and "--clean-up" in caplog.text
    assert registry.devices.keys() == {"P1", "P2"}
    assert cleaned(registry)["runs"][0]["deleted"] == 2
    assert registry.devices == {}


def test_if_the_hub_is_gone_at_the_end_the_log_and_the_result_remain(caplog: pytest.LogCaptureFixture) -> None:
    registry = DeviceRegistryDouble()
    with creating(registry, TEMPORARY) as created:
        registry.is_reachable = False
    assert (created.left_count, created.deletion) == (2, None)
    assert "broke off: hub.example was not reached" in caplog.text
    registry.is_reachable = True
    assert cleaned(registry)["runs"][0]["deleted"] == 2


def test_a_device_that_somebody_registers_meanwhile_is_not_simulated() -> None:
    registry = DeviceRegistryDouble("P2")
    with pytest.raises(ConflictingChoice, match=r"1 device \(P2\) is not marked"), creating(registry, TEMPORARY):
        pytest.fail("simulated")
    assert registry.devices.keys() == {"P2"}


def test_only_runs_of_this_hub_that_have_ended_are_cleaned_up() -> None:
    registry = DeviceRegistryDouble()
    with creating(registry, LASTING) as lasting:
        pass
    registry.devices.clear()
    with creating(registry, TEMPORARY) as running:
        during = cleaned(registry)
        assert (during["runs"], during["running"]) == ([], [running.run])
        assert [each["run"] for each in during["kept"]] == [lasting.run]
        assert cleaned(registry, target=HubTarget(host="another.example"))["kept"] == []
        with pytest.raises(NotFound, match="is still running"):
            cleaned(registry, SimulateOptions(clean_up=running.run))
        assert registry.devices.keys() == {"P1", "P2"}
    with pytest.raises(NotFound, match="no list of run nothing"):
        cleaned(registry, SimulateOptions(clean_up="nothing"))
    planned = cleaned(registry, SimulateOptions(clean_up=lasting.run, dry_run=True))
    assert planned["runs"][0]["devices"] == ["P1", "P2"]
    assert cleaned(registry, SimulateOptions(clean_up=lasting.run))["runs"][0]["goneAlready"] == 2


def test_only_its_owner_can_read_the_log_and_it_holds_no_key(config: Path) -> None:
    with creating(DeviceRegistryDouble(), LASTING):
        [path] = created_devices_log.folder().iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert path.is_relative_to(config)
    assert "hub.example" in path.read_text() and "ey" not in path.read_text()
