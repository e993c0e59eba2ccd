"""Readers of events, through the protocol: where they begin, what they get, and which of them have to give way."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.amqp import dispatch
from azext_iotjobs.localhub.amqp.nodes import event_reader
from azext_iotjobs.localhub.amqp.peer import SAS_TYPES
from azext_iotjobs.localhub.amqp.wire.message import Message
from azext_iotjobs.localhub.amqp.wire.performatives import Detach, Source
from azext_iotjobs.localhub.amqp.wire.types import Described, Long, Symbol, ULong
from azext_iotjobs.localhub.auth.policies import OWNER
from azext_iotjobs.localhub.engine.shown_events import SHOWN_EVENTS
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import OFFSET_STEP, AuthMethod, DeviceMessage, Sender, partition_of
from tests.helpers.amqp_device import AmqpClient, DeviceHub
from tests.helpers.event_logs import add, on_disk
from tests.helpers.moved_loop import MovedLoop, run, turns

PUMP = partition_of("pump-1", 4)
PARTITION = f"local-hub/ConsumerGroups/$Default/Partitions/{PUMP}"
FILTER = Symbol("apache.org:selector-filter:string")
METRICS = "com.microsoft:enable-receiver-runtime-metric"


class Reading:
    """A hub in memory and clients that read from it."""

    def __init__(self, loop: MovedLoop) -> None:
        self.hub = DeviceHub(loop, "pump-1")
        self.client = self.connect()

    def connect(
        self, policy: str = "service", resource: str = "localhost/local-hub", *, life_s: float = 600
    ) -> AmqpClient:
        context = self.hub.context()
        context.peer.put_token(SAS_TYPES[0], self.hub.token(resource, policy=policy, life_s=life_s))
        return AmqpClient(context=context)

    def send(self, *bodies: bytes) -> None:
        """What the device sends, at the hub's time."""
        assert add(self.hub.event_log, "pump-1", *bodies, at=self.hub.clock.now()) == [None]

    def read(self, text: Any = None, handle: int = 1, *, client: AmqpClient | None = None, **fields: Any) -> int:
        """Attach a reader. text: its filter."""
        filters = None if text is None else {FILTER: Described(FILTER, text)}
        address = fields.pop("address", PARTITION)
        return (client or self.client).receiver(address, handle, source=Source(address, filter=filters), **fields)

    def own(self, epoch: int, handle: int = 1, **fields: Any) -> int:
        """Attach a reader with an owner level."""
        return self.read(handle=handle, properties={"com.microsoft:epoch": Long(epoch)}, **fields)

    def got(self, handle: int = 1, client: AmqpClient | None = None) -> list[bytes]:
        """The bodies of the events that have come."""
        return [message.body for _, message in (client or self.client).arrived(handle)]


def reading(test: Any) -> None:
    """Run a test on a loop of its own."""

    async def main(loop: MovedLoop) -> None:
        made = Reading(loop)
        with made.hub:
            await test(made)

    run(main)


@contextmanager
def refused(client: AmqpClient, handle: int, condition: str) -> Iterator[list[str]]:
    """The hub refuses a link; gives the text."""
    texts: list[str] = []
    yield texts
    assert client.ended(handle) == condition
    (error,) = [each.error for each in client.seen(Detach) if each.handle == handle]
    texts.append(error.description)


def test_a_reader_gets_what_there_is_and_then_what_comes() -> None:
    async def test(made: Reading) -> None:
        made.send(b"1", b"2")
        made.read()
        await turns()
        assert made.got() == [b"1", b"2"]
        made.send(b"3")
        await turns()
        assert made.got() == [b"3"]

    reading(test)


