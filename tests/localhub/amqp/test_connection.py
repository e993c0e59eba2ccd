"""AMQP connections over real sockets: turns, time, back-pressure, what a node raises, and the end."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from azext_iotjobs.localhub.amqp import connection, dispatch
from azext_iotjobs.localhub.amqp.nodes import routes
from azext_iotjobs.localhub.amqp.nodes.base import Direction, Route, Side
from azext_iotjobs.localhub.amqp.refusals import LinkError
from azext_iotjobs.localhub.amqp.wire.frames import AMQP_HEADER, SASL_FRAME, SASL_HEADER, encode_frame
from azext_iotjobs.localhub.amqp.wire.message import Message, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import (
    Accepted,
    AmqpError,
    Attach,
    Close,
    Detach,
    Disposition,
    Flow,
    Open,
    Rejected,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
)
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError, StoreDamaged, StoreUnavailable
from tests.helpers.amqp_frames import MANY, attach_receiver, attach_sender, flow
from tests.helpers.hub_process import HubProcess
from tests.helpers.moved_loop import MovedLoop, run, turns, within_limit
from tests.helpers.raw_amqp import AmqpHub, RawClient, listening
from tests.helpers.raw_device import DOORS, Door
from tests.helpers.websocket_wire import TEXT, FrameReader, FrameWriter, handshake, masked_frame

EVENTS = "/devices/pump-1/messages/events"
LOGGER = "azext_iotjobs.localhub"


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    chosen: Door = request.param
    return chosen


def on_hub(test: Callable[[AmqpHub], Coroutine[Any, Any, None]], door: Door = "TCP") -> None:
    """Run a test with a listening hub."""

    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            await test(hub)

    run(main)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is in the log at the default level."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


class Node:
    """A node of a test. It sends `payloads`, and raises what it is given."""

    def __init__(self, link: Any, payloads: list[bytes], error: Exception | None) -> None:
        self.link, self.payloads, self.error = link, payloads, error
        self.received: list[bytes] = []
        self.settlements: list[tuple[bytes, Any]] = []
        self.end_count = 0
        link.accept()

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    def receive(self, delivery: Any) -> None:
        """Keep it."""
        self._fail()
        self.received.append(delivery.payload)
        self.link.settle(delivery, Accepted())

    def pull(self) -> None:
        """Send what there is."""
        self._fail()
        while self.payloads and self.link.credit > 0:
            self.link.send(self.payloads.pop(0))
        self.link.end_drain()

    def settled(self, tag: bytes, outcome: Any) -> None:
        """Keep it."""
        self._fail()
        self.settlements.append((tag, outcome))

    def ended(self) -> None:
        """Count it."""
        self.end_count += 1
        self._fail()


class Nodes:
    """The addresses `in` and `out`, which anyone may use."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Node] = []
        self.payloads: list[bytes] = []
        self.error: Exception | None = None
        rows = [
            Route(side=Side.ANYONE, address=each.name.lower(), direction=each, opens=self._open, purpose="a test")
            for each in Direction
        ]
        monkeypatch.setattr(routes, "ROUTES", (*routes.ROUTES, *rows))

    def _open(self, _context: Any, link: Any, _match: Any) -> Node:
        self.made.append(Node(link, self.payloads, self.error))
        return self.made[-1]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    return Nodes(monkeypatch)


