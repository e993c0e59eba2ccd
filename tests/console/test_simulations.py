"""Simulations as the console's API has them, with one that really runs."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from azext_iotjobs.cli.hub_access.running_simulations import log_of
from azext_iotjobs.cli.simulate.detached import READY_FILE
from tests.helpers.announced_simulation import announced_simulation
from tests.helpers.console import served
from tests.helpers.hub_process import HubProcess

IDS = ("sim-1", "sim-2")
MARKUP = "<img src=x>.yaml"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process:
        for each in IDS:
            process.new_device(each)
        yield process


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "azure"))


def test_one_is_listed_with_what_it_does_and_its_verdict(hub: HubProcess, tmp_path: Path) -> None:
    expect = ("connected on all", "method reboot on 1")
    with served(tmp_path) as console, announced_simulation(hub, IDS, (MARKUP,), expect) as simulation:
        console.sign_in()
        found = console.document(
            "simulations", lambda it: it["simulations"] and it["simulations"][0]["messages"]["perSecond"] > 0
        )
        (listed,) = found["simulations"]
        assert found["lines"][0] == "az iot device simulation list"
        assert (listed["id"], listed["devices"], listed["connected"]) == (simulation, 2, 2)
        assert (listed["firstDevices"], listed["behaviour"], listed["until"]) == (list(IDS), [MARKUP], ["1h"])
        assert [each["cameTrue"] for each in listed["expectations"]] == [True, None]
        hub.ok("POST", f"/twins/{IDS[0]}/methods", {"methodName": "reboot", "payload": None})
        shown = console.document(f"simulation:{simulation}", lambda it: it["methods"]["answered"] == 1)
        assert shown["methods"]["byName"] == [{"name": "reboot", "received": 1, "answered": 1}]
        assert [each["cameTrue"] for each in shown["expectations"]] == [True, True]
        assert shown["lines"][1] == f"az iot device simulation stop --simulation-id {simulation}"
    assert not list((tmp_path / "azure" / "iotjobs" / "running-simulations").iterdir())


def test_one_is_ended_but_not_by_who_only_looks(
    hub: HubProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "20261129-120000-0a1b2c3d"
    monkeypatch.setenv(READY_FILE, str(log_of(name).with_suffix(".ready")))
    log_of(name).parent.mkdir(parents=True)
    log_of(name).write_text("WARNING: All 2 devices are connected.\n")
    path = f"/api/simulations/{name}/actions/stop"
    with announced_simulation(hub, IDS) as simulation:
        assert simulation == name
        with served(tmp_path / "looks", is_read_only=True) as looking:
            looking.sign_in()
            assert looking.post(path, {}).status == 403
            assert looking.document(f"simulation:{name}")["isEnding"] is False
        with served(tmp_path) as console:
            console.sign_in()
            assert console.post(path, {"reason": "x"}).status == 400
            assert console.post(path, {}).json == {"id": name}
            ended = console.document(f"simulation:{name}", lambda it: it["hasEnded"])
            assert (ended["logEnd"], ended["actions"]) == ("WARNING: All 2 devices are connected.\n", [])
            again = console.post(path, {})
            assert again.status == 404 and "az iot device simulation list" in again.json["error"]["hint"]


@pytest.mark.parametrize("name", ["20261129-120000-0a1b2c3d", "..%2F..%2Fsecret", "%3Cimg%3E"])
def test_what_is_no_simulation_is_not_found(tmp_path: Path, name: str) -> None:
    with served(tmp_path) as console:
        console.sign_in()
        assert console.post(f"/api/simulations/{name}/actions/stop", {}).status == 404
        found = console.document(f"simulation:{unquote(name)}")
        assert "runs on this machine" in found["error"]["message"]
