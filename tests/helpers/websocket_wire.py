"""A WebSocket client of bare frames, in the shape of asyncio's streams: what is written goes out as masked frames."""

import asyncio
import base64
import hashlib
import os
import struct

PATH = "/$iothub/websocket?iothub-no-client-cert=true"
BINARY, TEXT, CLOSE, PING, PONG = 0x2, 0x1, 0x8, 0x9, 0xA
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def masked_frame(payload: bytes, opcode: int = BINARY, *, is_last: bool = True) -> bytes:
    """A client's frame."""
    first, size, mask = opcode | (0x80 if is_last else 0), len(payload), os.urandom(4)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    stream = (mask * (size // 4 + 1))[:size]
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + mask + hidden.to_bytes(size, "big")


async def handshake(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    path: str = PATH,
    subprotocol: str | None = "mqtt",
) -> tuple[int, dict[str, str]]:
    """Ask for a WebSocket; give the HTTP status and the answer's headers, names in lower case."""
    key = base64.b64encode(os.urandom(16))
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Extensions: permessage-deflate",
        *([] if subprotocol is None else [f"Sec-WebSocket-Protocol: {subprotocol}"]),
        "",
        "",
    ]
    writer.write("\r\n".join(lines).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *fields = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    code = int(status.split()[1])
    if code == 101:
        expected = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        assert headers["sec-websocket-accept"] == expected
    return code, headers


class FrameReader:
    """Gives the bytes inside binary frames, as they come; the end is a close frame or the end of the stream."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._raw = b""
        self._left = 0  # of the frame that is being read
        self.close_code: int | None = None
        self.pongs: list[bytes] = []

    async def read(self, limit: int) -> bytes:
        """Some of them; none at the end."""
        while self.close_code is None:
            if self._left and self._raw:
                data, self._raw = self._raw[: self._left], self._raw[self._left :]
                self._left -= len(data)
                return data
            if not self._left and self._next_head():
                continue
            more = await self._reader.read(limit)
            if not more:
                return b""
            self._raw += more
        return b""

    def _next_head(self) -> bool:
        if len(self._raw) < 2:
            return False
        opcode, size, start = self._raw[0] & 0xF, self._raw[1], 2
        if size in (126, 127):
            start = 4 if size == 126 else 10
            if len(self._raw) < start:
                return False
            size = int.from_bytes(self._raw[2:start], "big")
        if opcode in (CLOSE, PONG):
            if len(self._raw) < start + size:
                return False
            body, self._raw = self._raw[start : start + size], self._raw[start + size :]
            if opcode == PONG:
                self.pongs.append(body)
            else:
                self.close_code = int.from_bytes(body[:2], "big")
            return True
        assert opcode == BINARY, f"opcode {opcode}"
        self._raw, self._left = self._raw[start:], size
        return True


class FrameWriter:
    """Sends each write as one frame."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    @property
    def transport(self) -> asyncio.WriteTransport:
        """The connection below."""
        return self._writer.transport

    def write(self, data: bytes) -> None:
        """One binary frame."""
        self._writer.write(masked_frame(data))
