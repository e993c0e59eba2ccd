"""An AMQP client of bare frames on a socket, and a listener for it over the real parts of a hub in memory."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from aiohttp import web

from azext_iotjobs.localhub.amqp.listener import AmqpListener
from azext_iotjobs.localhub.amqp.wire.frames import AMQP_HEADER, Frame, FrameReader, ProtocolHeader, encode_frame
from azext_iotjobs.localhub.amqp.wire.message import Message, decode_message, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Attach, Begin, Composite, Open, Transfer
from azext_iotjobs.localhub.http.connection_limits import make_runner
from azext_iotjobs.localhub.http.websocket import AMQP, WebSocketEndpoint
from azext_iotjobs.localhub.rules.address import Address
from tests.helpers.amqp_frames import attach_receiver, attach_sender, begin, flow, put_token
from tests.helpers.hub_in_memory import HubInMemory
from tests.helpers.moved_loop import MovedLoop, turns, within_limit
from tests.helpers.raw_device import Door
from tests.helpers.websocket_wire import FrameReader as WebSocketReader
from tests.helpers.websocket_wire import FrameWriter as WebSocketWriter
from tests.helpers.websocket_wire import handshake

C = TypeVar("C", bound=Composite)
REQUESTS, REPLIES = 100, 101  # handles of the links to $cbs


class RawClient:
    """One connection that speaks frames."""

    def __init__(
        self,
        reader: "asyncio.StreamReader | WebSocketReader",
        writer: "asyncio.StreamWriter | WebSocketWriter",
    ) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader(1 << 20)
        self._next_delivery_id = 0

    @property
    def transport(self) -> asyncio.WriteTransport:
        """The connection below."""
        return self._writer.transport

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    def send(self, *performatives: Composite, channel: int = 0, payload: bytes = b"") -> None:
        """Send frames; the payload is the last one's."""
        encoded = [encode_frame(channel, each) for each in performatives[:-1]]
        self.write(b"".join([*encoded, encode_frame(channel, performatives[-1], payload)]))

    async def next(self) -> ProtocolHeader | Frame | None:
        """The next header or frame; None when the hub has ended the connection."""
        while (item := self._frames.next()) is None:
            try:
                data = await within_limit(self._reader.read(65536))
            except ConnectionError:
                return None
            if not data:
                return None
            self._frames.feed(data)
        return item

    async def performative(self) -> Any:
        """The next frame's performative; None for an empty frame."""
        item = await self.next()
        assert isinstance(item, Frame), item
        return item.performative

    async def until(self, kind: type[C]) -> C:
        """The next performative of this kind; others are skipped."""
        while not isinstance(found := await self.performative(), kind):
            pass
        return found

    async def message(self) -> Message:
        """The next message."""
        while True:
            item = await self.next()
            assert isinstance(item, Frame), item
            if isinstance(item.performative, Transfer):
                return decode_message(item.payload)

    async def is_dropped(self) -> bool:
        """Whether the hub ends the connection without another frame."""
        return await self.next() is None

    async def open(self, **fields: Any) -> Open:
        """Open the connection and a session; gives the hub's Open."""
        self.write(AMQP_HEADER.encoded())
        self.send(Open(**{"container_id": "client", "hostname": "localhost", **fields}), begin())
        assert await self.next() == AMQP_HEADER
        opened = await self.until(Open)
        assert isinstance(await self.performative(), Begin)
        return opened

    async def attach(self, attach: Attach) -> Attach:
        """Attach a link and see it granted."""
        self.send(attach)
        answer = await self.until(Attach)
        assert answer.source is not None or answer.target is not None, await self.performative()
        return answer

    async def put_token(self, token: str) -> Message:
        """Put a token on $cbs; gives the answer."""
        if self._next_delivery_id == 0:
            await self.attach(attach_sender("$cbs", REQUESTS))
            await self.attach(attach_receiver("$cbs", REPLIES))
            self.send(flow(handle=REPLIES, delivery_count=0, link_credit=100))
        self.send_message(REQUESTS, encode_message(put_token(token, message_id=f"put {self._next_delivery_id}")))
        return await self.message()

    def send_message(self, handle: int, payload: bytes, *, settled: bool = False) -> int:
        """Send a message; gives its delivery id."""
        number, self._next_delivery_id = self._next_delivery_id, self._next_delivery_id + 1
        tag = number.to_bytes(4, "big")
        self.send(Transfer(handle, number, tag, 0, settled, False), payload=payload)
        return number

    def stop_reading(self) -> None:
        """Leave unread what the hub sends from now on."""
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.pause_reading()

    def read_again(self) -> None:
        """Read again."""
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.resume_reading()


@dataclass
class AmqpHub:
    """A listening hub."""

    loop: MovedLoop
    memory: HubInMemory
    listener: AmqpListener
    port: int
    door: Door
    clients: list[RawClient] = field(default_factory=list)

    async def wire(self) -> RawClient:
        """A new connection. The kernel keeps little of what the client does not read."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.setblocking(False)
        await self.loop.sock_connect(sock, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=sock)
        client = RawClient(reader, writer)
        if self.door == "WebSocket":
            code, headers = await handshake(reader, writer, subprotocol=AMQP)
            assert (code, headers["sec-websocket-protocol"]) == (101, AMQP)
            client = RawClient(WebSocketReader(reader), WebSocketWriter(writer))
        self.clients.append(client)
        return client

    async def client(self, **fields: Any) -> RawClient:
        """A connection that is open, with one session."""
        client = await self.wire()
        await client.open(**fields)
        return client

    async def device(self, device_id: str = "pump-1", *, life_s: float = 600) -> RawClient:
        """A connection with a device's token."""
        client = await self.client()
        answer = await client.put_token(self.memory.token(f"localhost/devices/{device_id}", life_s=life_s))
        assert answer.application_properties["status-code"] == 200
        return client

    def advance(self, seconds: float) -> None:
        """Let time pass, for timers and for tokens."""
        self.memory.clock.advance(seconds)
        self.loop.advance(seconds)


@asynccontextmanager
async def listening(loop: MovedLoop, door: Door = "TCP") -> AsyncIterator[AmqpHub]:
    """A hub with the device pump-1 on a free port, and the end of it and its connections."""
    async with AsyncExitStack() as at_end:
        memory = at_end.enter_context(HubInMemory(Address("pump-1")))
        parts = replace(memory.parts(), loop=loop)
        listener = AmqpListener(parts, memory.authenticator)
        serving: Any = listener.new_connection
        if door == "WebSocket":
            application = web.Application()
            WebSocketEndpoint(listener.new_connection, listener.new_connection).register(application)
            runner = make_runner(application)
            await runner.setup()
            at_end.push_async_callback(runner.cleanup)
            serving = runner.server
        server = await loop.create_server(serving, "127.0.0.1", 0)
        # Accepted sockets inherit it: what a client does not read is the hub's to keep, not the kernel's.
        server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        hub = AmqpHub(loop, memory, listener, server.sockets[0].getsockname()[1], door)
        try:
            yield hub
        finally:
            server.close()
            for client in hub.clients:
                client.transport.abort()
            await turns(20)
