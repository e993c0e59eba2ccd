"""WebSocket as far as MQTT needs it, on a socket that never blocks: the upgrade, and frames around the bytes.

Source: RFC 6455; IoT Hub "MQTT over WebSockets": path /$iothub/websocket, subprotocol mqtt.
"""

import base64
import hashlib
import os
import ssl
import struct

PATH = "/$iothub/websocket"
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
MAX_HEAD_BYTES = 16 * 1024  # of the upgrade's answer
CHUNK_BYTES = 16 * 1024  # a TLS record
MAX_CONTROL_BYTES = 125  # RFC 6455 5.5
MAX_WAITING_BYTES = 1 << 20  # what the hub has not taken yet, answers to its pings included
CONTINUATION, BINARY, CLOSE, PING, PONG = 0x0, 0x2, 0x8, 0x9, 0xA


class NotUpgraded(OSError):
    """The server did not become a WebSocket."""


def new_key() -> bytes:
    """A random key that the server's answer must be computed from."""
    return base64.b64encode(os.urandom(16))


def upgrade_request(host: str, port: int, key: bytes) -> bytes:
    """The request that asks for a WebSocket.

    host: without a port.  key: as `new_key` gives it.
    """
    authority = host if port == 443 else f"{host}:{port}"
    request = f"""GET {PATH} HTTP/1.1
Host: {authority}
Upgrade: websocket
Connection: Upgrade
Origin: https://{authority}
Sec-WebSocket-Key: {key.decode()}
Sec-WebSocket-Version: 13
Sec-WebSocket-Protocol: mqtt

"""
    return request.replace("\n", "\r\n").encode()


def rest_after_upgrade(received: bytes, key: bytes) -> bytes | None:
    """What came behind the server's answer; None while that is not whole.

    Raises NotUpgraded when it says no, or is none.
    """
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        if len(received) > MAX_HEAD_BYTES:
            raise NotUpgraded("its answer to the WebSocket upgrade is too long")
        return None
    status, *lines = head.decode("latin-1").split("\r\n")
    words = status.split(maxsplit=2)
    if len(words) < 2 or words[1] != "101":
        raise NotUpgraded(f"it is not a WebSocket: {status[:100]!r}")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    proof = base64.b64encode(hashlib.sha1(key + ACCEPT_GUID, usedforsecurity=False).digest()).decode()
    if fields.get("sec-websocket-accept") != proof:
        raise NotUpgraded("its answer to the WebSocket upgrade is not that of a WebSocket server")
    return rest


def frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """One whole client frame, masked as every client's must be."""
    size, mask = len(payload), os.urandom(4)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    # One operation on large numbers instead of one a byte.
    stream = (mask * (size // 4 + 1))[:size]
    hidden = int.from_bytes(payload, "little") ^ int.from_bytes(stream, "little")
    return head + mask + hidden.to_bytes(size, "little")


class WebSocketStream:
    """The bytes within binary frames, in the shape of a TLS socket that never blocks."""

    __slots__ = ("_at", "_is_drained", "_left", "_raw", "_sock", "_waiting")

    def __init__(self, sock: ssl.SSLSocket, received: bytes = b"") -> None:
        self._sock = sock
        self._raw = received  # read and not yet given, from `_at`
        self._at = 0
        self._left = 0  # bytes of the frame that is being read
        self._is_drained = False  # nothing can be given before more comes
        self._waiting = b""  # to be written

    def recv(self, limit: int) -> bytes:
        """At least 1 and at most `limit` bytes; b"" at the end.

        Raises ssl.SSLWantReadError when there are none yet, OSError when the connection broke.
        """
        self._is_drained = False
        while True:
            if self._left and self._at < len(self._raw):
                end = min(self._at + min(limit, self._left), len(self._raw))
                given = self._raw[self._at : end]
                self._left -= len(given)
                self._moved_to(end)
                return given
            if not self._left and self._next_frame():
                continue
            if self._left < 0:
                return b""
            self._is_drained = True
            more = self._sock.recv(CHUNK_BYTES)
            self._is_drained = False
            if not more:
                return b""
            self._raw, self._at = self._raw[self._at :] + more, 0

    def send(self, data: bytes | bytearray) -> int:
        """Take all of `data`; what the socket does not take at once, `flush` writes later.

        Raises ssl.SSLWantWriteError, and has taken nothing, while earlier data waits.
        """
        if self._waiting:
            self.flush()
            if self._waiting:
                raise ssl.SSLWantWriteError
        self._waiting = frame(bytes(data))
        self.flush()
        return len(data)

    def flush(self) -> None:
        """Write what waits, as far as the socket takes it."""
        try:
            while self._waiting:
                self._waiting = self._waiting[self._sock.send(self._waiting) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            pass

    @property
    def wants_write(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._waiting)

    def pending(self) -> int:
        """Bytes that `recv` may give without the socket becoming readable."""
        return 0 if self._is_drained else len(self._raw) - self._at + self._sock.pending()

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def close(self) -> None:
        self._sock.close()

    def _next_frame(self) -> bool:
        """Read a frame's head, and the whole of one that only concerns the connection; whether it was there."""
        raw, at = self._raw, self._at
        if len(raw) - at < 2:
            return False
        opcode, size, start = raw[at] & 0xF, raw[at + 1], at + 2
        if size & 0x80:
            raise ConnectionError("the server masks its frames")
        if size in (126, 127):
            start += 2 if size == 126 else 8
            if len(raw) < start:
                return False
            size = int.from_bytes(raw[at + 2 : start], "big")
        if opcode in (BINARY, CONTINUATION):
            self._left = size
            self._moved_to(start)
            return True
        if opcode not in (CLOSE, PING, PONG) or size > MAX_CONTROL_BYTES:
            raise ConnectionError(f"a WebSocket frame of kind {opcode} and {size} bytes")
        if len(raw) < start + size:
            return False
        if opcode == CLOSE:
            self._left = -1
            return False
        if opcode == PING:
            self._answer_ping(raw[start : start + size])
        self._moved_to(start + size)
        return True

    def _answer_ping(self, body: bytes) -> None:
        if len(self._waiting) > MAX_WAITING_BYTES:
            raise ConnectionError("the server asks and does not read")
        self._waiting += frame(body, PONG)
        self.flush()

    def _moved_to(self, at: int) -> None:
        if at == len(self._raw):
            self._raw, self._at = b"", 0
        else:
            self._at = at
