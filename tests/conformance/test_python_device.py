"""Microsoft's device SDK for Python, azure-iot-device, as its users write devices with it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing.process import LocalHub, LocalHubRefused
from tests.conformance.conftest import Open
from tests.helpers.driven import ClientError, Driven
from tests.helpers.hub_messages import events_of, send_message, wait_for_events, wait_for_feedback
from tests.helpers.official_sdks import (
    ADDRESS,
    MQTT_PORT,
    needs_mqtt_port,
    needs_python_sdk,
    own_address,
    python_device,
)
from tests.helpers.waiting import wait_until

pytestmark = [needs_python_sdk, needs_mqtt_port]


def state_of(hub: LocalHub, device: str) -> str:
    return str(hub.request("GET", f"/devices/{device}")["connectionState"])


def test_telemetry_arrives_with_properties_and_system_properties(hub: LocalHub, name: str, open_python: Open) -> None:
    device = open_python(name)
    device.do(
        "send",
        '{"t": 21}',
        {"site": "north/süd & +co", "level": "3"},
        {"message_id": "m 1", "correlation_id": "c1", "content_type": "application/json", "content_encoding": "utf-8"},
    )
    (event,) = wait_for_events(hub, name)
    assert event["body"] == '{"t": 21}'
    assert event["properties"] == {"site": "north/süd & +co", "level": "3"}
    assert event["systemProperties"] == {
        "messageId": "m 1",
        "correlationId": "c1",
        "contentType": "application/json",
        "contentEncoding": "utf-8",
    }


def test_many_messages_arrive_once_and_in_order(hub: LocalHub, name: str, open_python: Open) -> None:
    open_python(name).do("sendMany", 100)
    assert [event["body"] for event in events_of(hub, name)] == [str(number) for number in range(100)]


def test_the_twin_is_read_reported_and_followed(hub: LocalHub, name: str, open_python: Open) -> None:
    device = open_python(name)
    hub.request("PATCH", f"/twins/{name}", {"tags": {"hidden": 1}, "properties": {"desired": {"fan": {"speed": 1}}}})
    twin = device.do("twin")
    assert set(twin) == {"desired", "reported"}
    assert twin["desired"] == {"fan": {"speed": 1}, "$version": 2}
    device.do("report", {"fan": {"speed": 1}, "temperature": 21.5, "list": [1, 2]})
    reported = hub.request("GET", f"/twins/{name}")["properties"]["reported"]
    assert (reported["fan"], reported["temperature"], reported["list"]) == ({"speed": 1}, 21.5, [1, 2])
    device.do("listen")
    hub.request("PATCH", f"/twins/{name}", {"properties": {"desired": {"fan": {"speed": 2}, "gone": None}}})
    assert device.event("desired")["patch"] == {"fan": {"speed": 2}, "gone": None, "$version": 3}
    wait_until(
        "the device reported it",
        lambda: hub.request("GET", f"/twins/{name}")["properties"]["reported"]["fan"] == {"speed": 2},
    )


def test_a_report_that_the_hub_refuses_is_an_error_and_the_device_goes_on(
    hub: LocalHub, name: str, open_python: Open
) -> None:
    device = open_python(name)
    with pytest.raises(ClientError, match="twin operation returned status 400"):
        device.do("report", {"a.b": 1})
    device.do("report", {"a": 1})
    assert hub.request("GET", f"/twins/{name}")["properties"]["reported"]["a"] == 1


@pytest.mark.parametrize("payload", [None, {}, [], "text", 0, {"deep": [{"ü": None}]}])
def test_a_method_is_answered(hub: LocalHub, name: str, open_python: Open, payload: object) -> None:
    device = open_python(name)
    device.do("listen")
    answer = hub.request("POST", f"/twins/{name}/methods", {"methodName": "re boot/é", "payload": payload})
    assert answer == {"status": 202, "payload": {"echo": payload}}
    assert device.event("method")["name"] == "re boot/é"


def test_an_answer_that_is_late_is_a_gateway_timeout_and_the_next_call_works(
    hub: LocalHub, name: str, open_python: Open
) -> None:
    device = open_python(name)
    device.do("listen")
    with pytest.raises(LocalHubRefused) as refusal:
        hub.request("POST", f"/twins/{name}/methods", {"methodName": "late", "responseTimeoutInSeconds": 5})
    assert refusal.value.error_code == "GatewayTimeout"
    assert hub.request("POST", f"/twins/{name}/methods", {"methodName": "next"})["status"] == 202


def test_a_device_that_disconnects_is_off_line_and_may_come_back(hub: LocalHub, name: str, open_python: Open) -> None:
    device = open_python(name)
    device.do("listen")
    device.do("close")
    wait_until("it is off line", lambda: state_of(hub, name) == "Disconnected")
    with pytest.raises(LocalHubRefused) as refusal:
        hub.request("POST", f"/twins/{name}/methods", {"methodName": "x"})
    assert refusal.value.error_code == "DeviceNotOnline"
    device.do("reopen")
    assert hub.request("POST", f"/twins/{name}/methods", {"methodName": "x", "connectTimeoutInSeconds": 10})


def test_a_cloud_to_device_message_arrives_whole_and_is_completed(hub: LocalHub, name: str, open_python: Open) -> None:
    device = open_python(name)
    device.do("listenForMessages")
    send_message(
        hub,
        name,
        "reboot, übermorgen",
        messageId=f"m-{name}",
        correlationId="c 1",
        contentType="text/plain",
        contentEncoding="utf-8",
        userId="u",
        properties={"a&b": "1 2/ü+", "empty": ""},
        ack="full",
    )
    message = device.event("message")
    assert message["body"] == "reboot, übermorgen"
    assert message["properties"] == {"a&b": "1 2/ü+", "empty": ""}
    assert message["system"] == {
        "message_id": f"m-{name}",
        "correlation_id": "c 1",
        "user_id": "u",
        "content_type": "text/plain",
        "content_encoding": "utf-8",
    }
    assert wait_for_feedback(hub, f"m-{name}") == "Success"


def test_messages_that_waited_for_the_device_arrive_once(hub: LocalHub, name: str, open_python: Open) -> None:
    device = open_python(name)
    device.do("listenForMessages")
    device.do("close")
    wait_until("it is off line", lambda: state_of(hub, name) == "Disconnected")
    for number in range(10):
        send_message(hub, name, str(number))
    device.do("reopen")
    arrived = [device.event("message")["body"] for _ in range(10)]
    assert sorted(arrived) == [str(number) for number in range(10)]  # the SDK hands them to four threads
    wait_until("none waits", lambda: hub.request("GET", f"/devices/{name}")["cloudToDeviceMessageCount"] == 0)
    assert [each for each in device.events if each["event"] == "message"] == []


def test_a_module_has_messages_twin_and_methods_of_its_own(hub: LocalHub, name: str) -> None:
    hub.create_device(name)
    hub.request("PUT", f"/devices/{name}/modules/m1", {"deviceId": name, "moduleId": "m1"})
    string = hub.device_connection_string(name, "m1")
    with python_device() as module:
        module.do("open", {"connectionString": string, "ca": hub.ca_certificate_path, "module": True})
        module.do("listen")
        hub.request("PATCH", f"/twins/{name}/modules/m1", {"properties": {"desired": {"own": 1}}})
        assert module.event("desired")["patch"] == {"own": 1, "$version": 2}
        assert module.do("twin")["desired"] == {"own": 1, "$version": 2}
        call = {"methodName": "ping", "payload": 1}
        assert hub.request("POST", f"/twins/{name}/modules/m1/methods", call)["payload"] == {"echo": 1}
        with pytest.raises(LocalHubRefused, match="DeviceNotOnline"):
            hub.request("POST", f"/twins/{name}/methods", call)
        module.do("send", "plain")
        module.do("sendTo", "alarm", "loud")
        plain, loud = wait_for_events(hub, name, 2)
        assert (plain["moduleId"], plain["body"], loud["systemProperties"]["outputName"]) == ("m1", "plain", "alarm")
    assert "own" not in hub.request("GET", f"/twins/{name}")["properties"]["desired"]


def test_a_wrong_key_is_a_credential_error(hub: LocalHub, name: str) -> None:
    hub.create_device(name)
    wrong = f"HostName={ADDRESS};DeviceId={name};SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    with python_device() as device, pytest.raises(ClientError) as refusal:
        device.do("open", {"connectionString": wrong, "ca": hub.ca_certificate_path})
    assert refusal.value.name == "CredentialError"


def test_the_bundle_in_the_environment_is_trusted_too(
    hub: LocalHub, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.create_device(name)
    with python_device() as device, pytest.raises(ClientError, match="TLS"):
        device.do("open", {"connectionString": hub.device_connection_string(name)})
    monkeypatch.setenv("SSL_CERT_FILE", hub.environment()["SSL_CERT_FILE"])
    with python_device() as device:
        device.do("open", {"connectionString": hub.device_connection_string(name)})
        assert state_of(hub, name) == "Connected"


@pytest.fixture
def kept_hub(tmp_path: Path) -> Iterator[LocalHub]:
    """A hub that keeps what it has, and may be killed."""
    with LocalHub("--bind", own_address(1), "--mqtt-port", str(MQTT_PORT), data_dir=tmp_path) as hub:
        yield hub


@pytest.mark.parametrize("end", [LocalHub.kill, LocalHub.stop])
def test_after_the_hub_came_back_the_same_device_answers(kept_hub: LocalHub, end: object) -> None:
    kept_hub.create_device("living")
    with python_device() as device:
        device.do(
            "open",
            {
                "connectionString": kept_hub.device_connection_string("living"),
                "ca": kept_hub.ca_certificate_path,
                "retrySeconds": 1,
            },
        )
        device.do("listen")
        _calls_are_answered(kept_hub, device, itertools.count(1))
        assert callable(end)
        end(kept_hub)
        device.event("connection", lambda each: not each["connected"])
        kept_hub.start()
        device.event("connection", lambda each: each["connected"])
        _calls_are_answered(kept_hub, device, itertools.count(10))
        device.do("send", "after")
        assert [event["body"] for event in events_of(kept_hub, "living")] == ["after"]


def _calls_are_answered(hub: LocalHub, device: Driven, numbers: Iterator[int]) -> None:
    for number in itertools.islice(numbers, 3):
        call = {"methodName": "ping", "payload": number, "connectTimeoutInSeconds": 20}
        assert hub.request("POST", "/twins/living/methods", call)["payload"] == {"echo": number}
        assert device.event("method")["payload"] == number
