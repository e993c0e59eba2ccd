"""Messages from and to devices, as a user at a terminal meets them: over HTTPS, and through the local hub's own way."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.waiting import wait_until


def port_of(hub: ScenarioHub) -> tuple[str, str]:
    return "--https-port", str(hub.document["httpsPort"])


def send(hub: ScenarioHub, device: str, *more: str) -> Any:
    return hub.az.json("iot", "local-hub", "send", *port_of(hub), "-d", device, *more)


def read_events(hub: ScenarioHub, device: str, count: int) -> list[dict[str, Any]]:
    ran = hub.az.run("iot", "local-hub", "events", *port_of(hub), "-d", device, "--mc", str(count), "--timeout", "30")
    assert ran.code == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def c2d(hub: ScenarioHub, verb: str, device: str, *more: str) -> Any:
    return hub.az.json("iot", "device", "c2d-message", verb, "-n", hub.name, "-d", device, *more)


def test_a_message_sent_as_a_device_is_read_as_an_event(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("d2c")
    (tmp_path / "body.json").write_text('{"t": 21}')
    ran = hub.az.run(
        "iot", "device", "send-d2c-message", "-n", hub.name, "-d", "d2c", "--data", "caf\u00e9 \x1b[31m",
        "--properties", "$.mid=m-1;site=a b", "--msg-count", "2",
    )  # fmt: skip
    assert (ran.code, ran.stdout) == (0, "") and "2 messages sent" in ran.stderr
    body_file = str(tmp_path / "body.json")
    hub.az.json("iot", "device", "send-d2c-message", "-n", hub.name, "-d", "d2c", "--data-file-path", body_file)
    first, second, third = read_events(hub, "d2c", 3)
    assert first["body"] == second["body"] == "caf\u00e9 \x1b[31m"
    assert (first["properties"], first["systemProperties"]["messageId"]) == ({"site": "a b"}, "m-1")
    assert (third["body"], third["systemProperties"]["contentType"]) == ({"t": 21}, "application/json")


def test_events_end_when_nothing_comes_and_with_ctrl_c(hub: ScenarioHub, tmp_path: Path) -> None:
    ran = hub.az.run("iot", "local-hub", "events", *port_of(hub), "-d", "nobody", "--timeout", "1")
    assert (ran.code, ran.stdout) == (0, "")
    hub.new_device("d2c-follow")
    follower = hub.az.start("iot", "local-hub", "events", *port_of(hub), "-d", "d2c-follow", output=tmp_path / "o")
    hub.az.run("iot", "device", "send-d2c-message", "-n", hub.name, "-d", "d2c-follow", "--data", "now")
    wait_until("the event is printed", lambda: (tmp_path / "o").read_text().endswith("\n"))
    os.kill(follower.pid, signal.SIGINT)
    assert follower.wait(30) == 0
    assert json.loads((tmp_path / "o").read_text())["body"] == "now"
    assert "Traceback" not in (tmp_path / "o.err").read_text()


def test_a_message_is_received_then_completed_abandoned_or_rejected(hub: ScenarioHub) -> None:
    hub.new_device("c2d")
    assert c2d(hub, "receive", "c2d") is None
    sent = send(hub, "c2d", "--data", "hello", "--properties", "site=north", "--mid", "m-1", "--ack", "full")
    assert sent["messageId"] == "m-1"
    got = c2d(hub, "receive", "c2d")
    assert (got["data"], got["properties"]["app"]) == ("hello", {"site": "north"})
    assert got["properties"]["system"]["iothub-messageid"] == "m-1"
    assert c2d(hub, "abandon", "c2d", "--etag", got["etag"]) is None
    again = c2d(hub, "receive", "c2d", "--lock-timeout", "300")
    assert again["properties"]["system"]["iothub-deliverycount"] == "1"
    assert c2d(hub, "reject", "c2d", "--etag", again["etag"]) is None
    lost = hub.az.run(
        "iot", "device", "c2d-message", "complete", "-n", hub.name, "-d", "c2d", "--etag", again["etag"]
    )  # fmt: skip
    assert lost.code == 1 and "DeviceMessageLockLost" in lost.stderr
    send(hub, "c2d", "--data", "second")
    assert c2d(hub, "receive", "c2d", "--complete", "true")["ack"] == "complete"
    assert c2d(hub, "receive", "c2d") is None


def test_a_queue_is_purged(hub: ScenarioHub) -> None:
    hub.new_device("c2d-purge")
    send(hub, "c2d-purge")
    assert c2d(hub, "purge", "c2d-purge", "--query", "totalMessagesPurged") == 1


def test_a_device_over_https_sends_and_settles(hub: ScenarioHub) -> None:
    hub.new_device("https")
    send(hub, "https", "--data", "turn \x1b[31mred")
    ran = hub.az.run(
        "iot", "device", "simulate", "-n", hub.name, "-d", "https", "--protocol", "http", "--msg-count", "2",
        "--msg-interval", "1", "--receive-settle", "reject", "--properties", "site=a",
    )  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert "2 messages sent, 1 received" in ran.stderr
    assert "[Received C2D message]" in ran.stdout and "[Rejecting message]" in ran.stdout
    assert "turn \\x1b[31mred" in ran.stdout and "\x1b" not in ran.stdout
    assert [each["body"]["data"] for each in read_events(hub, "https", 2)] == [
        "Ping from Az CLI IoT Extension #1", "Ping from Az CLI IoT Extension #2",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def odd(hub: ScenarioHub) -> str:
    """A device to which nothing happens."""
    hub.new_device("odd")
    return "odd"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simulate", "--protocol", "http", "--method-response-code", "200"), "--method-response-code"),
        (("simulate", "--protocol", "http", "--irp", "{}"), "--init-reported-properties"),
        (("send-d2c-message", "--model-id", "dtmi:a;1"), "az iot device simulate"),
        (("send-d2c-message", "--msg-count", "0"), "--msg-count 0"),
        (("send-d2c-message", "--data-file-path", "nowhere.txt"), "nowhere.txt"),
        (("send-d2c-message", "--properties", "naïve=1"), "cannot be sent over HTTPS"),
        (("c2d-message", "receive", "--lock-timeout", "4"), "5 to 300"),
        (("c2d-message", "receive", "--complete", "--abandon"), "exclude each other"),
        (("c2d-message", "complete"), "--etag is missing"),
        (("c2d-message", "complete", "--etag", '""'), "--etag is missing"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_sent(
    hub: ScenarioHub, odd: str, words: tuple[str, ...], said: str
) -> None:
    ran = hub.az.run("iot", "device", *words, "-n", hub.name, "-d", odd)
    assert ran.code == 1 and said in ran.stderr and "Traceback" not in ran.stderr, ran.stderr
    assert hub.az.run("iot", "local-hub", "events", *port_of(hub), "-d", odd, "--timeout", "1").stdout == ""


def test_a_message_to_nobody_or_too_far_ahead_is_refused(hub: ScenarioHub) -> None:
    nobody = hub.az.run("iot", "local-hub", "send", *port_of(hub), "-d", "nobody-at-all")
    assert nobody.code == 3 and "DeviceNotFound" in nobody.stderr
    hub.new_device("c2d-late")
    late = hub.az.run("iot", "local-hub", "send", *port_of(hub), "-d", "c2d-late", "--expiry", "4102444800000")
    assert late.code == 1 and "two days" in late.stderr


def test_a_device_over_mqtt_prints_and_completes_what_it_is_sent(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("c2d-mqtt")
    send(hub, "c2d-mqtt", "--data", "sent before it came", "--ack", "positive")
    device = hub.az.start("iot", "device", "simulate", "-n", hub.name, "-d", "c2d-mqtt", output=tmp_path / "o")
    wait_until("the first is printed", lambda: "sent before it came" in (tmp_path / "o").read_text())
    send(hub, "c2d-mqtt", "--data", "sent \x1b[2J while it listens", "--properties", "site=north")
    wait_until("the second is printed", lambda: "while it listens" in (tmp_path / "o").read_text())
    os.kill(device.pid, signal.SIGINT)
    assert device.wait(30) == 0
    printed = (tmp_path / "o").read_text()
    assert "[Received C2D message]" in printed and "'site': 'north'" in printed and "\x1b" not in printed
    words = ("iot", "hub", "device-identity", "show", "-n", hub.name, "-d", "c2d-mqtt")
    assert hub.az.json(*words, "--query", "cloudToDeviceMessageCount") == 0