def test_an_event_has_what_the_device_sent_and_what_the_hub_knows() -> None:
    async def test(made: Reading) -> None:
        module = Sender(
            address=Address("pump-1", "m"), auth_method=AuthMethod.DEVICE_KEY, generation_id="638", model_id="dtmi:a;1"
        )
        system = {
            "messageId": "m1",
            "correlationId": "c1",
            "userId": "u1",
            "contentType": "application/json",
            "contentEncoding": "utf-8",
            "componentName": "thermostat1",
            "creationTimeUtc": "2026-05-01T08:00:00Z",
        }
        sent = DeviceMessage(body=b"{}", properties={"alert": "false", "bare": None}, system=system)
        made.hub.event_log.append(module, [sent], made.hub.clock.now(), lambda _: None)
        made.read()
        await turns()
        ((transfer, message),) = made.client.arrived(1)
        now = int(made.hub.clock.now().timestamp() * 1000)
        assert transfer.settled
        assert message.annotations == {
            "x-opt-sequence-number": 0,
            "x-opt-offset": "0",
            "x-opt-enqueued-time": now,
            "iothub-connection-device-id": "pump-1",
            "iothub-connection-module-id": "m",
            "iothub-connection-auth-method": (
                '{"scope":"module","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}'
            ),
            "iothub-connection-auth-generation-id": "638",
            "iothub-enqueuedtime": now,
            "iothub-message-source": "Telemetry",
            "dt-dataschema": "dtmi:a;1",
            "dt-subject": "thermostat1",
        }
        properties = message.properties
        assert (properties.message_id, properties.correlation_id, properties.user_id) == ("m1", "c1", b"u1")
        assert (properties.content_type, properties.content_encoding) == ("application/json", "utf-8")
        assert message.application_properties == {
            "alert": "false",
            "bare": None,
            "iothub-creation-time-utc": "2026-05-01T08:00:00Z",
        }

    reading(test)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (AuthMethod.POLICY_KEY, '{"scope":"hub","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}'),
        (AuthMethod.CERTIFICATE, '{"scope":"device","type":"x509","issuer":"external","acceptingIpFilterRule":null}'),
    ],
)
def test_an_event_says_how_its_device_has_authenticated(method: AuthMethod, said: str) -> None:
    async def test(made: Reading) -> None:
        sender = Sender(address=Address("pump-1"), auth_method=method, generation_id="1")
        sent = DeviceMessage(body=b"", properties={}, system={})
        made.hub.event_log.append(sender, [sent], made.hub.clock.now(), lambda _: None)
        made.read()
        await turns()
        ((_, message),) = made.client.arrived(1)
        assert message.annotations["iothub-connection-auth-method"] == said
        assert message.body == b""

    reading(test)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("amqp.annotation.x-opt-offset > '-1'", 0),
        ("amqp.annotation.x-opt-offset >= '-1'", 0),
        (f"amqp.annotation.x-opt-offset > '{OFFSET_STEP}'", 2),
        (f"amqp.annotation.x-opt-offset >= '{OFFSET_STEP}'", 1),
        (f"amqp.annotation.x-opt-offset > '{OFFSET_STEP + 1}'", 2),
        (f"amqp.annotation.x-opt-offset >= '{OFFSET_STEP + 1}'", 2),
        (f"amqp.annotation.x-opt-offset > '{4 * OFFSET_STEP}'", 5),
        ("amqp.annotation.x-opt-offset > '@latest'", 5),
        ("amqp.annotation.x-opt-offset >= '@latest'", 5),
        ("amqp.annotation.x-opt-sequence-number > '-1'", 0),
        ("amqp.annotation.x-opt-sequence-number > '2'", 3),
        ("amqp.annotation.x-opt-sequence-number >= '2'", 2),
        ("amqp.annotation.x-opt-sequence-number > '4'", 5),
        ("amqp.annotation.x-opt-enqueued-time > '{at}'", 3),
        ("amqp.annotation.x-opt-enqueued-time >= '{at}'", 2),
        ("amqp.annotation.x-opt-enqueuedtimeutc > {at}", 3),
        (" amqp.annotation.x-opt-enqueued-time>'0' ", 0),
        ("amqp.annotation.x-opt-enqueued-time > '999999999999999999'", 5),
        ("amqp.annotation.x-opt-enqueued-time > '-999999999999999999'", 0),
    ],
)
def test_a_reader_begins_where_its_filter_says(text: str, first: int) -> None:
    async def test(made: Reading) -> None:
        times_ms = []
        for number in range(5):
            times_ms.append(int(made.hub.clock.now().timestamp() * 1000))
            made.send(str(number).encode())
            made.hub.clock.advance(1.0005)
        made.read(text.format(at=times_ms[2]))
        made.send(b"5")
        await turns()
        assert made.got() == [str(number).encode() for number in range(first, 6)]

    reading(test)


