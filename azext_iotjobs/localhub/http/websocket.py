"""MQTT over WebSocket: a door in the HTTPS port that leads to the MQTT side.

Strategy: aiohttp shakes hands and reads frames; a `_Wire` stands before the MQTT connection as its transport, so that
the same connection which serves TCP serves here, with all its limits. Nothing asks for a token: CONNECT brings it.
Source: RFC 6455; IoT Hub "communicate using MQTT", section on WebSocket.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from azext_iotjobs.localhub.errors import GENERIC_BAD_REQUEST, NOT_IMPLEMENTED, HubError

PATH = "/$iothub/websocket"
SUBPROTOCOL = "mqtt"
AMQP_PATH, AMQP_SUBPROTOCOL = "/$servicebus/websocket", "AMQPWSB10"
MAX_FRAME_BYTES = 1024 * 1024  # a frame may hold several packets; the largest packet has less than a third of it
GOODBYE_LIMIT_S = 1.0  # for a device's answer to our farewell

BINARY, CLOSE = 0x2, 0x8  # opcodes
NORMAL_END, BAD_DATA = 1000, 1003  # close codes


class Connection(Protocol):
    """What the frames are for: an asyncio.Protocol that can be told why it ends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""

    def data_received(self, data: bytes) -> None:
        """Bytes came."""

    def pause_writing(self) -> None:
        """What was written is not read."""

    def report_client_error(self, reason: str) -> None:
        """It is about to end by its client's mistake."""

    def connection_lost(self, error: Exception | None, /) -> None:
        """It has ended."""


class WebSocketEndpoint:
    """Every WebSocket connection of the hub."""

    def __init__(self, new_connection: Callable[[], Connection]) -> None:
        self._new_connection = new_connection
        self._wires: set[_Wire] = set()

    def open_in(self, application: web.Application) -> None:
        """Let devices in through an application, until it ends."""
        application.router.add_route("GET", PATH, self._serve)
        application.router.add_route("GET", AMQP_PATH, _refuse_amqp)
        application.on_shutdown.append(self._end)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its handshake, which may be refused with 400, to its end."""
        frames = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), compress=False, max_msg_size=MAX_FRAME_BYTES, timeout=GOODBYE_LIMIT_S
        )
        if SUBPROTOCOL not in (offered := _offered(request)) and AMQP_SUBPROTOCOL in offered:
            await _refuse_amqp(request)
        if request.transport is None or not _is_good(frames, request):
            raise HubError(GENERIC_BAD_REQUEST, f"This is no WebSocket handshake with the subprotocol {SUBPROTOCOL}.")
        await frames.prepare(request)
        connection = self._new_connection()
        wire = _Wire(request.transport, connection)
        self._wires.add(wire)
        connection.connection_made(wire)
        try:
            await _read(frames, wire, connection)
        finally:
            self._wires.discard(wire)
            connection.connection_lost(None)
            # Its trace holds all of the connection, which holds it: 15 KB until garbage is collected.
            if error := frames.exception():
                error.__traceback__ = error.__context__ = None
        return frames

    async def _end(self, _application: web.Application) -> None:
        for wire in list(self._wires):
            wire.close()


def is_handshake(request: web.Request) -> bool:
    """Whether a request asks for a WebSocket, wherever."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _offered(request: web.Request) -> list[str]:
    return [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]


async def _refuse_amqp(_request: web.Request) -> web.StreamResponse:
    raise HubError(NOT_IMPLEMENTED, "The local hub does not speak AMQP: devices come in over MQTT and HTTPS.")


def _is_good(frames: web.WebSocketResponse, request: web.Request) -> bool:
    try:
        return SUBPROTOCOL in _offered(request) and frames.can_prepare(request).ok
    except ValueError:  # a header that is no text: aiohttp stumbles over it
        return False


async def _read(frames: web.WebSocketResponse, wire: "_Wire", connection: Connection) -> None:
    async for frame in frames:
        if frame.type is not WSMsgType.BINARY:
            # Text; or a frame that cannot be read, which aiohttp has answered already.
            is_text = frame.type is WSMsgType.TEXT
            connection.report_client_error(
                "it sent a WebSocket text frame" if is_text else f"its WebSocket frame: {frame.data}"
            )
            wire.close(BAD_DATA)
            return
        if frame.data:
            connection.data_received(frame.data)
        await wire.may_read.wait()  # frames that come meanwhile wait too: aiohttp reads no more than a few


class _Wire(asyncio.Transport):
    """A WebSocket as a transport: what is written goes out as one binary frame.

    aiohttp's own sending is a coroutine; a connection writes at once, from wherever it is called. Frames of both are
    whole, so they may alternate.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        super().__init__()
        self._transport = transport
        self._connection = connection
        self._limit_bytes: int | None = None
        self._is_closing = False
        self.may_read = asyncio.Event()
        self.may_read.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the transport below says."""
        return self._transport.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Tell the connection when more than `high` bytes are unread; it is never told to go on."""
        self._limit_bytes = high

    def pause_reading(self) -> None:
        """Give the connection no more frames for a while."""
        self.may_read.clear()

    def resume_reading(self) -> None:
        """Give it frames again."""
        self.may_read.set()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send a binary frame."""
        if self.is_closing():
            return
        self._transport.write(_frame(BINARY, bytes(data)))
        if self._limit_bytes is not None and self._transport.get_write_buffer_size() > self._limit_bytes:
            self._connection.pause_writing()

    def is_closing(self) -> bool:
        """Whether it has ended or is about to."""
        return self._is_closing or self._transport.is_closing()

    def close(self, code: int = NORMAL_END) -> None:
        """Send a farewell after what was written, and close."""
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
    """One whole frame; a server's have no mask [RFC 6455 5.1]."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return head + payload
