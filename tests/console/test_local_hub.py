"""A local hub as the console's API has it, with a real one: state, logs, faults, clock, seed, snapshot, reset."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.console import ServedConsole, served
from tests.helpers.hub_process import HubProcess


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory", "--sku", "S1") as process:
        yield process


@pytest.fixture(scope="module")
def console(hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedConsole]:
    """One that somebody has signed in to."""
    with served(tmp_path_factory.mktemp("console"), local=hub) as running:
        running.sign_in()
        yield running


def posted(console: ServedConsole, path: str, body: Any, status: int = 200) -> Any:
    answer = console.post(f"/api/local-hub/{path}", body)
    assert answer.status == status, answer.body
    return answer.json


def test_the_state_has_counts_quotas_and_commands_and_no_key(console: ServedConsole, hub: HubProcess) -> None:
    hub.new_device("counted")
    found = console.document("local-hub", lambda each: each["state"]["deviceCount"])
    assert found["quotas"]["sku"] == "S1" and found["quotas"]["throttles"]
    assert found["lines"]["reset"] == f"az iot local-hub reset -n localhost:{hub.https_port}"
    assert f"export REQUESTS_CA_BUNDLE={hub.info['caBundlePath']}" in found["trustLines"]
    text = json.dumps(found)
    assert not any(key in text for key in hub.policies.values()) and "SharedAccessKey=" not in text


def test_connection_strings_are_given_to_who_asks_for_them(console: ServedConsole, hub: HubProcess) -> None:
    strings = {each["name"]: each["value"] for each in posted(console, "strings", {})["strings"]}
    assert strings["iothubowner"] == hub.info["connectionString"]
    assert strings["Events"] == hub.info["eventHubsConnectionString"] and "registryRead" in strings
    assert console.get("/api/local-hub/strings").status == 405


def test_the_newest_entries_of_a_log_come_first_and_are_filtered(console: ServedConsole, hub: HubProcess) -> None:
    for name in ("first", "second"):
        hub.new_device(name)
    hub.request("GET", "/devices/missing")
    entries = console.document("local-hub-log:requests:all:/devices/SECOND")["entries"]
    assert [(each["verb"], each["path"]) for each in entries] == [("PUT", "/devices/second")]
    failed = console.document("local-hub-log:requests:failed:", lambda each: each["entries"])["entries"]
    assert (failed[0]["path"], failed[0]["status"]) == ("/devices/missing", 404)
    numbers = [each["number"] for each in console.document("local-hub-log:requests:all:")["entries"]]
    assert numbers == sorted(numbers, reverse=True)


def test_a_log_goes_on_where_it_was_and_is_bounded(console: ServedConsole, hub: HubProcess) -> None:
    first = console.document("local-hub-log:requests:all:/twins/none")
    for _ in range(230):
        hub.request("GET", "/twins/none")
    found = console.document("local-hub-log:requests:all:/twins/none", lambda each: each["found"] == 230)
    assert len(found["entries"]) == 200 and found["kept"] >= first["kept"] + 230


def test_a_log_that_there_is_not_is_refused(console: ServedConsole) -> None:
    assert "There is no log" in console.document("local-hub-log:secrets:all:")["error"]["message"]


def test_a_fault_is_added_listed_and_cleared(console: ServedConsole, hub: HubProcess) -> None:
    added = posted(console, "faults", {"fault": {"kind": "status", "status": 503, "route": "GET /twins/{id}"}})
    assert hub.request("GET", "/twins/counted").status_code == 503
    found = console.document("local-hub", lambda each: each["faults"])
    assert [(each["id"], each["kind"]) for each in found["faults"]] == [(added["id"], "status")]
    posted(console, "faults/clear", {"id": added["id"]})
    assert hub.ok("GET", "/_local/faults") == []
    refused = posted(console, "faults", {"fault": {"kind": "status", "status": 200}}, 400)
    assert "status" in refused["error"]["message"]


def test_the_clock_goes_ahead_and_never_back(console: ServedConsole) -> None:
    before = console.document("local-hub")["clock"]["offsetSeconds"]
    posted(console, "clock", {"seconds": 3600})
    console.document("local-hub", lambda each: each["clock"]["offsetSeconds"] == before + 3600)
    assert "only goes ahead" in posted(console, "clock", {"seconds": -1}, 400)["error"]["message"]


def test_a_seed_says_what_it_has_created_and_where_it_is_wrong(console: ServedConsole, hub: HubProcess) -> None:
    given = posted(console, "seed", {"text": "devices:\n- deviceId: seeded-{1..3}\n"})
    assert given["created"] == {"devices": 3}
    assert posted(console, "seed", {"text": "devices: [{deviceId: seeded-1}]"})["existing"] == {"devices": 1}
    assert "devices" in posted(console, "seed", {"text": "devices: 5"}, 400)["error"]["message"]
    assert "empty" in posted(console, "seed", {"text": " "}, 400)["error"]["message"]


def test_a_seed_may_be_larger_than_other_requests(console: ServedConsole) -> None:
    text = "# " + "x" * 1_500_000 + "\ndevices:\n- deviceId: late\n"
    assert posted(console, "seed", {"text": text})["created"] == {"devices": 1}


def test_a_snapshot_brings_back_what_a_reset_has_removed(console: ServedConsole, hub: HubProcess) -> None:
    hub.new_device("precious")
    snapshot = posted(console, "snapshot", {})["snapshot"]
    assert base64.b64decode(snapshot).startswith(b"PK")
    name = f"localhost:{hub.https_port}"
    assert "nothing has changed" in posted(console, "reset", {"typed": "localhost"}, 400)["error"]["message"]
    posted(console, "reset", {"typed": name})
    assert hub.request("GET", "/devices/precious").status_code == 404
    assert "nothing has changed" in posted(console, "restore", {"snapshot": snapshot}, 400)["error"]["message"]
    posted(console, "restore", {"snapshot": snapshot, "typed": name})
    assert hub.ok("GET", "/devices/precious")["deviceId"] == "precious"
    refused = posted(console, "restore", {"snapshot": "AAAA", "typed": name}, 400)
    assert "snapshot" in refused["error"]["message"].lower()


def test_who_may_only_look_changes_nothing_and_sees_no_key(hub: HubProcess, tmp_path: Path) -> None:
    with served(tmp_path, local=hub, is_read_only=True) as console:
        console.sign_in()
        paths = ("strings", "faults", "faults/clear", "clock", "seed", "snapshot", "restore", "reset")
        assert {console.post(f"/api/local-hub/{path}", {}).status for path in paths} == {403}
        assert "Local hub" in console.get("/local-hub").body.decode()


def test_a_console_of_another_hub_has_no_such_page(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        console.sign_in()
        assert console.get("/local-hub").status == 404
        assert "/local-hub" not in console.get("/jobs").body.decode()
        assert "not a local one" in posted(console, "reset", {"typed": ""}, 400)["error"]["message"]
        assert "not a local one" in console.document("local-hub")["error"]["message"]
