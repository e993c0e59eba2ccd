"""What tests ask of a hub, and what they wait for."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.testing import LocalHub, LocalHubNotStarted, LocalHubRefused, LocalHubTimeout
from tests.helpers.device_certificates import make


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


def say(hub: LocalHub, device: str, body: Any) -> None:
    """Send a message as a device does."""
    hub.request("POST", f"/devices/{device}/messages/events", body)


@pytest.mark.parametrize(
    "ask",
    [
        lambda hub: hub.connection_string,
        lambda hub: hub.mqtt_port,
        lambda hub: hub.environment(),
        lambda hub: hub.create_device("d"),
        lambda hub: hub.process,
    ],
)
def test_one_that_was_not_started_says_so(ask: Any) -> None:
    with pytest.raises(LocalHubNotStarted, match=r"This hub was not started: call start\(\), or use it as `with "):
        ask(LocalHub())


def test_messages_of_devices_are_read_as_they_are_meant(hub: LocalHub) -> None:
    hub.create_device("r1")
    hub.create_device("r2")
    say(hub, "r1", {"t": 1})
    say(hub, "r2", {"t": 2})
    say(hub, "r1", {"t": 3})
    first, last = hub.events("r1")
    assert (first.device_id, first.body, last.body, first.module_id) == ("r1", {"t": 1}, {"t": 3}, None)
    assert [each.body for each in hub.events(after=first.number)][-2:] == [{"t": 2}, {"t": 3}]


def test_more_messages_than_the_hub_gives_at_once_are_all_read() -> None:
    with LocalHub(seed={"devices": [{"deviceId": "d"}]}) as hub:
        for number in range(102):
            say(hub, "d", number)
        assert len(hub.events()) == 102
        hub.reset()
        assert hub.events() == [] and hub.request("GET", "/devices") == []


def test_telemetry_is_waited_for_and_may_be_there_already(hub: LocalHub) -> None:
    hub.create_device("w1")
    say(hub, "w1", {"t": 1, "unit": "C"})
    first = hub.wait_for_telemetry("w1", {"t": 1})
    later = threading.Thread(target=say, args=(hub, "w1", {"t": 22}))
    later.start()
    assert hub.wait_for_telemetry("w1", lambda body: body["t"] > 20).body == {"t": 22}
    later.join()
    with pytest.raises(LocalHubTimeout):
        hub.wait_for_telemetry("w1", {"t": 1}, 0.01, after=first.number)


def test_who_waits_in_vain_sees_what_was_there_instead(hub: LocalHub) -> None:
    hub.create_device("v1")
    with pytest.raises(
        LocalHubTimeout, match="It has sent nothing. Its connection state is Disconnected, its status e"
    ):
        hub.wait_for_telemetry("v1", {"t": 1}, 0.01)
    for number in range(12):
        say(hub, "v1", {"number": number})
    with pytest.raises(LocalHubTimeout, match=r'No telemetry of \'v1\' matched \{"t": 1\} within 0.01 s.') as error:
        hub.wait_for_telemetry("v1", {"t": 1}, 0.01)
    assert 'from v1: {"number": 11}' in str(error.value) and "and 2 before that" in str(error.value)
    with pytest.raises(LocalHubTimeout, match="'v1' was not connected within 0.01 s: Its connection state is Disconn"):
        hub.wait_connected("v1", 0.01)
    with pytest.raises(LocalHubTimeout, match=r'did not match \{"a": 1\} within 0.01 s. It has reported \{\}'):
        hub.wait_reported("v1", {"a": 1}, 0.01)


def test_nobody_waits_for_a_device_that_is_not_registered_or_for_no_time(hub: LocalHub) -> None:
    with pytest.raises(LocalHubRefused, match="404 DeviceNotFound"):
        hub.wait_connected("nobody")
    with pytest.raises(LocalHubTimeout, match="Its twin cannot be read: .*404 DeviceNotFound"):
        hub.wait_for_telemetry("nobody", {}, 0.01)
    for bad in (0, -1, 3601, float("nan")):
        with pytest.raises(ValueError, match="give more than 0 and at most 3,600 seconds"):
            hub.wait_for_telemetry("nobody", {}, bad)


def test_messages_to_devices_carry_what_they_are(hub: LocalHub) -> None:
    hub.create_device("c1")
    for body in (b"\x00\xff", "é", {"a": 1}):
        assert hub.send("c1", body, colour="red", count=3)
    assert hub.twin("c1")["cloudToDeviceMessageCount"] == 3
    with pytest.raises(LocalHubRefused, match="404 DeviceNotFound"):
        hub.send("nobody", "hello")


def test_twins_are_merged_also_of_modules(hub: LocalHub) -> None:
    hub.create_device("t1")
    hub.request("PUT", "/devices/t1/modules/m%231", {"deviceId": "t1", "moduleId": "m#1"})
    hub.patch_twin("t1", tags={"site": "north"}, desired={"a": {"b": 1, "c": 2}})
    twin = hub.patch_twin("t1", desired={"a": {"b": None}})
    assert twin["tags"] == {"site": "north"} and twin["properties"]["desired"]["a"] == {"c": 2}
    hub.patch_twin("t1", "m#1", tags={"of": "module"})
    assert hub.twin("t1", "m#1")["tags"] == {"of": "module"} and "of" not in hub.twin("t1")["tags"]


def test_a_ca_is_added_from_a_text_or_a_file(hub: LocalHub, tmp_path: Path) -> None:
    authority = make("our root", ca=True)
    assert hub.add_ca("one", authority.pem)["subject"] == "CN=our root"
    (tmp_path / "ca.pem").write_text(authority.pem)
    assert hub.add_ca("two", tmp_path / "ca.pem")["name"] == "two"
    assert hub.add_ca("two", str(tmp_path / "ca.pem"))["name"] == "two"
    with pytest.raises(FileNotFoundError, match="no-such.pem"):
        hub.add_ca("three", "no-such.pem")


def test_a_seed_is_a_document_or_a_file(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("devices: [{deviceId: 'seeded-{1..2}', tags: {on: yes}}]")
    (tmp_path / "fleet.json").write_text(json.dumps({"devices": [{"deviceId": "seeded-3"}]}))
    assert hub.seed(tmp_path / "fleet.yaml")["created"] == {"devices": 2}
    assert hub.seed(str(tmp_path / "fleet.json"))["created"] == {"devices": 1}
    assert hub.twin("seeded-2")["tags"] == {"on": "yes"}


def test_a_call_waits_for_the_device_no_longer_than_for_its_answer(hub: LocalHub) -> None:
    hub.create_device("away")
    with pytest.raises(LocalHubRefused, match=r"DeviceNotOnline: Timed out waiting for device to connect. \(404103\)$"):
        hub.call("away", "open", timeout_s=5)
    with pytest.raises(LocalHubRefused, match="400 ArgumentInvalid"):
        hub.call("away", "open", timeout_s=5, connect_timeout_s=10)


def test_a_refusal_says_what_the_hub_says_and_has_its_whole_body(hub: LocalHub) -> None:
    with pytest.raises(LocalHubRefused) as refusal:
        hub.twin("nobody")
    assert str(refusal.value) == "GET /twins/nobody: 404 DeviceNotFound: The device 'nobody' is not registered."
    assert "Tracking ID" in refusal.value.text
    with pytest.raises(LocalHubRefused, match="400 None: Invalid method encountered"):
        hub.request("FETCH", "/devices")


def test_what_cannot_be_asked_of_a_hub_as_it_is_says_why(hub: LocalHub) -> None:
    with pytest.raises(RuntimeError, match=r"This hub runs already: call stop\(\) or kill\(\) before start\(\)"):
        hub.start()
    for ask in (lambda: hub.amqp_plain_port, lambda: hub.event_hubs_emulator_connection_string):
        with pytest.raises(RuntimeError, match=r"start it as LocalHub\(amqp_plain=True\)"):
            ask()
