"""What is typed and what is shown: forms of JSON, doubts about a condition, tables, and the Tab key."""

import json
import socket
import time
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub

DEVICE = "input-1"
TWIN_OF = ("-d", DEVICE)


@pytest.fixture(scope="module")
def device(hub: ScenarioHub) -> str:
    hub.new_device(DEVICE)
    update = ("iot", "hub", "device-twin", "update", "-n", hub.name, *TWIN_OF)
    hub.az.json(*update, "--tags", json.dumps({"esc": "\x1b[31mred"}))
    job = ("iot", "hub", "job", "create", "-n", hub.name, "--job-id", "tab-1", "--job-type", "scheduleUpdateTwin")
    hub.az.json(*job, "--patch", "tags.a=1", "-q", "deviceId = 'nobody'")
    return DEVICE


def test_a_twin_is_patched_by_pairs_a_file_and_standard_input(hub: ScenarioHub, device: str, tmp_path: Path) -> None:
    path = tmp_path / "desired.json"
    path.write_text('{"fan": {"speed": 5}}', encoding="utf-16")  # as PowerShell's > writes it
    update = ("iot", "hub", "device-twin", "update", "-n", hub.name, *TWIN_OF)
    twin = hub.az.json(*update, "--tags", "site=north", "floor.room=7", "code='7'", "--desired", f"@{path}")
    assert twin["tags"].items() >= {"site": "north", "floor": {"room": 7}, "code": "7"}.items()
    assert twin["properties"]["desired"]["fan"] == {"speed": 5}

    ran = hub.az.run(*update, "--tags", "-", stdin='{"floor": null, "wing": "ü"}')
    assert ran.code == 0, ran.stderr
    assert ran.json["tags"]["wing"] == "ü"
    assert "floor" not in ran.json["tags"]

    both = hub.az.run(*update, "--tags", "-", "--desired", "-", stdin="{}")
    assert both.code == 1
    assert "--desired and --tags both read standard input" in both.stderr


def test_a_condition_that_looks_wrong_is_told_and_sent(hub: ScenarioHub) -> None:
    ran = hub.az.run(
        f"iot hub job create -n {hub.name} --job-id doubt --job-type scheduleUpdateTwin "
        "--patch tags.a=1 -q 'deviceId = nobody' -o table",
    )
    assert ran.code == 0, ran.stderr
    assert "nobody has no quotes" in ran.stderr
    assert [line.split() for line in ran.stdout.splitlines()][::2] == [
        ["JobId", "Type", "Status"],
        ["doubt", "scheduleUpdateTwin", "queued"],
    ]


@pytest.mark.parametrize("query", [(), ("--query", "[].esc")])
def test_a_table_holds_no_control_characters_whatever_is_picked(
    hub: ScenarioHub, device: str, query: tuple[str, ...]
) -> None:
    asked = f"SELECT tags.esc AS esc FROM devices WHERE deviceId = '{device}'"
    words = ("iot", "hub", "query", "-n", hub.name, "-q", asked, "-o", "table", *query)
    ran = hub.az.run(*words)
    assert ran.code == 0, ran.stderr
    assert "[31mred" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_tab_offers_devices_jobs_and_local_hubs(hub: ScenarioHub, device: str) -> None:
    assert hub.az.complete(f"az iot hub device-twin show -n {hub.name} -d inp") == [device]
    assert "tab-1" in hub.az.complete(f"az iot hub job show -n {hub.name} --job-id ")
    assert {"localhost", hub.name} <= set(hub.az.complete("az iot hub job show -n loc"))
    assert hub.az.complete("az iot hub device-twin show -n localhost:1 -d ") == []  # no hub there: nothing, in silence


def test_tab_does_not_wait_for_a_hub_that_is_silent(hub: ScenarioHub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        login = f"HostName=127.0.0.1:{silent.getsockname()[1]};SharedAccessKeyName=a;SharedAccessKey=YQ=="
        before = time.monotonic()
        assert hub.az.complete(f"az iot hub device-twin show -l '{login}' -d ") == []
        assert time.monotonic() - before < 15  # without a limit of ours: a minute and more
