"""MQTT and AMQP over WebSocket: endpoints of the HTTPS port that lead to the same connections as over TCP.

Strategy: aiohttp does the handshake and reads frames; a `_WebSocketTransport` is the transport of a connection, so that
the same code and limits apply as over TCP. The handshake needs no token: MQTT's CONNECT has it, and AMQP has its own
ways.
Source: RFC 6455; IoT Hub "communicate using MQTT" and "AMQP support", sections on WebSocket.
"""

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.errors import GENERIC_BAD_REQUEST, HubError
from azext_iotjobs.localhub.http.fault_effects import let_pass
from azext_iotjobs.localhub.rules.observation import IS_WEBSOCKET

PATH, EVENT_HUBS_PATH = "/$iothub/websocket", "/$servicebus/websocket"
MQTT, AMQP = "mqtt", "AMQPWSB10"  # subprotocols
SUBPROTOCOLS = {PATH: (MQTT, AMQP), EVENT_HUBS_PATH: (AMQP,)}
MAX_FRAME_BYTES = 1024 * 1024  # a frame may hold several packets; the largest packet has less than a third of it
CLOSE_LIMIT_S = 1.0  # for a client's response to our close frame

BINARY, CLOSE = 0x2, 0x8  # opcodes
NORMAL_END, BAD_DATA = 1000, 1003  # close codes


class Connection(Protocol):
    """The receiver of frames: an asyncio.Protocol that also accepts a reason for its end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""

    def data_received(self, data: bytes) -> None:
        """Bytes came."""

    def pause_writing(self) -> None:
        """The client does not read what was written."""

    def resume_writing(self) -> None:
        """It has read most of it."""

    def report_client_error(self, reason: str) -> None:
        """It is about to end because of its client's error."""

    def connection_lost(self, error: Exception | None, /) -> None:
        """It has ended."""


class WebSocketEndpoint:
    """All WebSocket connections of the hub."""

    def __init__(
        self, new_mqtt: Callable[[], Connection], new_amqp: Callable[[], Connection], faults: Faults | None = None
    ) -> None:
        """new_mqtt, new_amqp: make a connection of that protocol.  faults: of handshakes; None: there never are any."""
        self._new_connection = {MQTT: new_mqtt, AMQP: new_amqp}
        self._faults = faults
        self._transports: set[_WebSocketTransport] = set()

    def register(self, application: web.Application) -> None:
        """Add the endpoints to an application; connections end with it."""
        for path in SUBPROTOCOLS:
            application.router.add_route("GET", path, self._serve)
        application.on_shutdown.append(self._end)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its handshake, which may be refused with 400, to its end."""
        protocols = SUBPROTOCOLS[request.path]
        frames = web.WebSocketResponse(
            protocols=protocols, compress=False, max_msg_size=MAX_FRAME_BYTES, timeout=CLOSE_LIMIT_S
        )
        if not _is_good(frames, request, protocols):
            raise HubError(
                GENERIC_BAD_REQUEST, f"This is not a WebSocket handshake with the subprotocol {' or '.join(protocols)}."
            )
        await let_pass(self._faults, request, device=None)  # who it is, it says later
        if request.transport is None:
            raise ConnectionError
        await frames.prepare(request)
        connection = self._new_connection[str(frames.ws_protocol)]()
        wire = _WebSocketTransport(request.transport, connection, request.writer.drain)
        self._transports.add(wire)
        connection.connection_made(wire)
        try:
            await _read(frames, wire, connection)
        finally:
            self._transports.discard(wire)
            connection.connection_lost(None)
            # Its traceback refers to the connection, which refers to it: 15 KB until garbage is collected.
            if error := frames.exception():
                error.__traceback__ = error.__context__ = None
        return frames

    async def _end(self, _application: web.Application) -> None:
        for wire in list(self._transports):
            wire.close()


def is_handshake(request: web.Request) -> bool:
    """Whether a request is a WebSocket handshake, at any path."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _offered(request: web.Request) -> list[str]:
    return [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]


def _is_good(frames: web.WebSocketResponse, request: web.Request, protocols: tuple[str, ...]) -> bool:
    try:
        return not set(protocols).isdisjoint(_offered(request)) and frames.can_prepare(request).ok
    except ValueError:  # a header that is not text, which aiohttp does not expect
        return False


async def _read(frames: web.WebSocketResponse, wire: "_WebSocketTransport", connection: Connection) -> None:
    async for frame in frames:
        if frame.type is not WSMsgType.BINARY:
            # A text frame; or one that cannot be read, to which aiohttp has responded already.
            is_text = frame.type is WSMsgType.TEXT
            connection.report_client_error(
                "it sent a WebSocket text frame" if is_text else f"its WebSocket frame: {frame.data}"
            )
            wire.close(BAD_DATA)
            return
        if frame.data:
            connection.data_received(frame.data)
        await wire.may_read.wait()  # meanwhile aiohttp reads only a few more frames


class _WebSocketTransport(asyncio.Transport):
    """A WebSocket as a transport: each write is one binary frame.

    aiohttp sends in a coroutine, while a connection writes synchronously. Frames of both are complete, so they may
    alternate.
    """

    def __init__(
        self, transport: asyncio.Transport, connection: Connection, drain: Callable[[], Awaitable[None]]
    ) -> None:
        """drain: waits until most of what was written has gone out."""
        super().__init__()
        self._transport = transport
        self._connection = connection
        self._drain = drain
        self._resuming: asyncio.Task[None] | None = None  # while the connection's writing is paused
        self._limit_bytes: int | None = None
        self._is_closing = False
        self.may_read = asyncio.Event()
        self.may_read.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the underlying transport, and that this is a WebSocket."""
        if name == IS_WEBSOCKET:
            return True
        return self._transport.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Pause the connection's writing when more than `high` bytes are unsent, until most of them have gone out."""
        self._limit_bytes = high

    def pause_reading(self) -> None:
        """Deliver no frames until `resume_reading`."""
        self.may_read.clear()

    def resume_reading(self) -> None:
        """Deliver frames again."""
        self.may_read.set()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send a binary frame."""
        if self.is_closing():
            return
        self._transport.write(_frame(BINARY, bytes(data)))
        if self._limit_bytes is None or self._resuming is not None:
            return
        if self._transport.get_write_buffer_size() > self._limit_bytes:
            self._resuming = asyncio.create_task(self._resume())
            self._connection.pause_writing()

    async def _resume(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._drain()
            self._resuming = None
            self._connection.resume_writing()

    def is_closing(self) -> bool:
        """Whether it is closed or closing."""
        return self._is_closing or self._transport.is_closing()

    def close(self, code: int = NORMAL_END) -> None:
        """Send a close frame after what was written, and close."""
        if self.is_closing():
            return
        self._transport.write(_frame(CLOSE, struct.pack("!H", code)))
        self._is_closing = True
        self.may_read.set()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._is_closing = True
        self.may_read.set()
        self._transport.abort()


def _frame(opcode: int, payload: bytes) -> bytes:
    """One complete frame; those of a server have no mask [RFC 6455 5.1]."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return head + payload
