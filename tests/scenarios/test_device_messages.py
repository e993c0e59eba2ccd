"""Messages from and to devices, as a user at a terminal meets them: over HTTPS, and through the local hub's own way."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.waiting import wait_until

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def port_of(hub: ScenarioHub) -> tuple[str, str]:
    return "--https-port", str(hub.document["httpsPort"])


def send(hub: ScenarioHub, device: str, *more: str) -> Any:
    return hub.az.json("iot local-hub send", *port_of(hub), "-d", device, *more)


def read_events(hub: ScenarioHub, device: str, count: int) -> list[dict[str, Any]]:
    ran = hub.az.run("iot local-hub events", *port_of(hub), "-d", device, "--mc", str(count), "--timeout", "30")
    assert ran.code == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def c2d(hub: ScenarioHub, verb: str, device: str, *more: str) -> Any:
    return hub.az.json("iot device c2d-message", verb, "-n", hub.name, "-d", device, *more)


def test_a_message_sent_as_a_device_is_read_as_an_event(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("d2c")
    (tmp_path / "body.json").write_text('{"t": 21}')
    ran = hub.az.run(
        f"iot device send-d2c-message -n {hub.name} -d d2c --properties '$.mid=m-1;site=a b' --msg-count 2",
        "--data",
        "caf\u00e9 \x1b[31m",
    )
    assert (ran.code, ran.stdout) == (0, "") and "2 messages sent" in ran.stderr
    body_file = str(tmp_path / "body.json")
    hub.az.json(f"iot device send-d2c-message -n {hub.name} -d d2c", "--data-file-path", body_file)
    first, second, third = read_events(hub, "d2c", 3)
    assert first["body"] == second["body"] == "caf\u00e9 \x1b[31m"
    assert (first["properties"], first["systemProperties"]["messageId"]) == ({"site": "a b"}, "m-1")
    assert (third["body"], third["systemProperties"]["contentType"]) == ({"t": 21}, "application/json")


def test_events_end_when_nothing_comes_and_with_ctrl_c(hub: ScenarioHub, tmp_path: Path) -> None:
    ran = hub.az.run("iot local-hub events", *port_of(hub), "-d", "nobody", "--timeout", "1")
    assert (ran.code, ran.stdout) == (0, "")
    hub.new_device("d2c-follow")
    follower = hub.az.start("iot local-hub events", *port_of(hub), "-d", "d2c-follow", output=tmp_path / "o")
    hub.az.run(f"iot device send-d2c-message -n {hub.name} -d d2c-follow --data now")
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
    lost = hub.az.run(f"iot device c2d-message complete -n {hub.name} -d c2d", "--etag", again["etag"])
    assert lost.code == 1 and "DeviceMessageLockLost" in lost.stderr
    send(hub, "c2d", "--data", "second")
    assert c2d(hub, "receive", "c2d", "--complete", "true")["ack"] == "complete"
    assert c2d(hub, "receive", "c2d") is None


def test_what_a_message_is_stands_in_its_system_properties(hub: ScenarioHub) -> None:
    hub.new_device("c2d-typed")
    send(hub, "c2d-typed", "--data", '{"a": 1}', "--ct", "application/json", "--ce", "utf-8")
    got = c2d(hub, "receive", "c2d-typed")
    system = got["properties"]["system"]
    assert (system["content-type"], system["content-encoding"]) == ("application/json", "utf-8")
    assert not {"ContentType", "ContentEncoding"} & system.keys()
    assert got["data"] == '{"a": 1}'


def test_a_queue_is_purged(hub: ScenarioHub) -> None:
    hub.new_device("c2d-purge")
    send(hub, "c2d-purge")
    assert c2d(hub, "purge", "c2d-purge", "--query", "totalMessagesPurged") == 1


def test_a_device_over_https_sends_and_settles(hub: ScenarioHub) -> None:
    hub.new_device("https")
    send(hub, "https", "--data", "turn \x1b[31mred")
    ran = hub.az.run(
        f"iot device simulate -n {hub.name} -d https --protocol http --msg-count 2 --msg-interval 1 "
        "--receive-settle reject --properties site=a",
    )
    assert ran.code == 0, ran.stderr
    assert "2 messages sent, 1 received" in ran.stderr
    assert "[Received C2D message]" in ran.stdout and "[Rejecting message]" in ran.stdout
    assert "turn \\x1b[31mred" in ran.stdout and "\x1b" not in ran.stdout
    assert [each["body"]["data"] for each in read_events(hub, "https", 2)] == [
        "Ping from Az CLI IoT Extension #1",
        "Ping from Az CLI IoT Extension #2",
    ]


def test_over_https_the_names_of_headers_are_headers(hub: ScenarioHub) -> None:
    hub.new_device("headers")
    for properties in ("iothub-messageid=1;content-type=text/plain;iothub-app-x=y", "$.mid=2;x=z"):
        ran = hub.az.run(
            f"iot device simulate -n {hub.name} -d headers --protocol http --msg-count 1 --msg-interval 1",
            "-p",
            properties,
        )
        assert ran.code == 0, ran.stderr
    as_headers, as_names = read_events(hub, "headers", 2)
    assert as_headers["properties"] == {"x": "y"}
    assert as_headers["systemProperties"]["messageId"] == "1"
    assert as_headers["systemProperties"]["contentType"] == "text/plain"
    assert as_headers["systemProperties"]["contentEncoding"] == "utf-8"
    assert as_names["properties"] == {"x": "z"}
    assert as_names["systemProperties"]["messageId"] == "2"
    assert as_names["systemProperties"]["contentType"] == "application/json"


def test_a_message_over_mqtt_keeps_what_is_beyond_ascii_and_names_of_headers(hub: ScenarioHub) -> None:
    hub.new_device("d2c-mqtt")
    words = ("iot", "device", "send-d2c-message", "-n", hub.name, "-d", "d2c-mqtt")
    typed = "ort=Köln + #1;iothub-app-x=y;iothub-messageid=1;$.ct=text/plain"
    ran = hub.az.run(*words, "--data", "grüß", "--properties", typed, "--websocket")
    assert (ran.code, ran.stdout) == (0, "") and "1 message sent" in ran.stderr, ran.stderr
    ran = hub.az.run(*words, "--model-id", "dtmi:com:example:Thermostat;1")
    assert ran.code == 0, ran.stderr
    first, second = read_events(hub, "d2c-mqtt", 2)
    assert first["body"] == "grüß"
    assert first["properties"] == {"ort": "Köln + #1", "iothub-app-x": "y", "iothub-messageid": "1"}
    assert first["systemProperties"]["contentType"] == "text/plain"
    assert second["body"] == "Ping from Az CLI IoT Extension" and second["properties"] == {}
    model = hub.az.json(f"iot hub device-twin show -n {hub.name} -d d2c-mqtt --query modelId")
    assert model == "dtmi:com:example:Thermostat;1"


def test_a_message_that_waits_for_the_device_is_left_to_it(hub: ScenarioHub, tmp_path: Path) -> None:
    """The session that the device had is the same as that of the command, and gets what waits."""
    hub.new_device("d2c-waits")
    device = hub.az.start(f"iot device simulate -n {hub.name} -d d2c-waits", output=tmp_path / "o")
    hub.wait_for_connection("d2c-waits")
    send(hub, "d2c-waits", "--data", "the device listens")
    wait_until("it listens", lambda: "the device listens" in (tmp_path / "o").read_text())
    os.kill(device.pid, signal.SIGINT)
    assert device.wait(30) == 0
    send(hub, "d2c-waits", "--data", "for the device itself")
    ran = hub.az.run(f"iot device send-d2c-message -n {hub.name} -d d2c-waits --msg-count 60")
    assert ran.code == 0, ran.stderr
    show = ("iot", "hub", "device-identity", "show", "-n", hub.name, "-d", "d2c-waits")
    assert hub.az.json(*show, "--query", "cloudToDeviceMessageCount") == 1


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
        (("send-d2c-message", "--model-id", "Thermostat"), "is not a DTMI"),
        (("simulate", "--dtmi", "dtmi:a:b;x"), "is not a DTMI"),
        (("send-d2c-message", "--msg-count", "0"), "--msg-count 0"),
        (("send-d2c-message", "--data-file-path", "nowhere.txt"), "nowhere.txt"),
        (("send-d2c-message", "--properties", "a=1;b"), "is not key=value"),
        (("send-d2c-message", "--properties", ""), "--properties is empty"),
        (("send-d2c-message", "--data", "\udcff"), "not text in UTF-8"),
        (("send-d2c-message", "--cp", "only.pem"), "--key-file-path"),
        (("send-d2c-message", "--cp", "c.pem", "--kp", "k.pem", "--key", KEY), "two ways to sign in"),
        (("simulate", "--properties", "a=\udcff"), "not text in UTF-8"),
        (("simulate", "--protocol", "http", "--properties", "naïve=1"), "cannot be sent over HTTPS"),
        (("simulate", "--protocol", "http", "--properties", "a=ü"), "cannot be sent over HTTPS"),
        (("simulate", "--protocol", "http", "--properties", "a=1;A=2"), "a second time"),
        (("c2d-message", "receive", "--lock-timeout", "4"), "5 to 300"),
        (("c2d-message", "receive", "--complete", "--abandon"), "exclude each other"),
        (("c2d-message", "complete"), "--etag is missing"),
        (("c2d-message", "complete", "--etag", '""'), "--etag is missing"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_sent(
    hub: ScenarioHub, odd: str, words: tuple[str, ...], said: str
) -> None:
    ran = hub.az.run("iot device", *words, "-n", hub.name, "-d", odd)
    assert ran.code == 1 and said in ran.stderr and "Traceback" not in ran.stderr, ran.stderr
    assert hub.az.run("iot local-hub events", *port_of(hub), "-d", odd, "--timeout", "1").stdout == ""


def test_a_message_to_nobody_or_too_far_ahead_is_refused(hub: ScenarioHub) -> None:
    nobody = hub.az.run("iot local-hub send", *port_of(hub), "-d", "nobody-at-all")
    assert nobody.code == 3 and "DeviceNotFound" in nobody.stderr
    hub.new_device("c2d-late")
    late = hub.az.run("iot local-hub send", *port_of(hub), "-d", "c2d-late", "--expiry", "4102444800000")
    assert late.code == 1 and "two days" in late.stderr


def test_a_device_over_mqtt_prints_and_completes_what_it_is_sent(hub: ScenarioHub, tmp_path: Path) -> None:
    hub.new_device("c2d-mqtt")
    send(hub, "c2d-mqtt", "--data", "sent before it came", "--ack", "positive")
    device = hub.az.start(f"iot device simulate -n {hub.name} -d c2d-mqtt", output=tmp_path / "o")
    wait_until("the first is printed", lambda: "sent before it came" in (tmp_path / "o").read_text())
    send(hub, "c2d-mqtt", "--data", "sent \x1b[2J while it listens", "--properties", "site=north")
    wait_until("the second is printed", lambda: "while it listens" in (tmp_path / "o").read_text())
    os.kill(device.pid, signal.SIGINT)
    assert device.wait(30) == 0
    printed = (tmp_path / "o").read_text()
    assert "[Received C2D message]" in printed and "'site': 'north'" in printed and "\x1b" not in printed
    words = ("iot", "hub", "device-identity", "show", "-n", hub.name, "-d", "c2d-mqtt")
    assert hub.az.json(*words, "--query", "cloudToDeviceMessageCount") == 0