@pytest.mark.parametrize("kind", [FILTER, ULong(0x468C00000004)])
def test_a_filter_is_known_by_its_key_whatever_describes_it(kind: Any) -> None:
    async def test(made: Reading) -> None:
        made.send(b"1")
        filters = {FILTER: Described(kind, "amqp.annotation.x-opt-offset > '@latest'")}
        made.client.receiver(PARTITION, source=Source(PARTITION, filter=filters))
        made.send(b"2")
        await turns()
        assert made.got() == [b"2"]

    reading(test)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"amqp.annotation.x-opt-offset > '{2 * OFFSET_STEP}'", f"The last offset in the system is '{OFFSET_STEP}'"),
        ("amqp.annotation.x-opt-sequence-number > '2'", "The last sequence number in the system is '1'"),
        ("amqp.annotation.x-opt-offset > 'soon'", "The supplied offset 'soon' is invalid"),
        ("amqp.annotation.x-opt-enqueued-time > 'soon'", "'soon' is no number of milliseconds"),
        ("amqp.annotation.x-opt-colour > '1'", "is not understood"),
        ("amqp.annotation.x-opt-offset < '1'", "is not understood"),
        ("amqp.annotation.x-opt-offset > '1", "is not understood"),
        ("", "is not understood"),
        (7, "is not understood"),
    ],
)
def test_a_filter_that_names_no_place_is_refused_with_what_is_wrong(text: Any, said: str) -> None:
    async def test(made: Reading) -> None:
        made.send(b"1", b"2")
        made.read(text)
        with refused(made.client, 1, "com.microsoft:argument-error") as texts:
            pass
        assert said in texts[0]

    reading(test)


def test_events_that_are_kept_no_longer_are_skipped() -> None:
    async def test(made: Reading) -> None:
        made.send(b"old")
        made.hub.clock.advance(3600 * 30)
        made.send(b"new")
        made.hub.event_log.remove_old(made.hub.clock.now())
        client = made.connect()
        made.read("amqp.annotation.x-opt-offset > '-1'", client=client)
        await turns()
        assert made.got(client=client) == [b"new"]

    reading(test)


def test_a_reader_that_is_too_slow_goes_on_with_what_is_left_and_the_hub_logs_what_it_has_missed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(made: Reading) -> None:
        made.send(b"1")
        client = made.connect(life_s=10**6)
        made.read(client=client, credit=1)
        made.send(b"2", b"3")
        made.hub.clock.advance(3600 * 30)
        made.send(b"4")
        made.hub.event_log.remove_old(made.hub.clock.now())
        client.grant(1, 5, count=1)
        await turns()
        assert made.got(client=client) == [b"1", b"4"]
        (line,) = [each.getMessage() for each in caplog.records if "missed" in each.getMessage()]
        assert f"partition {PUMP} has missed 2 events" in line

    reading(test)


def test_a_reset_leaves_a_reader_attached_and_it_gets_what_comes_after() -> None:
    async def test(made: Reading) -> None:
        made.send(b"1")
        made.read(credit=0)
        made.hub.event_log.clear()
        made.client.grant(1, 10)
        made.send(b"2")
        await turns()
        assert made.got() == [b"2"]

    reading(test)


def test_no_more_is_sent_than_there_is_credit_for() -> None:
    async def test(made: Reading) -> None:
        made.send(*(str(number).encode() for number in range(5)))
        made.read(credit=2)
        await turns()
        assert made.got() == [b"0", b"1"]
        made.client.grant(1, 2, count=2)
        await turns()
        assert made.got() == [b"2", b"3"]

    reading(test)


def test_a_drain_ends_when_all_was_sent() -> None:
    async def test(made: Reading) -> None:
        made.send(*(b"x" for _ in range(3 * event_reader.EVENTS_AT_ONCE)))
        made.read(credit=0)
        made.client.grant(1, 1000, drain=True)
        await turns(10)
        assert len(made.got()) == 3 * event_reader.EVENTS_AT_ONCE
        made.send(b"more")
        await turns()
        assert made.got() == []  # its credit was given back

    reading(test)


def test_a_reader_of_many_events_lets_others_work_in_between() -> None:
    async def test(made: Reading) -> None:
        made.send(*(b"x" for _ in range(10 * event_reader.EVENTS_AT_ONCE)))
        made.read(credit=1000)
        assert len(made.got()) == event_reader.EVENTS_AT_ONCE
        await turns(1)
        assert len(made.got()) <= 2 * event_reader.EVENTS_AT_ONCE
        await turns(20)
        assert len(made.got()) > 0

    reading(test)


