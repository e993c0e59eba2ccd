"""Frames on a TLS socket that gives and takes what a test says."""

import base64
import hashlib
import os
import ssl
import struct

import pytest

from azext_iotjobs.transport.websocket import (
    MAX_HEAD_BYTES,
    NotUpgraded,
    WebSocketStream,
    new_key,
    rest_after_upgrade,
    upgrade_request,
)
from tests.helpers.waiting import looks

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = new_key()
PROOF = base64.b64encode(hashlib.sha1(KEY + GUID).digest()).decode()
YES = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-accept: {PROOF}\r\n\r\n".encode()


class Wire:
    """Gives its pieces one after the other; takes `room` bytes and then no more."""

    def __init__(self, *pieces: bytes, room: int = 1 << 30) -> None:
        self.pieces = list(pieces)
        self.room = room
        self.written = b""

    def recv(self, limit: int) -> bytes:
        if not self.pieces:
            raise ssl.SSLWantReadError
        piece, rest = self.pieces[0][:limit], self.pieces[0][limit:]
        self.pieces[0:1] = [rest] if rest else []
        return piece

    def send(self, data: bytes) -> int:
        if not self.room:
            raise ssl.SSLWantWriteError
        taken = data[: self.room]
        self.written += taken
        self.room -= len(taken)
        return len(taken)

    def pending(self) -> int:
        return 0


def stream(wire: Wire, received: bytes = b"") -> WebSocketStream:
    return WebSocketStream(wire, received)  # type: ignore[arg-type]


def frame(payload: bytes, opcode: int = 0x2, *, is_last: bool = True) -> bytes:
    """A server's frame."""
    first, size = opcode | (0x80 if is_last else 0), len(payload)
    if size < 126:
        return struct.pack("!BB", first, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def unmasked(data: bytes) -> tuple[int, bytes, bytes]:
    """Opcode and payload of a client's first frame, and what follows it."""
    size, start = data[1] & 0x7F, 2
    assert data[0] & 0x80 and data[1] & 0x80, "whole, and masked"
    if size >= 126:
        start = 4 if size == 126 else 10
        size = int.from_bytes(data[2:start], "big")
    mask, body = data[start : start + 4], data[start + 4 : start + 4 + size]
    return data[0] & 0xF, bytes(a ^ mask[i % 4] for i, a in enumerate(body)), data[start + 4 + size :]


def read_all(given: WebSocketStream, limit: int = 7) -> bytes:
    """What is there, asked for in small pieces, as MQTT's heads are."""
    found = b""
    for _ in looks("the end of what is there"):
        try:
            piece = given.recv(limit)
        except ssl.SSLWantReadError:
            return found
        if not piece:
            return found
        found += piece
    return found


def test_the_upgrade_asks_for_mqtt_and_its_answer_must_prove_the_key() -> None:
    asked = upgrade_request("hub.azure-devices.net", 443, KEY).decode()
    assert asked.startswith("GET /$iothub/websocket HTTP/1.1\r\nHost: hub.azure-devices.net\r\n")
    assert "Sec-WebSocket-Protocol: mqtt\r\n" in asked and asked.endswith("\r\n\r\n")
    assert "Host: localhost:8443\r\n" in upgrade_request("localhost", 8443, KEY).decode()
    for cut in range(len(YES)):
        assert rest_after_upgrade(YES[:cut], KEY) is None
    assert rest_after_upgrade(YES + b"more", KEY) == b"more"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "400"),
        (b"HTTP/1.1 101 Yes\r\n\r\n", "not that of a WebSocket server"),
        (YES.replace(PROOF.encode(), b"x" * 28), "not that of a WebSocket server"),
        (b"\x00\xff\r\n\r\n", "not a WebSocket"),
        (b"x" * (MAX_HEAD_BYTES + 1), "too long"),
    ],
)
def test_another_answer_is_said(answer: bytes, said: str) -> None:
    with pytest.raises(NotUpgraded, match=said):
        rest_after_upgrade(answer, KEY)


@pytest.mark.parametrize("step", [1, 2, 3, 50, 70_000])
def test_what_comes_in_pieces_of_any_size_is_read_whole_over_frames_and_pings(step: int) -> None:
    bodies = [os.urandom(size) for size in (0, 1, 125, 126, 5_000, 66_000)]
    sent = b"".join(
        frame(body[: len(body) // 2], is_last=False) + frame(b"are you there", 0x9) + frame(body[len(body) // 2 :], 0x0)
        for body in bodies
    )
    wire = Wire(*(sent[at : at + step] for at in range(0, len(sent), step)))
    assert read_all(stream(wire, wire.pieces.pop(0))) == b"".join(bodies)
    opcode, body, _ = unmasked(wire.written)
    assert (opcode, body) == (0xA, b"are you there")


def test_pending_is_what_can_be_read_and_never_half_a_frame_s_head() -> None:
    wire = Wire(frame(b"abc") + frame(b"d") + b"\x82")
    given = stream(wire)
    assert given.recv(2) == b"ab" and given.pending() > 0
    assert given.recv(10) == b"c" and given.pending() > 0
    assert given.recv(10) == b"d"
    with pytest.raises(ssl.SSLWantReadError):
        given.recv(10)
    assert given.pending() == 0


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 250_000])
def test_what_is_sent_is_one_masked_frame(size: int) -> None:
    wire, body = Wire(), os.urandom(size)
    assert stream(wire).send(bytearray(body)) == size
    assert unmasked(wire.written) == (0x2, body, b"")


def test_what_the_socket_does_not_take_is_kept_and_written_later_in_order() -> None:
    wire = Wire(room=3)
    given = stream(wire)
    assert given.send(b"first") == 5 and given.wants_write
    with pytest.raises(ssl.SSLWantWriteError):
        given.send(b"second")
    wire.room = 1 << 30
    given.flush()
    assert not given.wants_write
    given.send(b"second")
    _, first, rest = unmasked(wire.written)
    assert (first, unmasked(rest)[1]) == (b"first", b"second")


def test_the_server_s_end_is_an_end() -> None:
    assert read_all(stream(Wire(frame(b"last") + frame(b"\x03\xe8", 0x8) + frame(b"never")))) == b"last"
    assert stream(Wire(b"")).recv(5) == b""


@pytest.mark.parametrize("bad", [frame(b"x", 0x1), frame(b"x" * 126, 0x9), b"\x82\x81abcdx"])
def test_frames_that_a_server_must_not_send_break_the_connection(bad: bytes) -> None:
    with pytest.raises(ConnectionError):
        read_all(stream(Wire(bad)))


def test_a_server_that_asks_and_never_reads_is_left() -> None:
    with pytest.raises(ConnectionError, match="does not read"):
        read_all(stream(Wire(frame(b"x" * 125, 0x9) * 20_000, room=0)))
