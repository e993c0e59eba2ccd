"""The same cheap devices over AMQP: ready-made frames, a token put on $cbs, and one link for telemetry."""

import asyncio
from typing import Any

from azext_iotjobs.localhub.amqp.wire.frames import (
    AMQP_HEADER,
    FrameReader,
    ProtocolHeader,
    encode_frame,
    encode_transfer,
)
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message, Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    SENDER,
    Attach,
    Begin,
    Disposition,
    Flow,
    Open,
    Source,
    Target,
    Transfer,
)
from benchmarks.packet_devices import EVENT, Device, HubEndpoint, token_of

WIDE = 2048  # frames that each side may send without waiting
MAX_FRAME_BYTES = 64 * 1024
PUT, REPLIES, EVENTS = 0, 1, 2  # handles of links
PUT_TOKEN = {"operation": "put-token", "type": "servicebus.windows.net:sastoken"}


class AmqpDevice(Device):
    """One device."""

    __slots__ = ("events", "number", "reader", "token")

    def __init__(self, device_id: str, token: str) -> None:
        super().__init__(device_id, b"", is_websocket=False)
        self.token = token
        self.reader = FrameReader(MAX_FRAME_BYTES)
        self.number = 0
        self.events = encode_message(Message(data=(EVENT,)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._write(
            AMQP_HEADER.encoded()
            + _frames(
                Open(self.id, "localhost"),
                Begin(next_outgoing_id=0, incoming_window=WIDE, outgoing_window=WIDE),
                _sender("$cbs", PUT),
                Attach("replies", REPLIES, RECEIVER, source=Source("$cbs"), target=Target("cbs")),
                Flow(0, WIDE, 0, WIDE, handle=REPLIES, delivery_count=0, link_credit=10),
            )
        )

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        while (frame := self.reader.next()) is not None:
            if not isinstance(frame, ProtocolHeader):
                self._performative(frame.performative)

    def send_event(self) -> None:
        self.left -= 1
        self._send(EVENTS, self.events)

    def _performative(self, performative: Any) -> None:
        match performative:
            case Disposition(role=True, first=first, last=last) if self.is_in:
                self.acknowledged += 1 if last is None else last - first + 1
                if self.left:
                    self.send_event()
                else:
                    self._changed()
            case Flow(handle=0):
                named = {**PUT_TOKEN, "name": f"localhost/devices/{self.id}"}
                request = Message(
                    properties=Properties(message_id="1"),
                    application_properties=named,
                    value=AmqpValue(value=self.token),
                )
                self._send(PUT, encode_message(request))
            case Transfer(handle=1):
                self._write(_frames(_sender(f"/devices/{self.id}/messages/events", EVENTS)))
            case Flow(handle=2) if not self.is_in:
                self.is_in = True
                self._changed()

    def _send(self, handle: int, payload: bytes) -> None:
        transfer = Transfer(handle, self.number, self.number.to_bytes(4, "big"), 0, settled=False, more=False)
        self.number += 1
        self._write(encode_transfer(0, transfer, payload))


def amqp_device(endpoint: HubEndpoint, device_id: str) -> Device:
    """A device over AMQP."""
    return AmqpDevice(device_id, token_of(endpoint, device_id))


def _sender(address: str, handle: int) -> Attach:
    return Attach(f"out {handle}", handle, SENDER, source=Source(), target=Target(address), initial_delivery_count=0)


def _frames(*performatives: Any) -> bytes:
    return b"".join(encode_frame(0, each) for each in performatives)
