"""Microsoft's Event Hubs SDKs read what devices send: azure-eventhub for Python, @azure/event-hubs for Node.js."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.rules.event import partition_of
from azext_iotjobs.localhub.testing.process import LocalHub
from tests.conformance.conftest import Open
from tests.helpers.driven import ClientError, Driven
from tests.helpers.official_sdks import (
    AMQP_PORT,
    PROGRAMS,
    SDK_PYTHON,
    needs_amqp_port,
    needs_https_port,
    needs_mqtt_port,
    needs_node,
    needs_python_sdk,
    node_program,
    own_address,
)

pytestmark = [needs_amqp_port, needs_mqtt_port]
FROM_BEGINNING = {"starting_position": "-1"}
Start = Callable[..., Driven]


@pytest.fixture
def python(hub: LocalHub) -> Iterator[Start]:
    """Starts consumers made of the Python SDK, over TLS unless it is told otherwise."""
    started: list[Driven] = []

    def start(at: LocalHub = hub, **options: Any) -> Driven:
        started.append(Driven(str(SDK_PYTHON), str(PROGRAMS / "events.py")))
        given = {"connectionString": at.event_hubs_connection_string, **ca(at), **options}
        started[-1].do("open", "reader", given)
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def node(hub: LocalHub) -> Iterator[Driven]:
    """A consumer made of the Node.js SDK."""
    with node_program(hub, "events.js") as program:
        program.do("open", "reader", {"connectionString": hub.event_hubs_connection_string})
        yield program


def ca(hub: LocalHub) -> dict[str, str]:
    """What has the Python SDK trust a hub."""
    return {"ca": hub.ca_certificate_path}


def send(hub: LocalHub, device: str, *bodies: str, **headers: str) -> None:
    """Have a device send over HTTPS."""
    for body in bodies:
        hub.request("POST", f"/devices/{device}/messages/events", body, headers=headers)


def next_of(consumer: Driven, device: str, reader: str = "reader") -> dict[str, Any]:
    """The next event of a device that a consumer gets."""

    def fits(event: dict[str, Any]) -> bool:
        return bool(event["reader"] == reader and event["system"]["iothub-connection-device-id"] == device)

    return consumer.event("event", fits)


def bodies(consumer: Driven, device: str, count: int, reader: str = "reader") -> list[str]:
    """The bodies of the next events of a device, which are JSON texts."""
    return [next_of(consumer, device, reader)["body"].strip('"') for _ in range(count)]


@needs_python_sdk
@pytest.mark.parametrize("way", ["TLS", pytest.param("WebSocket", marks=needs_https_port)])
def test_python_reads_what_devices_send_over_mqtt_and_https(
    hub: LocalHub, name: str, open_python: Open, python: Start, way: str
) -> None:
    device = open_python(name)
    system = {"message_id": "m1", "content_type": "application/json", "content_encoding": "utf-8"}
    device.do("send", '{"t": 21}', {"alert": "false"}, system)
    send(hub, name, "second", **{"iothub-app-alert": "true", "iothub-correlationid": "c2"})
    consumer = python(webSocket=way == "WebSocket")
    assert consumer.do("eventHub", "reader")["partition_ids"] == ["0", "1", "2", "3"]
    consumer.do("receive", "reader", {**FROM_BEGINNING, "track_last_enqueued_event_properties": True})
    first, second = next_of(consumer, name), next_of(consumer, name)
    assert (first["body"], first["properties"]) == ('{"t": 21}', {"alert": "false"})
    own = {"message-id": "m1", "content-type": "application/json", "content-encoding": "utf-8"}
    assert first["system"].items() >= {**own, "iothub-message-source": "Telemetry"}.items()
    assert '"type":"sas"' in first["system"]["iothub-connection-auth-method"]
    assert second["properties"] == {"alert": "true"} and second["system"]["correlation-id"] == "c2"
    assert second["sequenceNumber"] == first["sequenceNumber"] + 1
    assert int(second["offset"]) > int(first["offset"])
    state = consumer.do("partition", "reader", first["partition"])
    assert state["last_enqueued_offset"] == second["offset"] and not state["is_empty"]
    assert second["last"]["sequence_number"] >= second["sequenceNumber"]
    send(hub, name, "third")
    assert bodies(consumer, name, 1) == ["third"]


@needs_python_sdk
def test_python_is_told_of_an_event_hub_that_there_is_not(hub: LocalHub, python: Start) -> None:
    consumer = python(connectionString=hub.event_hubs_connection_string.replace("=local-hub", "=elsewhere"))
    with pytest.raises(ClientError, match="'elsewhere' could not be found; the event hub is local-hub") as refusal:
        consumer.do("eventHub", "reader")
    assert refusal.value.name == "AuthenticationError"


@needs_python_sdk
def test_python_reads_over_plain_tcp_as_from_microsofts_emulator(python: Start) -> None:
    with LocalHub(amqp_plain=True) as own:
        own.create_device("d1")
        send(own, "d1", "first")
        consumer = python(own, connectionString=own.event_hubs_emulator_connection_string)
        consumer.do("receive", "reader", dict(FROM_BEGINNING))
        assert bodies(consumer, "d1", 1) == ["first"]


@needs_python_sdk
def test_python_goes_on_at_its_checkpoints_after_the_hub_was_killed(tmp_path: Path, python: Start) -> None:
    options = ("--bind", own_address(3), "--amqp-port", str(AMQP_PORT), "--keep-events")
    with LocalHub(*options, data_dir=tmp_path / "hub") as own:
        for device in ("d1", "d2", "d3"):
            own.create_device(device)
            send(own, device, "1", "2")
        checkpoints = str(tmp_path / "checkpoints.json")
        consumer = python(own, checkpoints=checkpoints)
        consumer.do("receive", "reader", {**FROM_BEGINNING, "stores": True})
        for device in ("d1", "d2", "d3"):
            assert bodies(consumer, device, 2) == ["1", "2"]
        consumer.close()
        for device in ("d1", "d2", "d3"):
            send(own, device, "3")
        own.kill()
        own.start()
        consumer = python(own, checkpoints=checkpoints)
        consumer.do("receive", "reader", {**FROM_BEGINNING, "stores": True})
        send(own, "d1", "4")
        assert bodies(consumer, "d1", 2) == ["3", "4"]
        assert bodies(consumer, "d2", 1) == bodies(consumer, "d3", 1) == ["3"]
        assert [each for each in consumer.events if each["event"] == "error"] == []


@needs_python_sdk
def test_python_begins_at_a_time_or_after_a_sequence_number(hub: LocalHub, name: str, python: Start) -> None:
    hub.create_device(name)
    send(hub, name, "old")
    consumer = python()
    consumer.do("receive", "reader", dict(FROM_BEGINNING))
    old = next_of(consumer, name)
    after = datetime.fromisoformat(old["enqueuedTime"]) + timedelta(milliseconds=1)
    while datetime.now(timezone.utc) <= after:  # both are the clock of this machine
        time.sleep(0.001)
    send(hub, name, "new")
    number = {"starting_position": old["sequenceNumber"]}
    starts = {
        "after a time": ({"time": after.isoformat()}, ["new"]),
        "after a number": (number, ["new"]),
        "at a number": ({**number, "starting_position_inclusive": True}, ["old", "new"]),
    }
    for reader, (start, expected) in starts.items():
        consumer.do("open", reader, {"connectionString": hub.event_hubs_connection_string, **ca(hub)})
        consumer.do("receive", reader, {"partition_id": old["partition"], **start})
        assert bodies(consumer, name, len(expected), reader) == expected


@needs_python_sdk
def test_python_learns_that_another_reader_has_taken_the_partition(hub: LocalHub, python: Start) -> None:
    one = {**FROM_BEGINNING, "partition_id": "0"}
    first, second = python(), python()
    first.do("receive", "reader", {**one, "owner_level": 1})
    wait_for_reader(hub, first)
    second.do("receive", "reader", {**one, "owner_level": 2})
    assert "link:stolen" in first.event("error")["error"]


@needs_python_sdk
@pytest.mark.parametrize(
    ("options", "more", "said"),
    [
        ({"group": "nobody"}, {}, "could not be found"),
        ({}, {"starting_position": "99999999"}, "The last offset in the system is"),
    ],
)
def test_python_is_told_what_is_wrong(python: Start, options: dict[str, Any], more: dict[str, Any], said: str) -> None:
    consumer = python(**options)
    consumer.do("receive", "reader", {**FROM_BEGINNING, "partition_id": "0", **more})
    assert said in consumer.event("error")["error"]


@needs_node
def test_node_reads_what_devices_send_and_begins_where_it_is_told(hub: LocalHub, name: str, node: Driven) -> None:
    hub.create_device(name)
    headers = {"iothub-app-alert": "false", "iothub-messageid": "m1", "Content-Type": "application/json"}
    send(hub, name, "first", **headers)
    assert node.do("eventHub", "reader")["partitionIds"] == ["0", "1", "2", "3"]
    node.do("receive", "reader", {"startPosition": {"offset": "-1"}})
    first = next_of(node, name)
    assert (first["body"].strip('"'), first["properties"], first["messageId"]) == ("first", {"alert": "false"}, "m1")
    assert first["system"]["iothub-message-source"] == "Telemetry"
    send(hub, name, "second", "third")
    assert bodies(node, name, 2) == ["second", "third"]
    state = node.do("partition", "reader", first["partition"])
    assert not state["isEmpty"] and state["lastEnqueuedSequenceNumber"] >= first["sequenceNumber"] + 2
    at_ms = int(datetime.fromisoformat(first["enqueuedTime"].replace("Z", "+00:00")).timestamp() * 1000)
    starts = {
        "offset": ({"offset": first["offset"]}, ["second", "third"]),
        "time": ({"enqueuedOn": at_ms - 1}, ["first"]),
    }
    for reader, (start, expected) in starts.items():
        node.do("open", reader, {"connectionString": hub.event_hubs_connection_string})
        node.do("receive", reader, {"startPosition": start}, first["partition"])
        assert bodies(node, name, len(expected), reader) == expected


@needs_node
def test_node_learns_that_another_reader_has_taken_the_partition(hub: LocalHub, name: str, node: Driven) -> None:
    hub.create_device(name)
    send(hub, name, "x")
    node.do("receive", "reader", {"startPosition": {"offset": "-1"}})
    partition = next_of(node, name)["partition"]
    for reader, level in (("first", 1), ("second", 2)):
        node.do("open", reader, {"connectionString": hub.event_hubs_connection_string})
        options = {"startPosition": {"offset": "-1"}, "ownerLevel": level}
        node.do("receive", reader, options, partition)
        assert bodies(node, name, 1, reader) == ["x"]
    told = node.event("error", lambda each: each["reader"] == "first")
    assert "epoch" in told["error"]


def wait_for_reader(hub: LocalHub, consumer: Driven) -> None:
    """Wait until a reader of partition 0 reads: it gets an event of a device that belongs there."""
    device = next(each for each in (f"at-0-{number}" for number in range(100)) if partition_of(each, 4) == 0)
    hub.create_device(device)
    send(hub, device, "ready")
    assert bodies(consumer, device, 1) == ["ready"]
