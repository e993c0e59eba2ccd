"""AMQP 1.0 frames: bytes in pieces of any size <-> performatives and protocol headers. Pure.

Source: OASIS AMQP 1.0, 2.2 version negotiation, 2.3 framing, 5.3 SASL.
"""

import struct
from dataclasses import dataclass

from azext_iotjobs.localhub.amqp.wire.decoder import decode
from azext_iotjobs.localhub.amqp.wire.encoder import encode
from azext_iotjobs.localhub.amqp.wire.performatives import Composite, Transfer, read_composite
from azext_iotjobs.localhub.amqp.wire.types import DecodeError, UInt

AMQP_FRAME, SASL_FRAME = 0, 1  # kinds
HEADER_BYTES = 8  # of a frame, and of a protocol header
MIN_MAX_FRAME_BYTES = 512  # what each side has to accept
_SIZE_AND_OFFSET = struct.Struct(">IBBH")
_TRANSFER_START = b"\x00\x53\x14"  # the descriptor of a transfer
_TRUE, _FALSE = b"\x41", b"\x42"
_LAST_FIELDS = b"\x40" * 5  # rcv-settle-mode, state, resume, aborted, batchable: none


class FramingError(DecodeError):
    """Bytes that cannot be a frame; where the next one begins is unknown."""


@dataclass(frozen=True)
class ProtocolHeader:
    """The first bytes of a connection, and those after SASL."""

    protocol: int  # 0: AMQP, 3: SASL
    version: tuple[int, int, int]

    def encoded(self) -> bytes:
        """As it goes on the wire."""
        return b"AMQP" + bytes([self.protocol, *self.version])


AMQP_HEADER, SASL_HEADER = ProtocolHeader(0, (1, 0, 0)), ProtocolHeader(3, (1, 0, 0))


@dataclass(frozen=True)
class Frame:
    """One frame; an empty one, which only says that the other side is there, has no performative."""

    kind: int
    channel: int
    performative: Composite | None
    payload: bytes = b""


class FrameReader:
    """Bytes -> frames.

    max_frame_bytes: of the largest accepted frame; no more than that, and what came with it, is ever buffered.
    """

    __slots__ = ("_buffer", "_position", "max_frame_bytes")

    def __init__(self, max_frame_bytes: int) -> None:
        self.max_frame_bytes = max_frame_bytes
        self._buffer = b""
        self._position = 0

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer = self._buffer[self._position :] + data
        self._position = 0

    def next(self) -> ProtocolHeader | Frame | None:
        """The next header or frame; None when it is not complete yet.

        Raises FramingError, as soon as the first bytes of a frame show it; DecodeError for a frame whose content is
        wrong, which is skipped.
        """
        left = len(self._buffer) - self._position
        if self._buffer.startswith(b"AMQP", self._position):
            return self._header() if left >= HEADER_BYTES else None
        if left < HEADER_BYTES:
            return None
        size, offset, kind, channel = _SIZE_AND_OFFSET.unpack_from(self._buffer, self._position)
        self._check(size, offset, kind)
        if left < size:
            return None
        start, end = self._position + 4 * offset, self._position + size
        self._position = end
        if start == end:
            return Frame(kind, channel, None)
        body = self._buffer[start:end]
        value, payload_start = decode(body)
        return Frame(kind, channel, read_composite(value), body[payload_start:])

    def _header(self) -> ProtocolHeader:
        found = self._buffer[self._position + 4 : self._position + HEADER_BYTES]
        self._position += HEADER_BYTES
        return ProtocolHeader(found[0], (found[1], found[2], found[3]))

    def _check(self, size: int, offset: int, kind: int) -> None:
        if kind not in (AMQP_FRAME, SASL_FRAME):
            raise FramingError(f"a frame of kind {kind}")
        if not (8 <= 4 * offset <= size):
            raise FramingError("a frame whose data begins outside it")
        if size > self.max_frame_bytes:
            raise FramingError(f"a frame of {size} bytes; at most {self.max_frame_bytes} are accepted")


def encode_frame(channel: int, performative: Composite | None, payload: bytes = b"", kind: int = AMQP_FRAME) -> bytes:
    """A frame as it goes on the wire; without a performative an empty one."""
    body = b"" if performative is None else encode(performative.encoded()) + payload
    return _SIZE_AND_OFFSET.pack(HEADER_BYTES + len(body), 2, kind, channel) + body


def encode_transfer(channel: int, transfer: Transfer, payload: bytes) -> bytes:
    """A frame with a transfer without the fields after `more`; several times faster than encode_frame."""
    fields = b"".join(
        (
            encode(UInt(transfer.handle)),
            b"\x40" if transfer.delivery_id is None else encode(UInt(transfer.delivery_id)),
            encode(transfer.delivery_tag),
            b"\x40" if transfer.message_format is None else encode(UInt(transfer.message_format)),
            _TRUE if transfer.settled else _FALSE,
            _TRUE if transfer.more else _FALSE,
            _LAST_FIELDS,
        )
    )
    listed = struct.pack(">BBB", 0xC0, len(fields) + 1, 11) + fields
    size = HEADER_BYTES + len(_TRANSFER_START) + len(listed) + len(payload)
    return _SIZE_AND_OFFSET.pack(size, 2, AMQP_FRAME, channel) + _TRANSFER_START + listed + payload
