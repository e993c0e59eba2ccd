"""The console as the real az serves it: what is started there runs without it, and Ctrl-C ends it."""

import json
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import Az
from tests.helpers.console import ConsoleClient
from tests.helpers.waiting import LIMIT_S, wait_until


@contextmanager
def console(hub: ScenarioHub, folder: Path, *words: str) -> Iterator[tuple[ConsoleClient, "subprocess.Popen[bytes]"]]:
    """A console that az serves, and somebody who has signed in."""
    output = folder / "console.json"
    place = () if "--store" in words else ("--state-dir", str(folder))
    process = hub.az.start("iot hub console --port 0 -n", hub.name, *place, *words, output=output)
    try:
        wait_until("its address", lambda: output.read_text().rstrip().endswith("}") or process.poll() is not None)
        client = ConsoleClient(json.loads(output.read_text())["url"])
        assert client.sign_in().status == 200
        yield client, process
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(LIMIT_S)
    written = Path(f"{output}.err").read_text()
    assert code == 0 and "Traceback" not in written, written


def test_a_fleet_job_is_run_from_the_console_and_ends_without_it(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("console-1")
    created = ("iot", "hub", "fleet-job", "create", "-n", hub.name, "--state-dir", str(tmp_path), "-j", "from-console")
    hub.az.json(*created, "--desired", "light=45", "--device-ids", "console-1")
    shown = ("iot", "hub", "fleet-job", "show", "--state-dir", str(tmp_path), "-j", "from-console")
    with console(hub, tmp_path) as (client, _):
        (action,) = client.document("fleet-job:from-console")["actions"]
        line = f"az iot hub fleet-job run --detach -j from-console -n {hub.name} --state-dir {tmp_path}"
        assert (action["label"], action["line"]) == ("Run", line)
        ran = client.post("/api/fleet-jobs/from-console/actions/run", {})
        assert (ran.status, ran.json) == (200, {"id": "from-console"}), ran.body
    wait_until("it is completed", lambda: hub.az.json(*shown)["status"] == "completed")


def test_a_device_is_reached_from_the_console_and_is_heard(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("console-2")
    raw = hub.for_devices
    with console(hub, tmp_path) as (client, _):
        line = client.document("twin:console-2")["lines"]["update"]
        assert line == f"az iot hub device-twin update -d console-2 -n {hub.name}"
        sent = client.post("/api/devices/console-2/message", {"body": "hello"})
        assert sent.status == 200, sent.body
        assert raw.request("GET", "/devices/console-2/messages/deviceBound").content == b"hello"
        with client.stream("telemetry:console-2") as events:
            heard: Any = {}
            while heard.get("count") != 1:
                event = events.next()
                assert event is not None
                is_new, heard = heard.get("state") != "reading", event.data["document"]
                if is_new and heard["state"] == "reading":
                    raw.ok("POST", "/devices/console-2/messages/events", {"temp": 21})
        assert heard["messages"][0]["body"] == '{"temp": 21}'


def test_a_console_that_only_looks_changes_nothing(hub: ScenarioHub, tmp_path: Path) -> None:
    with console(hub, tmp_path, "--read-only") as (client, _):
        assert client.get("/api/session").json == {"hub": hub.name, "readOnly": True}
        assert client.post("/api/fleet-jobs/any/actions/run", {}).status == 403
        assert client.document("local-hub")["lines"]["reset"] == f"az iot local-hub reset -n {hub.name}"


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_local_hub_is_started_with_its_console_and_both_end_together(tmp_path: Path, is_killed: bool) -> None:
    own = Az(tmp_path / "config")
    ports = "--https-port 0 --mqtt-port 0 --amqp-port 0 --data-dir hub"
    refused = own.run(f"iot local-hub start --console --detach {ports}")
    assert refused.code == 1 and "az iot hub console -n localhost" in refused.stderr
    output = tmp_path / "hub.json"
    process = own.start(f"iot local-hub start --in-memory --console {ports}", output=output)
    told = Path(f"{output}.err")
    wait_until("its address", lambda: "Console: http" in told.read_text() or process.poll() is not None)
    client = ConsoleClient(re.findall(r"Console: (\S+)", told.read_text())[0])
    assert client.sign_in().status == 200
    assert client.get("/api/session").json["hub"] == json.loads(output.read_text())["hostName"]
    if is_killed:
        process.kill()
    else:
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0, told.read_text()
    wait_until("the console has ended", lambda: not answers(client))


def answers(client: ConsoleClient) -> bool:
    try:
        client.get("/")
    except OSError:
        return False
    return True


def test_a_port_that_is_taken_is_said(hub: ScenarioHub, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = hub.az.run("iot hub console --port", port, "-n", hub.name, "--state-dir", str(tmp_path))
    assert ran.code == 1 and f"--port {port}: Address already in use" in ran.stderr and "--port 0" in ran.stderr


def test_the_lines_that_the_wizard_shows_save_what_it_saves(hub: ScenarioHub, tmp_path: Path) -> None:
    form = {
        "id": "from-form",
        "displayName": "-Night's",
        "labels": "ring=2\nowner=ann b",
        "action.methodName": "reboot",
        "action.payload": '{"a": "b c"}',
        "targets.queryCondition": "tags.site = 'no'",
        "batch": "1,5%",
        "cancellationThreshold": "5%",
        "cancellationThreshold.batch": "true",
        "schedule.rule.frequency": "weekly",
        "schedule.rule.weekdays": "mon,thu",
        "schedule.rule.at": "02:30",
        "schedule.timeZone": "Europe/Berlin",
    }
    with console(hub, tmp_path) as (client, _):
        lines = client.post("/api/job-form/check", {"form": form}).json["lines"]
        assert client.post("/api/job-form/save", {"form": form}).json["id"] == "from-form"
    of_it = ("-j", "from-form", "--state-dir", str(tmp_path))
    by_form = hub.az.json("iot hub fleet-job show", *of_it)
    hub.az.json("iot hub fleet-job delete --yes", *of_it)
    for line in lines:
        hub.az.json(*shlex.split(line)[1:])
    by_line = hub.az.json("iot hub fleet-job show", *of_it)
    assert {**by_line, "created": "", "edited": ""} == {**by_form, "created": "", "edited": ""}