def test_a_device_sends_telemetry(door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.device()
        await client.attach(attach_sender(EVENTS))
        number = client.send_message(0, encode_message(Message(data=(b"20.5",))))
        settled = await client.until(Disposition)
        assert (settled.first, settled.state, settled.settled) == (number, Accepted(), True)

    on_hub(test, door)


def test_a_client_without_a_token_is_refused_with_the_reason_and_stays(door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        client.send(attach_sender(EVENTS))
        refused = await client.until(Detach)
        assert refused.error is not None and refused.error.condition == "amqp:unauthorized-access"
        client.send(Detach(0, closed=True))
        await client.attach(attach_sender("$cbs"))

    on_hub(test, door)


@pytest.mark.parametrize("attach", [attach_sender("nowhere"), attach_receiver("nowhere"), attach_sender(None)])
def test_an_address_that_the_hub_has_not_is_not_found(attach: Attach) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        client.send(attach)
        refused = await client.until(Detach)
        assert refused.error is not None and refused.error.condition == "amqp:not-found"

    on_hub(test)


def test_sasl_plain_with_a_device_token(door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.wire()
        token = hub.memory.token("localhost/devices/pump-1")
        client.write(SASL_HEADER.encoded())
        assert await client.next() == SASL_HEADER
        assert isinstance(await client.performative(), SaslMechanisms)
        init = SaslInit("PLAIN", f"\0pump-1@sas.localhost\0{token}".encode())
        client.write(encode_frame(0, init, kind=SASL_FRAME))
        assert await client.performative() == SaslOutcome(0)
        await client.open()
        await client.attach(attach_sender(EVENTS))

    on_hub(test, door)


def test_wrong_credentials_are_told_logged_and_end_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.wire()
        client.write(SASL_HEADER.encoded())
        client.write(encode_frame(0, SaslInit("PLAIN", b"\0pump-1@sas.localhost\0nonsense"), kind=SASL_FRAME))
        await client.next()
        await client.next()
        assert await client.performative() == SaslOutcome(1)
        assert await client.is_dropped()

    with caplog.at_level(logging.WARNING, LOGGER):
        on_hub(test)
    (line,) = lines(caplog)
    assert line.startswith("connection of client 'pump-1@sas.localhost' ended: it was not let in")
    assert "nonsense" not in line


def test_another_hubs_name_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.wire()
        client.write(AMQP_HEADER.encoded())
        client.send(Open("me", "other.azure-devices.net"))
        await client.next()
        await client.until(Open)
        closed = await client.until(Close)
        assert closed.error is not None and closed.error.condition == "amqp:not-found"
        client.send(Close())
        assert await client.is_dropped()

    with caplog.at_level(logging.WARNING, LOGGER):
        on_hub(test)
    assert lines(caplog) == ["connection of client 'me' ended: it asks for another hub"]


def test_a_name_for_services_is_not_for_devices() -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client(hostname="local-hub.service.localhost")
        await client.put_token(hub.memory.token("localhost/devices/pump-1"))
        client.send(attach_sender(EVENTS))
        refused = await client.until(Detach)
        assert refused.error is not None and refused.error.condition == "amqp:unauthorized-access"

    on_hub(test)


def test_a_client_that_sends_no_amqp_is_answered_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.wire()
        client.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await client.next() == AMQP_HEADER
        assert await client.is_dropped()

    with caplog.at_level(logging.WARNING, LOGGER):
        on_hub(test)
    (line,) = lines(caplog)
    assert "This is not AMQP 1.0" in line


def test_an_error_of_the_connection_is_told_logged_and_the_clients_close_awaited(
    caplog: pytest.LogCaptureFixture, nodes: Nodes, door: Door
) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        await client.attach(attach_sender("in"))
        client.write(b"\0\0\0\x09\x02\0\0\0\xff")
        closed = await client.until(Close)
        assert closed.error is not None and closed.error.condition == "amqp:decode-error"
        assert nodes.made[0].end_count == 1
        client.send(Close())
        assert await client.is_dropped()

    with caplog.at_level(logging.WARNING, LOGGER):
        on_hub(test, door)
    (line,) = lines(caplog)
    assert line.startswith("connection of client 'client' ended: A frame cannot be read")


def test_a_client_that_does_not_close_after_an_error_is_cut(door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        client.write(b"\0\0\0\x01\x02\0\0\0")
        await client.until(Close)
        client.write(b"whatever" * 10)
        await turns()
        hub.advance(connection.CLOSE_LIMIT_S)
        assert await client.is_dropped()

    on_hub(test, door)


def test_a_connection_without_open_ends_after_some_time(caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: AmqpHub) -> None:
        silent, half = await hub.wire(), await hub.wire()
        half.write(AMQP_HEADER.encoded())
        assert await half.next() == AMQP_HEADER
        hub.advance(29)
        await turns()
        hub.advance(1)
        assert await silent.is_dropped()
        await half.until(Open)
        await half.until(Close)

    with caplog.at_level(logging.WARNING, LOGGER):
        on_hub(test)
    assert lines(caplog) == ["connection of a client that had not said who it is ended: no Open came within 30 s"]


def test_a_client_hears_of_the_hub_before_it_takes_it_for_dead(door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client(idle_time_out=10_000)
        for _ in range(3):
            hub.advance(5)
            assert await client.performative() is None

    on_hub(test, door)


def test_a_silent_client_is_told_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        hub.advance(200)
        client.write(encode_frame(0, None))
        await turns(20)
        hub.advance(239)
        await turns(20)
        hub.advance(1)
        closed = await client.until(Close)
        assert closed.error is not None and closed.error.condition == "amqp:resource-limit-exceeded"
        hub.advance(5)
        assert await client.is_dropped()

    with caplog.at_level(logging.WARNING, LOGGER):
        on_hub(test)
    (line,) = lines(caplog)
    assert "nothing came for 240 s" in line


def test_a_device_whose_token_expires_is_detached_and_dropped() -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.device(life_s=60)
        await client.attach(attach_sender(EVENTS))
        hub.advance(60)
        detached = await client.until(Detach)
        assert detached.error == dispatch.EXPIRED
        closed = await client.until(Close)
        assert closed.error == dispatch.EXPIRED

    on_hub(test)


def test_a_move_of_the_hubs_clock_uses_up_a_token_and_another_one_lets_the_device_in_again() -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.device(life_s=3600)
        await client.attach(attach_sender(EVENTS))
        hub.memory.clock.move(timedelta(hours=2))
        closed = await client.until(Close)
        assert closed.error == dispatch.EXPIRED
        again = await hub.device(life_s=3600)  # by the machine's clock, which was not moved
        await again.attach(attach_sender(EVENTS))

    on_hub(test)


def test_a_renewed_token_keeps_the_links() -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.device(life_s=60)
        await client.attach(attach_sender(EVENTS))
        hub.advance(50)
        assert (await client.put_token(hub.memory.token("localhost/devices/pump-1", life_s=60))).application_properties[
            "status-code"
        ] == 200
        hub.advance(20)
        await turns(20)
        number = client.send_message(0, encode_message(Message(data=(b"x",))))
        assert (await client.until(Disposition)).first == number

    on_hub(test)


@pytest.mark.parametrize(
    ("error", "condition"),
    [
        (LinkError(AmqpError("amqp:link:stolen", "x")), "amqp:link:stolen"),
        (HubError(ARGUMENT_INVALID, "Not so."), "com.microsoft:argument-error"),
        (StoreUnavailable("the disk is full"), "com.microsoft:timeout"),
        (StoreDamaged("A row is damaged."), "amqp:internal-error"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_what_a_node_raises_ends_its_link_or_rejects_a_message_and_no_more(
    nodes: Nodes, error: Exception, condition: str
) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        await client.attach(attach_sender("in"))
        await client.attach(attach_receiver("out", 1))
        await client.attach(attach_sender("in", 2))
        for node in nodes.made[:2]:
            node.error = error
        number = client.send_message(0, b"x")
        if isinstance(error, LinkError):
            told = (await client.until(Detach)).error
        else:
            settled = await client.until(Disposition)
            assert settled.first == number and isinstance(settled.state, Rejected)
            told = settled.state.error
        assert told is not None and told.condition == condition
        client.send(flow(handle=1, delivery_count=0, link_credit=5))
        detached = await client.until(Detach)
        assert detached.handle == 1 and detached.error is not None and detached.error.condition == condition
        client.send_message(2, b"y")
        assert (await client.until(Disposition)).state == Accepted()
        assert nodes.made[2].received == [b"y"]
        for node in nodes.made:
            node.error = None

    on_hub(test)


def test_a_node_learns_of_outcomes_and_a_client_that_settles_second_is_answered(nodes: Nodes) -> None:
    async def test(hub: AmqpHub) -> None:
        nodes.payloads += [b"one", b"two"]
        client = await hub.client()
        await client.attach(attach_receiver("out", rcv_settle_mode=1))
        client.send(flow(handle=0, delivery_count=0, link_credit=5))
        first, second = await client.until(Transfer), await client.until(Transfer)
        client.send(Disposition(True, 0, settled=False, state=Accepted()))
        answer = await client.until(Disposition)
        assert (answer.role, answer.first, answer.settled, answer.state) == (False, 0, True, Accepted())
        client.send(Disposition(True, 1, settled=True, state=Rejected()), flow(echo=True))
        await client.until(Flow)
        assert nodes.made[0].settlements == [(first.delivery_tag, Accepted()), (second.delivery_tag, Rejected())]

    on_hub(test)


def test_an_outcome_that_cannot_be_stored_is_not_confirmed(nodes: Nodes) -> None:
    async def test(hub: AmqpHub) -> None:
        nodes.payloads += [b"one"]
        client = await hub.client()
        await client.attach(attach_receiver("out", rcv_settle_mode=1))
        client.send(flow(handle=0, delivery_count=0, link_credit=5))
        await client.until(Transfer)
        nodes.made[0].error = StoreUnavailable("the disk is full")
        client.send(Disposition(True, 0, settled=False, state=Accepted()))
        assert isinstance(await client.performative(), Detach)
        nodes.made[0].error = None

    on_hub(test)


@pytest.mark.parametrize("how", ["detach", "close", "cut"])
def test_a_node_is_told_once_that_its_link_has_ended(nodes: Nodes, how: str, door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        await client.attach(attach_sender("in"))
        match how:
            case "detach":
                client.send(Detach(0, closed=True))
                await client.until(Detach)
            case "close":
                client.send(Close())
                await client.until(Close)
                assert await client.is_dropped()
            case "cut":
                client.transport.abort()
        while not nodes.made[0].end_count:
            await asyncio.sleep(0)
        hub.listener.close_connections()
        await turns(20)
        assert nodes.made[0].end_count == 1

    on_hub(test, door)


def test_what_came_before_the_end_is_still_processed(nodes: Nodes) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        await client.attach(attach_sender("in"))
        for _ in range(500):
            client.send_message(0, b"x", settled=True)
        assert isinstance(client.transport, asyncio.Transport)
        client.transport.close()
        while not nodes.made[0].end_count:
            await asyncio.sleep(0)
        assert len(nodes.made[0].received) == 500

    on_hub(test)


def test_a_client_with_many_frames_leaves_turns_to_others(nodes: Nodes) -> None:
    async def test(hub: AmqpHub) -> None:
        greedy, other = await hub.client(), await hub.client()
        await greedy.attach(attach_sender("in"))
        await other.attach(attach_sender("in"))
        for _ in range(900):
            greedy.send_message(0, b"x", settled=True)
        other.send_message(0, b"y", settled=True)
        while not nodes.made[1].received:
            await asyncio.sleep(0)
        seen = len(nodes.made[0].received)
        while len(nodes.made[0].received) < 900:
            await asyncio.sleep(0)
        assert seen < 900

    on_hub(test)


def test_a_client_that_does_not_read_gets_no_more_until_it_does(nodes: Nodes, door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        size, count = 50_000, 100
        nodes.payloads += [bytes([number]) * size for number in range(count)]
        client = await hub.client()
        await client.attach(attach_receiver("out"))
        client.stop_reading()
        client.send(flow(handle=0, delivery_count=0, link_credit=MANY))
        while len(nodes.payloads) == count:
            await asyncio.sleep(0)
        for _ in range(200):
            await asyncio.sleep(0)
        left = len(nodes.payloads)
        assert 0 < left < count
        assert (count - left) * size < connection.MAX_UNSENT_BYTES + 700_000  # and what kernels and streams hold
        client.read_again()
        for number in range(count):
            item = await client.next()
            assert item is not None and item.payload == bytes([number]) * size  # type: ignore[union-attr]

    on_hub(test, door)


def test_a_client_that_does_not_read_is_not_read_either(nodes: Nodes) -> None:
    async def test(hub: AmqpHub) -> None:
        nodes.payloads += [b"x" * 50_000] * 100
        client = await hub.client()
        await client.attach(attach_receiver("out"))
        await client.attach(attach_sender("in", 1))
        client.stop_reading()
        client.send(flow(handle=0, delivery_count=0, link_credit=MANY))
        for _ in range(300):
            await asyncio.sleep(0)
        client.send_message(1, b"y", settled=True)
        for _ in range(50):
            await asyncio.sleep(0)
        assert nodes.made[1].received == []
        client.read_again()
        while not nodes.made[1].received:
            await client.next()

    on_hub(test)


def test_a_client_that_never_reads_is_cut_after_some_time(nodes: Nodes, door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        nodes.payloads += [b"x" * 50_000] * 100
        client = await hub.client()
        await client.attach(attach_receiver("out"))
        client.stop_reading()
        client.send(flow(handle=0, delivery_count=0, link_credit=MANY))
        for _ in range(200):
            await asyncio.sleep(0)
        hub.advance(240)
        while not nodes.made[0].end_count:
            client.write(encode_frame(0, None))  # it is not heard any more
            await asyncio.sleep(0)
        hub.advance(connection.CLOSE_LIMIT_S)
        await turns(20)
        client.read_again()
        while await client.next() is not None:
            pass

    on_hub(test, door)


def test_why_a_link_is_refused_is_in_the_log_that_says_more(caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        client.send(attach_sender("/devices/pump-1\n/messages/events"))
        await client.until(Detach)

    with caplog.at_level(logging.INFO, LOGGER):
        on_hub(test)
    (line,) = [each.getMessage() for each in caplog.records if "refused" in each.getMessage()]
    assert line.startswith("a link to '/devices/pump-1\\n/messages/events' is refused: ") and "\n" not in line
    assert "com.microsoft:argument-error" in line


def test_the_end_of_the_hub_is_told(nodes: Nodes, caplog: pytest.LogCaptureFixture, door: Door) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        await client.attach(attach_sender("in"))
        hub.listener.close_connections()
        closed = await client.until(Close)
        assert closed.error is not None and closed.error.condition == "amqp:connection:forced"
        client.send(Close())
        assert await client.is_dropped()
        assert nodes.made[0].end_count == 1

    with caplog.at_level(logging.WARNING, LOGGER):
        on_hub(test, door)
    assert lines(caplog) == []


def test_a_text_frame_ends_a_websocket_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def test(hub: AmqpHub) -> None:
        client = await hub.client()
        assert isinstance(client.transport, asyncio.Transport)
        client.transport.write(masked_frame(b"hello", TEXT))
        assert await client.is_dropped()

    with caplog.at_level(logging.WARNING, LOGGER):
        on_hub(test, "WebSocket")
    assert lines(caplog) == ["connection of client 'client' ended: it sent a WebSocket text frame"]


@pytest.mark.parametrize("path", ["/$iothub/websocket", "/$servicebus/websocket"])
def test_a_hub_speaks_amqp_over_websocket_at_both_paths(hub: HubProcess, path: str) -> None:
    async def main(_loop: MovedLoop) -> None:
        context = ssl.create_default_context(cafile=hub.ca)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", hub.https_port, ssl=context, server_hostname="localhost"
        )
        code, headers = await within_limit(handshake(reader, writer, path=path, subprotocol="AMQPWSB10"))
        assert (code, headers["sec-websocket-protocol"]) == (101, "AMQPWSB10")
        await RawClient(FrameReader(reader), FrameWriter(writer)).open()
        writer.transport.abort()
        await turns()

    run(main)


def test_a_hub_speaks_amqp_over_tls_at_its_port(hub: HubProcess) -> None:
    async def main(_loop: MovedLoop) -> None:
        context = ssl.create_default_context(cafile=hub.ca)
        reader, writer = await asyncio.open_connection(
            "localhost", hub.local.amqp_port, ssl=context, server_hostname="localhost"
        )
        await RawClient(reader, writer).open(hostname=f"localhost:{hub.local.amqp_port}")
        writer.transport.abort()
        await turns()

    run(main)
