"""What a run makes and removes around a simulation, whatever ends it, and the list on the disk meanwhile."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.simulate import created_devices_log
from azext_iotjobs.cli.simulate.create_devices import clean_up, made
from azext_iotjobs.cli.simulate.credentials import Ways
from azext_iotjobs.cli.simulate.options import FleetOptions
from azext_iotjobs.cli.simulate.select_devices import Fleet
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import CannotConnect, ConflictingChoice, LinkError, NotFound
from azext_iotjobs.model.target import HubTarget
from tests.helpers.bulk_registry_double import FleetRegistry

TARGET = HubTarget(host="Hub.example")
TEMPORARY = FleetOptions(id_prefix="P", fleet_size=2, creates=True, deletes_after=True)
LASTING = FleetOptions(id_prefix="P", fleet_size=2, creates=True)
CLEAN_UP = FleetOptions(cleans_up="")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    return tmp_path


def making(registry: FleetRegistry, options: FleetOptions, **target: Any) -> Any:
    client = HubClient(HubTarget(host=TARGET.host, **target), registry)
    found = Fleet(there=(), missing=("P1", "P2"), numbers={"P1": 0, "P2": 1}, own_keys={})
    ways = Ways(certificates=None, typed_key=None, passed_certificate=None)
    return made(client, found, options, ways, threading.Event())


def cleaned(registry: FleetRegistry, options: FleetOptions = CLEAN_UP, target: HubTarget = TARGET) -> dict[str, Any]:
    return clean_up(SimpleNamespace(), HubClient(target, registry), options)


def test_the_time_that_the_quota_allows_is_said_before_anything_is_made(caplog: pytest.LogCaptureFixture) -> None:
    registry = FleetRegistry()
    with making(registry, TEMPORARY):
        assert "Registering 2 devices: about 1 s on an S1" in caplog.text and "as long again" in caplog.text
    caplog.clear()
    with making(registry, TEMPORARY, is_local=True):
        assert "Registering" not in caplog.text


@pytest.mark.parametrize("end", [None, CannotConnect("no hub"), ValueError("a bug of ours")])
def test_however_a_run_ends_what_it_made_is_removed(end: Exception | None) -> None:
    registry = FleetRegistry("P1x")
    try:
        with making(registry, TEMPORARY) as fleet:
            assert registry.devices.keys() == {"P1", "P2", "P1x"}
            assert [each.sign_in for each in fleet.fleet.there] == ["sas", "sas"]
            if end is not None:
                raise end
    except (LinkError, ValueError) as err:
        assert err is end
    assert registry.devices.keys() == {"P1x"}
    assert list(created_devices_log.folder().iterdir()) == []


def test_what_is_made_has_the_typed_tags_beside_those_of_a_simulation() -> None:
    registry = FleetRegistry()
    options = FleetOptions(id_prefix="P", fleet_size=2, creates=True, tags_json=["site=north", "place.floor=2"])
    with making(registry, options) as fleet:
        for facts in fleet.fleet.there:
            assert facts.tags == {
                "site": "north", "place": {"floor": 2}, "simulated": True, "simulatedRun": fleet.run,
            }  # fmt: skip
            assert registry.devices[facts.device_id]["tags"] == facts.tags


def test_a_second_ctrl_c_leaves_at_once_and_says_how_to_clean_up(caplog: pytest.LogCaptureFixture) -> None:
    registry = FleetRegistry()
    with pytest.raises(KeyboardInterrupt), making(registry, TEMPORARY):
        raise KeyboardInterrupt
    assert "2 devices that this run made are left" in caplog.text and "--clean-up" in caplog.text
    assert registry.devices.keys() == {"P1", "P2"}
    assert cleaned(registry)["runs"][0]["deleted"] == 2
    assert registry.devices == {}


def test_a_hub_that_is_gone_at_the_end_leaves_a_list_and_the_result(caplog: pytest.LogCaptureFixture) -> None:
    registry = FleetRegistry()
    answer = registry.send

    def gone(_request: Any) -> Any:
        raise CannotConnect("hub.example was not reached")

    with making(registry, TEMPORARY) as fleet:
        registry.send = gone  # type: ignore[method-assign]
    assert (fleet.left_count, fleet.deletion) == (2, None)
    assert "broke off: hub.example was not reached" in caplog.text
    registry.send = answer  # type: ignore[method-assign]
    assert cleaned(registry)["runs"][0]["deleted"] == 2


def test_a_device_that_somebody_registers_meanwhile_is_guarded_too() -> None:
    registry = FleetRegistry("P2")
    with pytest.raises(ConflictingChoice, match=r"1 device \(P2\) is not marked"), making(registry, TEMPORARY):
        pytest.fail("simulated")
    assert registry.devices.keys() == {"P2"}


def test_only_runs_that_have_ended_of_this_hub_are_cleaned_up() -> None:
    registry = FleetRegistry()
    with making(registry, LASTING) as lasting:
        pass
    registry.devices.clear()
    with making(registry, TEMPORARY) as running:
        during = cleaned(registry)
        assert (during["runs"], during["running"]) == ([], [running.run])
        assert [each["run"] for each in during["kept"]] == [lasting.run]
        assert cleaned(registry, target=HubTarget(host="another.example"))["kept"] == []
        with pytest.raises(NotFound, match="still going on"):
            cleaned(registry, FleetOptions(cleans_up=running.run))
        assert registry.devices.keys() == {"P1", "P2"}
    with pytest.raises(NotFound, match="no list of run nothing"):
        cleaned(registry, FleetOptions(cleans_up="nothing"))
    assert cleaned(registry, FleetOptions(cleans_up=lasting.run, only_plans=True))["runs"][0]["devices"] == ["P1", "P2"]
    assert cleaned(registry, FleetOptions(cleans_up=lasting.run))["runs"][0]["goneAlready"] == 2


def test_the_list_is_its_owners_alone_and_holds_no_key(config: Path) -> None:
    with making(FleetRegistry(), LASTING):
        [path] = created_devices_log.folder().iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert path.is_relative_to(config)
    assert "hub.example" in path.read_text() and "ey" not in path.read_text()