def test_a_reader_that_asks_is_told_where_the_partition_ends() -> None:
    async def test(made: Reading) -> None:
        made.send(b"1", b"2", b"3")
        made.read(credit=1, desired_capabilities=(Symbol(METRICS),))
        await turns()
        ((_, message),) = made.client.arrived(1)
        now = int(made.hub.clock.now().timestamp() * 1000)
        assert message.delivery_annotations == {
            "last_enqueued_sequence_number": 2,
            "last_enqueued_offset": str(2 * OFFSET_STEP),
            "last_enqueued_time_utc": now,
            "runtime_info_retrieval_time_utc": now,
        }

    reading(test)


def test_an_owner_takes_a_partition_from_all_whose_level_is_not_higher() -> None:
    async def test(made: Reading) -> None:
        other = made.connect()
        made.read(handle=1)
        made.own(1, handle=2)
        assert made.client.ended(1) == "amqp:link:stolen"
        made.own(1, handle=3, client=other)
        assert made.client.ended(2) == "amqp:link:stolen"
        made.own(7, handle=4)
        assert other.ended(3) == "amqp:link:stolen"
        made.send(b"x")
        await turns()
        assert made.got(4) == [b"x"]

    reading(test)


def test_a_lower_level_and_none_are_refused_beside_an_owner_until_it_has_gone() -> None:
    async def test(made: Reading) -> None:
        made.own(5, handle=1)
        made.own(4, handle=2)
        made.read(handle=3)
        assert [made.client.ended(each) for each in (1, 2, 3)] == [None, "amqp:link:stolen", "amqp:link:stolen"]
        made.client.detach(1)
        made.own(0, handle=4)
        assert made.client.is_attached(4)

    reading(test)


def test_five_readers_without_a_level_share_a_partition_and_a_group_has_its_own() -> None:
    async def test(made: Reading) -> None:
        for handle in range(1, 7):
            made.read(handle=handle)
        ended = [made.client.ended(handle) for handle in range(1, 7)]
        assert ended == [None] * 5 + ["amqp:resource-limit-exceeded"]
        address = PARTITION.replace("$Default", "ALERTS")
        made.read(handle=7, address=address)
        assert made.client.is_attached(7)
        made.client.detach(1)
        made.read(handle=8)
        assert made.client.is_attached(8)

    reading(test)


@pytest.mark.parametrize(
    ("address", "condition"),
    [
        ("local-hub/ConsumerGroups/nobody/Partitions/0", "amqp:not-found"),
        ("other-hub/ConsumerGroups/$Default/Partitions/0", "amqp:not-found"),
        ("local-hub/ConsumerGroups/$Default/Partitions/4", "com.microsoft:argument-out-of-range"),
        ("local-hub/ConsumerGroups/$Default/Partitions/-1", "com.microsoft:argument-out-of-range"),
        ("local-hub/ConsumerGroups/$Default/Partitions/x", "com.microsoft:argument-out-of-range"),
    ],
)
def test_what_the_event_hub_does_not_have_is_refused(address: str, condition: str) -> None:
    async def test(made: Reading) -> None:
        client = made.connect(OWNER, "localhost")
        made.read(client=client, address=address)
        assert client.ended(1) == condition

    reading(test)


@pytest.mark.parametrize(
    "address", [f"amqps://localhost:5671/{PARTITION}", f"/{PARTITION.lower()}", PARTITION.replace("$", "%24")]
)
def test_addresses_may_be_absolute_in_any_case_and_encoded(address: str) -> None:
    async def test(made: Reading) -> None:
        made.read(address=address)
        assert made.client.is_attached(1)

    reading(test)


@pytest.mark.parametrize("policy", ["device", "registryRead", "registryReadWrite"])
def test_only_a_policy_that_connects_services_may_read(policy: str) -> None:
    async def test(made: Reading) -> None:
        client = made.connect(policy)
        made.read(client=client)
        assert client.ended(1) == "amqp:unauthorized-access"

    reading(test)


