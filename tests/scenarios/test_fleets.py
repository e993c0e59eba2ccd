"""A fleet of simulated devices, as a user meets it: made, simulated, removed, and what a killed run leaves."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Ran
from tests.helpers.device_certificates import make
from tests.helpers.waiting import wait_until

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ONCE = ("--msg-count", "1", "--msg-interval", "1")


def simulate(hub: ScenarioHub, *options: str) -> Ran:
    return hub.az.run(f"iot device simulate -n {hub.name}", *options)


def devices(hub: ScenarioHub, prefix: str) -> dict[str, Any]:
    """The tags of the devices whose ids begin so."""
    rows = hub.az.json(f"iot hub query -n {hub.name} -q 'SELECT deviceId, tags FROM devices'")
    return {each["deviceId"]: each.get("tags", {}) for each in rows if each["deviceId"].startswith(prefix)}


def acknowledged(ran: Ran) -> int:
    """Messages that the hub has taken."""
    return int(ran.json["messages"]["acknowledged"])


def lists(hub: ScenarioHub) -> list[Path]:
    return list((hub.az.config_dir / "iotjobs" / "simulated").glob("*"))


def test_missing_devices_are_made_simulated_and_removed_and_the_others_stay(hub: ScenarioHub) -> None:
    hub.new_device("mk-2")
    ran = simulate(hub, "--prefix", "mk-", "--count", "3", "--create", "--delete-after", *ONCE)
    assert ran.code == 0, ran.stderr
    assert (ran.json["devices"]["count"], ran.json["connects"], acknowledged(ran)) == (3, 3, 3)
    assert (ran.json["creation"]["made"], ran.json["creation"]["deleted"]) == (2, 2)
    assert devices(hub, "mk-") == {"mk-2": {}}
    assert lists(hub) == []


def test_ids_that_mqtt_cannot_carry_are_told_before_and_count_as_failed(hub: ScenarioHub) -> None:
    for name in ("mq+1", "mq#2", "mq-3"):
        hub.new_device(name)
    named = ("--device-ids", "mq+1,mq#2,mq-3")
    plan = simulate(hub, *named, "--dry-run").json
    assert (plan["notOverMqttCount"], plan["notOverMqtt"]) == (2, ["mq+1", "mq#2"])
    ran = simulate(hub, *named, *ONCE)
    assert (ran.code, acknowledged(ran), ran.json["devices"]["gaveUp"]) == (4, 1, 2), ran.stderr
    assert [each["deviceId"] for each in ran.json["gaveUp"]] == ["mq+1", "mq#2"]
    assert "MQTT cannot carry 2 devices (mq+1, mq#2)" in ran.stderr
    alone = simulate(hub, "-d", "mq+1", *ONCE)
    assert alone.code == 1
    assert "MQTT cannot carry the device id mq+1" in alone.stderr and "--protocol http" in alone.stderr
    assert "Traceback" not in alone.stderr
    assert simulate(hub, "-d", "mq+1", "--protocol", "http", *ONCE).code == 0
    made = simulate(hub, "--prefix", "new+", "--count", "2", "--create", *ONCE)
    assert made.code == 1 and devices(hub, "new+") == {}, "nothing is made that cannot be simulated"


def test_what_is_to_stay_stays_until_its_run_is_named(hub: ScenarioHub) -> None:
    ran = simulate(hub, "--prefix", "st-", "--count", "2", "--create", *ONCE)
    run = ran.json["creation"]["run"]
    assert devices(hub, "st-") == {name: {"simulated": True, "simulatedRun": run} for name in ("st-1", "st-2")}
    [path] = lists(hub)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    left = hub.az.json(f"iot device simulate -n {hub.name} --clean-up")
    assert (left["runs"], left["kept"]) == ([], [{"run": run, "deviceCount": 2}])
    hub.az.json(f"iot hub device-identity update -n {hub.name} -d st-2 --status disabled")
    removed = hub.az.json(f"iot device simulate -n {hub.name}", "--clean-up", run)["runs"]
    assert [(each["deleted"], each["changed"]) for each in removed] == [(1, ["st-2"])]
    assert devices(hub, "st-").keys() == {"st-2"}
    assert lists(hub) == []


@pytest.mark.parametrize("moment", ["while it registers", "while it runs"])
def test_a_killed_run_is_cleaned_up_without_touching_what_others_made(
    hub: ScenarioHub, tmp_path: Path, moment: str
) -> None:
    prefix, count = ("kc-", "4000") if moment == "while it registers" else ("kr-", "150")
    theirs = f"{prefix}{'2':0>{len(count)}}"
    hub.new_device(theirs)
    words = ("--prefix", prefix, "--count", count, "--create", "--delete-after")
    run = hub.az.start(f"iot device simulate -n {hub.name}", *words, output=tmp_path / "o")
    said = tmp_path / "o.err"
    wait_until(
        "it goes on", lambda: ("registered" if moment == "while it registers" else "connected") in said.read_text()
    )
    if moment == "while it runs":
        busy = hub.az.json(f"iot device simulate -n {hub.name} --clean-up")
        assert (busy["runs"], len(busy["running"])) == ([], 1)
    os.kill(run.pid, signal.SIGKILL)
    run.wait(30)
    assert 100 < len(devices(hub, prefix)) <= int(count)
    [path] = lists(hub)
    assert KEY[-4:] not in path.read_text() and "Key" not in path.read_text()
    # The last moment at which a process can die: it has said what it is about to make, and somebody else makes it.
    with open(path, "a") as file:
        file.write(json.dumps({"intended": [theirs]}) + '\n{"made": ["torn')
    [cleaned] = hub.az.json(f"iot device simulate -n {hub.name} --clean-up")["runs"]
    assert (cleaned["changed"], cleaned["left"]) == ([theirs], 0)
    assert devices(hub, prefix) == {theirs: {}}
    assert lists(hub) == []


def test_ctrl_c_during_a_run_still_removes_what_was_made(hub: ScenarioHub, tmp_path: Path) -> None:
    words = ("--prefix", "cc-", "--count", "2", "--create", "--delete-after")
    run = hub.az.start(f"iot device simulate -n {hub.name}", *words, output=tmp_path / "o")
    wait_until("it runs", lambda: "All 2 devices are connected" in (tmp_path / "o.err").read_text())
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 0
    result = json.loads((tmp_path / "o").read_text())
    assert (result["endedBy"], result["creation"]["deleted"]) == ("stopped", 2)
    assert devices(hub, "cc-") == {}


def test_a_connected_device_is_not_taken_over_unasked(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("live-1")
    hub.new_device("live-2")
    real = hub.az.start(f"iot device simulate -n {hub.name} -d live-1", output=tmp_path / "o")
    try:
        hub.wait_for_connection("live-1")
        words = ("--query-condition", "deviceId IN ['live-1', 'live-2']", *ONCE)
        refused = simulate(hub, *words)
        assert refused.code == 1
        assert "1 device (live-1) is connected" in refused.stderr and "--take-over" in refused.stderr
        plan = simulate(hub, *words, "--dry-run").json
        assert (plan["deviceCount"], len(plan["inTheWay"])) == (2, 1)
        assert simulate(hub, *words, "--exclude", "live-1").json["connects"] == 1
        assert simulate(hub, *words, "--take-over").json["devices"]["count"] == 2
    finally:
        real.send_signal(signal.SIGINT)
        real.wait(30)


def test_devices_sign_in_with_the_keys_in_their_file(hub: ScenarioHub, tmp_path: Path) -> None:
    """The login is of a policy that may neither connect devices nor read keys."""
    hub.new_device("own-1")
    words = ("iot", "hub", "device-identity", "connection-string", "show", "-n", hub.name, "-d", "own-1")
    own = hub.az.json(*words)["connectionString"]
    key = hub.az.json(f"iot hub connection-string show -n {hub.name} --policy-name service")
    login = ("--login", key["connectionString"])
    file = tmp_path / "devices.csv"
    file.write_text(f"deviceId,connectionString\nown-1,{own}\n")
    ran = hub.az.run("iot device simulate", *login, "--devices-file", str(file), *ONCE)
    assert ran.code == 0, ran.stderr
    assert acknowledged(ran) == 1
    hub.new_device("own-2")
    file.write_text(f"{own}\n{own.replace('own-1', 'own-2')}\n")
    wrong = hub.az.run("iot device simulate", *login, "--devices-file", str(file), *ONCE)
    assert wrong.code == 4
    assert [each["deviceId"] for each in wrong.json["gaveUp"]] == ["own-2"]
    assert own.split("SharedAccessKey=")[1] not in wrong.stderr + wrong.stdout


def test_devices_sign_in_with_certificates_of_a_test_ca_and_out_of_a_folder(hub: ScenarioHub, tmp_path: Path) -> None:
    ca = make("fleet test ca", ca=True)
    (tmp_path / "ca.pem").write_text(ca.pem)
    (tmp_path / "ca.key").write_bytes(ca.key_pem())
    port = ("--https-port", hub.name.split(":")[1])
    hub.az.json("iot local-hub certificate create --name fleet", "--path", str(tmp_path / "ca.pem"), *port)
    issued = ("--issue-from-ca", str(tmp_path / "ca.pem"), "--ca-key", str(tmp_path / "ca.key"))
    try:
        ran = simulate(hub, "--prefix", "ca-", "--count", "3", "--create", "--delete-after", *issued, *ONCE)
    finally:
        hub.az.run("iot local-hub certificate delete --name fleet", *port)
    assert ran.code == 0, ran.stderr
    assert (ran.json["connects"], acknowledged(ran), ran.json["creation"]["deleted"]) == (3, 3, 3)
    words = ("iot", "hub", "device-identity", "create", "-n", hub.name, "-d", "th-1", "--am", "x509_thumbprint")
    hub.az.json(*words, "--valid-days", "3", "--output-dir", str(tmp_path))
    try:
        folder = ("--device-ids", "th-1,mk-0", "--certificate-file-path", str(tmp_path))
        hub.new_device("mk-0")
        assert acknowledged(simulate(hub, *folder, *ONCE)) == 2
        assert "registered to sign in by certificate" in simulate(hub, "--device-ids", "th-1", *ONCE).stderr
    finally:  # while there are such devices, the hub asks all of them for certificates
        hub.az.json(f"iot hub device-identity delete -n {hub.name} -d th-1")
