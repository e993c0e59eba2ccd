"""MQTT over WebSocket: handshakes, frames, and that the same connection as on the MQTT port stands behind them.

AMQP over WebSocket: `tests/localhub/amqp/test_connection.py`.
"""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from azext_iotjobs.localhub.engine.links import MethodResult
from azext_iotjobs.localhub.http.websocket import MAX_FRAME_BYTES
from azext_iotjobs.localhub.mqtt.codec import encode
from azext_iotjobs.localhub.mqtt.packets import Connack, Disconnect, Pingreq, Pingresp, Publish, Subscribe, Will
from azext_iotjobs.localhub.rules.address import Address
from tests.helpers.hub_process import HubProcess
from tests.helpers.moved_loop import MovedLoop, run, turns, within_limit
from tests.helpers.raw_device import Hub, RawDevice, hello, listening
from tests.helpers.websocket_wire import PING, TEXT, FrameReader, FrameWriter, handshake, masked_frame

PUMP = Address("pump-1")
EVENTS = "devices/pump-1/messages/events/"
METHODS = "$iothub/methods/POST/#"
CONTINUATION = 0x0


def send_raw(device: RawDevice, data: bytes) -> None:
    """Bytes that are frames already, or are none."""
    device.writer.transport.write(data)


async def is_served(hub: Hub, device_id: str) -> bool:
    device = await hub.device(device_id)
    device.send(Pingreq())
    return await device.next() == Pingresp()


@pytest.mark.parametrize("path", ["/$iothub/websocket", "/%24iothub/websocket?iothub-no-client-cert=true"])
def test_a_handshake_is_taken_whatever_its_query(path: str) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            assert (await handshake(reader, writer, path=path, subprotocol="mqttv3.1, mqtt"))[0] == 101
            writer.transport.abort()

    run(main)


@pytest.mark.parametrize(
    ("path", "subprotocol"),
    [
        ("/$iothub/websocket", None),
        ("/$iothub/websocket", "mqttv3.1"),
        ("/$servicebus/websocket", "mqtt"),
        ("/$servicebus/websocket", None),
        ("/", "mqtt"),
        ("/", "AMQPWSB10"),
        ("/$iothub/websocket/", "mqtt"),
        ("/$iothub", "mqtt"),
    ],
)
def test_a_handshake_without_path_or_subprotocol_is_400(hub: HubProcess, path: str, subprotocol: str | None) -> None:
    async def main(_loop: MovedLoop) -> int:
        context = ssl.create_default_context(cafile=hub.ca)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", hub.ports[0], ssl=context, server_hostname="localhost"
        )
        code, _ = await within_limit(handshake(reader, writer, path=path, subprotocol=subprotocol))
        writer.transport.abort()
        await turns()
        return code

    assert run(main) == 400


@pytest.mark.parametrize(
    "line",
    [
        b"Upgrade: websocke\xff",
        b"Connection: close",
        b"Sec-WebSocket-Version: \xff",
        b"Sec-WebSocket-Key: \xff",
        b"Sec-WebSocket-Key: eA==",
        b"Sec-WebSocket-Protocol: \xff",
    ],
)
def test_a_handshake_with_a_malformed_header_is_400_and_leaves_no_trace(tmp_path: Path, line: bytes) -> None:
    good = {
        b"Upgrade": b"websocket",
        b"Connection": b"Upgrade",
        b"Sec-WebSocket-Version": b"13",
        b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Protocol": b"mqtt",
    }
    name, _, value = line.partition(b": ")
    asked = b"".join(b"%s: %s\r\n" % each for each in {**good, name: value}.items())
    with HubProcess(tmp_path, "--in-memory") as hub:
        context = ssl.create_default_context(cafile=hub.ca)
        with socket.create_connection(("127.0.0.1", hub.ports[0]), timeout=30) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as sock:
                sock.sendall(b"GET /$iothub/websocket HTTP/1.1\r\nHost: localhost\r\n" + asked + b"\r\n")
                assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert hub.stop() == 0
        assert hub.errors == ""


def test_a_request_that_asks_for_no_websocket_is_400_also_without_a_token(hub: HubProcess) -> None:
    answer = hub.request("GET", "/$iothub/websocket", token="", api_version=None)
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (400, "GenericBadRequest")


