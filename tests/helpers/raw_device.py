"""A device of bare packets, and a hub for it whose registry is a set of tokens."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from aiohttp import web

from azext_iotjobs.localhub.engine.event_log import OnStored
from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, UNAUTHORIZED, HubError, StoreDamaged
from azext_iotjobs.localhub.http.connection_limits import make_runner
from azext_iotjobs.localhub.http.websocket import WebSocketEndpoint
from azext_iotjobs.localhub.mqtt.codec import Decoder, encode
from azext_iotjobs.localhub.mqtt.connection import Connection
from azext_iotjobs.localhub.mqtt.packets import Connack, Connect, Packet, Publish, Suback, Subscribe
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceMessage, Sender
from tests.helpers.moved_loop import HandClock, MovedLoop, turns, within_limit
from tests.helpers.websocket_wire import FrameReader, FrameWriter, handshake

Door = Literal["TCP", "WebSocket"]
DOORS: tuple[Door, ...] = ("TCP", "WebSocket")

GOOD_TOKEN = "SharedAccessSignature sr=localhost&sig=Z29vZA%3D%3D&se=4102444800"
ALL_FILTERS = ("$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#")


@dataclass
class FakeBackend:
    """The hub as connections see it: lets in whoever has the good token, keeps what it is told."""

    token_ends: datetime = datetime(2100, 1, 1, tzinfo=timezone.utc)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    reported: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    kept: dict[Address, dict[str, int]] = field(default_factory=dict)
    refuses_telemetry: bool = False
    stores_later: bool = False
    unstored: list[OnStored] = field(default_factory=list)
    refuses_everyone: bool = False  # lets nobody in
    is_damaged: bool = False  # cannot read who may come in
    quotas: Quotas | None = None

    def authenticate(self, address: Address, host: str, token: str, certificates: Sequence[bytes]) -> datetime:
        """Let in or not."""
        if self.is_damaged:
            raise StoreDamaged("The row is damaged.")
        if self.refuses_everyone or token != GOOD_TOKEN:
            raise HubError(UNAUTHORIZED, "Not this token.")
        return self.token_ends

    def connected(self, address: Address, model_id: str | None) -> None:
        """On line."""
        self.calls.append(("connected", address.device_id))

    def disconnected(self, address: Address) -> None:
        """Off line."""
        self.calls.append(("disconnected", address.device_id))

    def stored_filters(self, address: Address) -> Mapping[str, int] | None:
        """What was kept."""
        return self.kept.get(address)

    def store_filters(self, address: Address, filters: dict[str, int] | None) -> None:
        """Keep it, or nothing."""
        self.kept.pop(address, None)
        if filters is not None:
            self.kept[address] = filters

    def subscriptions_changed(self, address: Address) -> None:
        """Something else than before."""

    def message_acknowledged(self, address: Address, token: str) -> None:
        """A message was acknowledged."""
        self.calls.append(("taken", address.device_id, token))

    def sender(self, address: Address, auth_method: AuthMethod, model_id: str | None = None) -> Sender:
        """The device, as its events name it."""
        return Sender(address=address, auth_method=auth_method, generation_id="1", model_id=model_id)

    def telemetry(self, sender: Sender, messages: Sequence[DeviceMessage], on_stored: OnStored) -> None:
        """Messages, which are stored at once or when the test says so."""
        if self.refuses_telemetry:
            raise HubError(ARGUMENT_INVALID, "No messages today.")
        for message in messages:
            self.calls.append(("telemetry", sender.address.device_id, dict(message.properties), message.body))
        if self.stores_later:
            self.unstored.append(on_stored)
        else:
            on_stored(None)

    def twin_document(self, address: Address) -> dict[str, Any]:
        """The twin."""
        return {"desired": {"$version": 1}, "reported": {**self.reported, "$version": self.version}}

    def patch_reported(self, address: Address, patch: Any) -> int:
        """Merge, or refuse what is no object."""
        if not isinstance(patch, dict):
            raise HubError(ARGUMENT_INVALID, "A patch is an object.")
        self.reported.update(patch)
        self.version += 1
        return self.version


class RawDevice:
    """One connection that speaks packets."""

    def __init__(self, reader: asyncio.StreamReader | FrameReader, writer: asyncio.StreamWriter | FrameWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._decoder = Decoder(1_000_000)
        self._arrived: list[Packet] = []

    def send(self, *packets: Packet) -> None:
        """Send packets."""
        self.writer.write(b"".join(encode(packet) for packet in packets))

    async def next(self) -> Packet | None:
        """The next packet from the hub; None when it has ended the connection."""
        while not self._arrived:
            try:
                data = await within_limit(self.reader.read(65536))
            except ConnectionError:
                return None
            if not data:
                return None
            self._arrived += self._decoder.feed(data)
        return self._arrived.pop(0)

    async def message(self) -> Publish:
        """The next packet, which is a message."""
        packet = await self.next()
        assert isinstance(packet, Publish)
        return packet

    async def is_dropped(self) -> bool:
        """Whether the hub ends the connection without another packet."""
        return await self.next() is None

    async def subscribe(self, *filters: str) -> None:
        """Subscribe and see it granted."""
        self.send(Subscribe(7, tuple((each, 1) for each in filters)))
        assert isinstance(await self.next(), Suback)

    def stop_reading(self) -> None:
        """Leave unread what the hub sends from now on."""
        self._transport.pause_reading()

    async def bytes_until_the_end(self) -> int:
        """Read again, and count what still comes before the connection is over."""
        self._transport.resume_reading()
        count = 0
        try:
            while data := await within_limit(self.reader.read(65536)):
                count += len(data)
        except ConnectionError:
            return count
        return count

    @property
    def _transport(self) -> asyncio.Transport:
        assert isinstance(self.writer.transport, asyncio.Transport)
        return self.writer.transport

    async def gone(self) -> None:
        """Cut the connection without a farewell."""
        self.writer.transport.abort()
        await turns()


@dataclass
class Hub:
    """A listening hub."""

    loop: MovedLoop
    backend: FakeBackend
    links: Links
    clock: HandClock
    port: int
    door: Door
    devices: list[RawDevice] = field(default_factory=list)

    async def wire(self) -> RawDevice:
        """A new connection. The kernel keeps little of what the device does not read."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.setblocking(False)
        await self.loop.sock_connect(sock, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=sock)
        if self.door == "TCP":
            device = RawDevice(reader, writer)
        else:
            code, headers = await handshake(reader, writer)
            assert (code, headers["sec-websocket-protocol"]) == (101, "mqtt")
            assert "sec-websocket-extensions" not in headers
            device = RawDevice(FrameReader(reader), FrameWriter(writer))
        self.devices.append(device)
        return device

    async def device(self, device_id: str = "pump-1", *filters: str, **fields: Any) -> RawDevice:
        """A device that is in, with these subscriptions."""
        device = await self.wire()
        device.send(hello(device_id, **fields))
        assert await device.next() == Connack(session_present=False, return_code=0)
        if filters:
            await device.subscribe(*filters)
        return device

    async def until_said(self, *what: Any) -> None:
        """Wait until the desk was told something."""

        async def look() -> None:
            while what not in self.backend.calls:
                await asyncio.sleep(0)

        await within_limit(look())

    def advance(self, seconds: float) -> None:
        """Let time pass, for timers and for tokens."""
        self.clock.advance(seconds)
        self.loop.advance(seconds)