def test_a_reader_ends_with_its_token() -> None:
    async def test(made: Reading) -> None:
        made.own(3)
        made.hub.clock.advance(timedelta(hours=1).total_seconds())
        dispatch.end_expired(made.client.context)
        assert made.client.ended(1) == "amqp:unauthorized-access"
        other = made.connect()
        made.own(1, client=other)
        assert other.is_attached(1)

    reading(test)


def test_a_damaged_event_ends_a_reader_once_it_has_got_those_before(tmp_path: Path) -> None:
    async def test(made: Reading) -> None:
        with on_disk(tmp_path) as (log, _):
            for number in range(SHOWN_EVENTS + 5):
                add(log, "pump-1", str(number).encode(), at=made.hub.clock.now())
            log.store()
        with on_disk(tmp_path) as (log, database):  # the oldest are not in memory now
            database.change("UPDATE events SET description = '' WHERE number = 3")
            made.hub.event_log = log
            client = made.connect()
            made.read(client=client)
            await turns()
            assert made.got(client=client) == [b"0", b"1"]
            assert client.ended(1) == "amqp:internal-error"
            made.read("amqp.annotation.x-opt-sequence-number > '2'", 2, client=client, credit=1)
            assert made.got(2, client) == [b"3"]

    reading(test)


def test_an_event_is_encoded_once_for_all_readers() -> None:
    async def test(made: Reading) -> None:
        made.send(b"body")
        made.read(handle=1)
        (event,) = made.hub.event_log.read(PUMP, 0, 1)
        first = event.envelope
        made.read(handle=2)
        await turns()
        assert first is not None and event.envelope is first
        assert made.got(1) == made.got(2) == [b"body"]

    reading(test)


def test_a_management_request_tells_what_a_partition_holds() -> None:
    async def test(made: Reading) -> None:
        made.send(b"1", b"2")
        asks = {"operation": "READ", "name": "local-hub", "type": "com.microsoft:partition", "partition": str(PUMP)}
        reply = ask(made, asks)
        assert reply.application_properties["status-code"] == reply.application_properties["statusCode"] == 200
        assert reply.value is not None
        assert reply.value.value == {
            "name": "local-hub",
            "type": "com.microsoft:partition",
            "partition": str(PUMP),
            "begin_sequence_number": 0,
            "last_enqueued_sequence_number": 1,
            "last_enqueued_offset": str(OFFSET_STEP),
            "last_enqueued_time_utc": int(made.hub.clock.now().timestamp() * 1000),
            "is_partition_empty": False,
        }

    reading(test)


def test_a_management_request_tells_which_partitions_there_are() -> None:
    async def test(made: Reading) -> None:
        reply = ask(made, {"operation": "READ", "name": "local-hub", "type": "com.microsoft:eventhub"})
        assert reply.value is not None
        assert reply.value.value["partition_ids"] == ("0", "1", "2", "3")
        assert (reply.value.value["name"], reply.value.value["partition_count"]) == ("local-hub", 4)

    reading(test)


@pytest.mark.parametrize(
    ("changes", "status", "condition"),
    [
        ({"operation": "DELETE"}, 501, "amqp:not-implemented"),
        ({"operation": None}, 501, "amqp:not-implemented"),
        ({"type": "com.microsoft:consumergroup"}, 400, "com.microsoft:argument-error"),
        ({"name": "other"}, 404, "amqp:not-found"),
        ({"partition": "4"}, 400, "com.microsoft:argument-error"),
        ({"partition": None}, 400, "com.microsoft:argument-error"),
    ],
)
def test_a_management_request_that_cannot_be_answered_is_told_why(
    changes: dict[str, Any], status: int, condition: str
) -> None:
    async def test(made: Reading) -> None:
        asks = {"operation": "READ", "name": "local-hub", "type": "com.microsoft:partition", "partition": "0"}
        said = ask(made, {**asks, **changes}).application_properties
        assert (said["status-code"], said["error-condition"]) == (status, condition)
        assert said["status-description"] == said["statusDescription"] != ""

    reading(test)


def ask(made: Reading, asks: dict[str, Any]) -> Message:
    made.client.receiver("local-hub/$management", 5)
    made.client.sender("$management", 6)
    given = {name: value for name, value in asks.items() if value is not None}
    made.client.message(6, Message(application_properties=given))
    ((_, reply),) = made.client.arrived(5)
    return reply