def test_packets_may_come_in_pieces_and_together() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.wire()
            for byte in encode(hello()):
                device.writer.write(bytes([byte]))
            assert await device.next() == Connack(False, 0)
            device.writer.write(encode(Pingreq()) * 3)
            assert [await device.next() for _ in range(3)] == [Pingresp()] * 3
            message = encode(Publish(EVENTS, b"x" * 70_000))
            device.writer.write(message[:100])
            device.writer.write(message[100:] + encode(Pingreq()))
            assert await device.next() == Pingresp()
            assert ("telemetry", "pump-1", {}, b"x" * 70_000) in hub.backend.calls

    run(main)


def test_a_message_may_come_in_fragments_with_a_ping_between_them() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.wire()
            data = encode(hello())
            send_raw(device, masked_frame(data[:9], is_last=False))
            send_raw(device, masked_frame(b"still there?", PING))
            send_raw(device, masked_frame(data[9:], CONTINUATION))
            assert isinstance(device.reader, FrameReader)
            assert await device.next() == Connack(False, 0)
            assert device.reader.pongs == [b"still there?"]

    run(main)


@pytest.mark.parametrize(
    "frame",
    [
        masked_frame(b"hello", TEXT),
        masked_frame(b"\xff\xfe", TEXT),
        masked_frame(b"x" * (MAX_FRAME_BYTES + 1)),
        masked_frame(b"")[:1] + b"\xff" + (1 << 62).to_bytes(8, "big") + b"mask",
        b"\x82\x01x",
        b"\xf2\x80mask",
        b"\x83\x80mask",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["text", "no text", "large", "says it is huge", "no mask", "reserved bits", "unknown opcode", "HTTP"],
)
def test_a_frame_that_may_not_be_ends_that_connection_alone_and_its_will_is_sent(frame: bytes) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.device(will=Will(EVENTS, b"gone", 0, False))
            send_raw(device, frame)
            assert await device.is_dropped()
            await hub.until_said("disconnected", "pump-1")
            assert ("telemetry", "pump-1", {"iothub-MessageType": "Will"}, b"gone") in hub.backend.calls
            assert await is_served(hub, "pump-2")

    run(main)


def test_a_text_frame_gets_the_close_code_unsupported() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.device()
            send_raw(device, masked_frame(b"hello", TEXT))
            assert await device.is_dropped()
            assert isinstance(device.reader, FrameReader)
            assert device.reader.close_code == 1003

    run(main)


def test_a_close_frame_without_disconnect_is_no_farewell() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.device(will=Will(EVENTS, b"gone", 0, False))
            send_raw(device, masked_frame((1000).to_bytes(2, "big"), 0x8))
            assert await device.is_dropped()
            await hub.until_said("disconnected", "pump-1")
            assert ("telemetry", "pump-1", {"iothub-MessageType": "Will"}, b"gone") in hub.backend.calls

    run(main)


def test_a_refused_device_reads_its_connack_and_then_a_clean_end() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.wire()
            device.send(hello(password=b"wrong"))
            assert await device.next() == Connack(False, 5)
            assert await device.is_dropped()
            assert isinstance(device.reader, FrameReader)
            assert device.reader.close_code == 1000

    run(main)


def test_large_methods_go_out_and_their_answers_come_in() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.device("pump-1", METHODS)
            payload = "x" * 127_000
            calls = [
                loop.create_task(hub.links.invoke(PUMP, "echo", payload, response_timeout_s=300, connect_timeout_s=100))
                for _ in range(10)
            ]
            for _ in calls:
                request = await device.message()
                rid = request.topic.partition("$rid=")[2]
                device.send(Publish(f"$iothub/methods/res/200/?$rid={rid}", request.payload))
            answers = await within_limit(asyncio.gather(*calls))
            assert answers == [MethodResult(200, payload)] * 10

    run(main)


def test_what_is_sent_after_a_farewell_does_not_count() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            device = await hub.device()
            device.send(Disconnect(), Publish(EVENTS, b"late"))
            device.send(Publish(EVENTS, b"later"), Subscribe(1, ((METHODS, 0),)))
            assert await device.is_dropped()
            assert hub.backend.calls == [("connected", "pump-1"), ("disconnected", "pump-1")]

    run(main)


def test_the_hub_s_end_does_not_wait_for_one_that_said_nothing_yet() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, "WebSocket") as hub:
            silent = await hub.wire()
            reader, _writer = silent.reader, silent.writer
            assert isinstance(reader, FrameReader) and isinstance(_writer, FrameWriter)
            hub.devices.clear()
        assert await silent.is_dropped()
        assert reader.close_code == 1000
        silent.writer.transport.abort()
        await turns()

    run(main)