def hello(device_id: str = "pump-1", **fields: Any) -> Connect:
    """A good CONNECT; fields stand in place of its own."""
    return Connect(
        **{
            "client_id": device_id,
            "username": f"localhost/{device_id}/?api-version=2021-04-12",
            "password": GOOD_TOKEN.encode(),
            "keep_alive_s": 60,
            **fields,
        }
    )


@asynccontextmanager
async def listening(loop: MovedLoop, door: Door = "TCP") -> AsyncIterator[Hub]:
    """A hub on a free port, and the end of it and its connections."""
    backend, clock = FakeBackend(), HandClock()
    links = Links(Faults(clock), Observations(clock, loop.time))
    backend.token_ends = clock.now() + timedelta(days=365)

    def new_connection() -> Connection:
        return Connection(backend, links, clock, loop, set())

    async with AsyncExitStack() as at_end:
        serving = new_connection if door == "TCP" else await _websocket_server(new_connection, at_end)
        server = await loop.create_server(serving, "127.0.0.1", 0)
        # Accepted sockets inherit it: what a device does not read is the hub's to keep, not the kernel's.
        server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        hub = Hub(loop, backend, links, clock, server.sockets[0].getsockname()[1], door)
        try:
            yield hub
        finally:
            server.close()
            links.drop_all()
            for device in hub.devices:
                device.writer.transport.abort()
            await turns(20)


async def _websocket_server(new_connection: Callable[[], Connection], at_end: AsyncExitStack) -> web.Server:
    application = web.Application()
    WebSocketEndpoint(new_connection, new_connection).register(application)
    runner = make_runner(application)
    await runner.setup()
    at_end.push_async_callback(runner.cleanup)
    assert runner.server is not None
    return runner.server
