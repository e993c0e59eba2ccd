"""All of the hub's logs over REST: the same parameters, and answers of the same form; events among them."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.http.log_pages import QUERY
from azext_iotjobs.localhub.http.routes import ROUTES
from azext_iotjobs.localhub.testing import LocalHub, LocalHubRefused
from tests.helpers.waiting import wait_until

LOGS = ("events", "connections", "calls", "reported", "requests")


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    """A hub with entries of two devices in each log."""
    with LocalHub() as made:
        behaviour = {"methods": {"open": {"payload": {}, "then": [{"report": {"valve": "open"}}]}}}
        with made.simulate("pump-1", "valve-1", behaviour=behaviour):
            for device in ("pump-1", "valve-1") * 2:
                made.call(device, "open")
                say(made, device, {"t": 1})
        for name in LOGS:
            wait_until(f"entries of {name}", partial(_has_entries, made, name))
        yield made


def _has_entries(hub: LocalHub, name: str) -> bool:
    return len(page_of(hub, name)[name]) >= 4


def say(hub: LocalHub, device: str, body: Any) -> None:
    hub.request("POST", f"/devices/{device}/messages/events", body)


def page_of(hub: LocalHub, name: str, query: str = "") -> dict[str, Any]:
    return dict(hub.request("GET", f"/_local/{name}?{query}"))


def test_the_parameters_of_all_logs_are_the_same() -> None:
    forms = {route.path: route.form for route in ROUTES}
    assert all(forms[f"/_local/{name}"].query == QUERY for name in LOGS)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", LOGS)
def test_a_page_is_limited_to_a_device_and_a_number_and_says_how_to_go_on(hub: LocalHub, name: str) -> None:
    found: list[Any] = []
    after, last = 0, page_of(hub, name)["last"]
    while after < last:
        page = page_of(hub, name, f"device=pump-1&limit=1&after={after}")
        assert list(page) == [name, "nextAfter", "last", "droppedCount"]
        assert len(page[name]) <= 1 and page["droppedCount"] == 0 and page["nextAfter"] > after
        found += page[name]
        after = page["nextAfter"]
    whole = page_of(hub, name, "limit=1000")[name]
    assert found == [each for each in whole if each.get("deviceId") == "pump-1"]
    assert 0 < len(found) < len(whole) and [each["number"] for each in found] == sorted(e["number"] for e in found)


@pytest.mark.parametrize("name", LOGS)
@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=0", "limit: 0 is not allowed. It is a whole number, 1 to 1,000."),
        ("limit=1001", "limit: 1001 is not allowed."),
        ("wait=31", "wait: 31 is not allowed. It is a number, 0 to 30."),
        ("module=m", "module: Give device too, on which the module is."),
        ("device=a%20b", "device: 'a b' is not allowed. It is the id of a device."),
        ("after=999999", "after: 999999 is more than "),
    ],
)
def test_what_no_log_takes_is_refused(hub: LocalHub, name: str, query: str, text: str) -> None:
    with pytest.raises(LocalHubRefused) as refused:
        page_of(hub, name, query)
    assert refused.value.status == 400 and json.loads(refused.value.text)["Message"].partition(";")[2].startswith(text)


def test_who_waits_for_the_events_of_a_device_gets_the_next_of_them(hub: LocalHub) -> None:
    last = page_of(hub, "events")["last"]
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(page_of, hub, "events", f"device=pump-1&after={last}&wait=30")
        say(hub, "valve-1", "not this one")
        say(hub, "pump-1", "this one")
        page = waiting.result(30)
    assert [each["number"] for each in page["events"]] == [last + 2] == [page["nextAfter"]]
    assert page_of(hub, "events", f"device=nobody&after={last}&wait=0.1")["events"] == []


def test_as_the_hub_ends_who_waits_for_events_has_an_answer_at_once(tmp_path: Path) -> None:
    with LocalHub(data_dir=tmp_path) as ending, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(page_of, ending, "events", "wait=30")
        wait_until("somebody waits", lambda: waiting.running())
        ending.request("GET", "/_local/state")
        ending.stop()
        assert waiting.result(10)["events"] == []


def test_events_are_read_whole_however_many_and_of_one_device_or_module() -> None:
    with LocalHub(seed={"devices": [{"deviceId": "pump-{1..2}", "modules": [{"moduleId": "camera"}]}]}) as hub:
        for number in range(6):
            say(hub, f"pump-{number % 2 + 1}", {"t": number})
        assert [each.body["t"] for each in hub.events("pump-2")] == [1, 3, 5]
        assert [each.number for each in hub.events(after=4)] == [5, 6]
        assert hub.events("pump-1", module_id="camera") == []
        assert hub.wait_for_telemetry("pump-1", {"t": 4}, after=3).number == 5
        with pytest.raises(LocalHubRefused, match="after: 7 is more than 6, the number of the newest entry"):
            hub.events(after=7)
