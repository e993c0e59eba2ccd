"""Simulations in the background: they outlive their command, and end with the hub."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub, running_hub
from tests.helpers.az import Az
from tests.helpers.waiting import wait_until


@pytest.fixture
def own_hub(az: Az, tmp_path: Path) -> Iterator[ScenarioHub]:
    """A hub that a test may end."""
    yield from running_hub(az, tmp_path / "hub")
    for file in az.config_dir.glob("iotjobs/simulated/*.jsonl"):  # what it has created is gone with the hub
        file.unlink()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_it_goes_on_without_its_command_and_ends_with_the_hub(own_hub: ScenarioHub) -> None:
    begun = own_hub.az.run(
        f"iot device simulate -n {own_hub.name} --prefix bg- --count 3 --create --method reboot=201 --detach"
    )
    assert begun.code == 0, begun.stderr
    assert "All 3 devices are connected" in begun.stderr and f"--simulation-id {begun.json['id']}" in begun.stderr
    assert (begun.json["hub"], begun.json["devices"]) == (own_hub.name, 3)
    log = Path(begun.json["log"])
    assert log.stat().st_mode & 0o777 == 0o600 and list(log.parent.iterdir()) == [log]
    call = f"iot hub invoke-device-method -n {own_hub.name} -d bg-2 --method-name reboot"
    assert own_hub.az.json(call)["status"] == 201
    own_hub.az.run(f"iot local-hub stop -n {own_hub.name}")
    wait_until("it has ended", lambda: not is_running(begun.json["pid"]))
    said = log.read_text()
    result = json.loads(said[said.index("{\n") :])
    assert (result["endedBy"], result["methods"]["answered"], result["devices"]["gaveUp"]) == ("stopped", 1, 0)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux shows command lines so")
def test_a_connection_string_that_was_typed_is_used_and_not_in_its_command_line(hub: ScenarioHub) -> None:
    login = hub.az.json(f"iot hub connection-string show -n {hub.name}")["connectionString"]
    names = "--prefix typed- --count 1 --create --delete-after"
    begun = hub.az.json("iot", "device", "simulate", "--login", login, *names.split(), "--detach")
    words = Path(f"/proc/{begun['pid']}/cmdline").read_bytes()
    hub.az.run(f"iot device simulation stop --simulation-id {begun['id']}")
    assert b"simulate" in words and b"SharedAccessKey" not in words
    show = ("iot", "hub", "connection-string", "show", "-n", hub.name, "--policy-name", "device")
    wrong = hub.az.json(*show)["connectionString"]
    refused = hub.az.run("iot", "device", "simulate", "-n", hub.name, "-l", wrong, *names.split(), "--detach")
    assert refused.code != 0 and "401" in refused.stderr


def test_it_is_listed_while_it_runs_and_ended_by_its_id(hub: ScenarioHub) -> None:
    names = "--prefix listed- --count 2 --create --delete-after --behaviour reboot"
    expected = '--until 1h --expect "connected on all" --expect "method reboot on 1"'
    begun = hub.az.json(f"iot device simulate -n {hub.name} {names} {expected} --detach")
    (listed,) = (each for each in hub.az.json("iot device simulation list") if each["id"] == begun["id"])
    assert (listed["pid"], listed["hub"], listed["log"]) == (begun["pid"], hub.name, begun["log"])
    assert (listed["firstDevices"], listed["behaviour"]) == (["listed-1", "listed-2"], ["reboot"])
    stop = f"iot device simulation stop --simulation-id {begun['id']}"
    fared = hub.az.json(stop)
    assert [each["cameTrue"] for each in fared["expectations"]] == [True, None]
    wait_until("it has ended", lambda: not is_running(begun["pid"]))
    said = Path(begun["log"]).read_text()
    assert '"endedBy": "stopped"' in said and '"deleted": 2' in said
    again = hub.az.run(stop)
    assert again.code == 3 and "az iot device simulation list" in again.stderr


def test_what_prevents_it_is_said_by_the_command(hub: ScenarioHub) -> None:
    simulate = f"iot device simulate -n {hub.name} --device-ids bg-9 --detach"
    refused = hub.az.run(simulate)
    assert refused.code == 3 and "Not registered: 1 device (bg-9)" in refused.stderr
    hub.new_device("bg-9")
    taken = hub.name.rpartition(":")[2]
    ended = hub.az.run(f"{simulate} --metrics-port {taken}")
    assert ended.code == 1 and f"--metrics-port {taken}" in ended.stderr, "as the process in the background says"
    assert "ended with exit code 1 before all its devices were connected" in ended.stderr
