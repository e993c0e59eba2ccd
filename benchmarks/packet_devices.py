"""The cheapest devices there can be, for measuring a hub: ready-made MQTT packets over asyncio, thousands a process.

They do no more than a hub's work needs on the other side: connect, subscribe to methods, answer each call at once, send
telemetry with QoS 1 and wait for its acknowledgement. Load on loopback only.
"""

import asyncio
import base64
import hashlib
import hmac
import multiprocessing
import ssl
import time
from asyncio import sslproto
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Any
from urllib.parse import quote

TOKEN_LIFE_S = 86400
CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0
METHODS = "$iothub/methods/POST/#"
METHOD_TOPIC = b"$iothub/methods/POST/"
EVENT = b'{"temperature": 21.5, "humidity": 40}'
HANDSHAKE = (
    b"GET /$iothub/websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


@dataclass(frozen=True, kw_only=True)
class HubEndpoint:
    """Where the devices go in, and with whose key."""

    host: str
    port: int
    ca_file: str
    hub_name: str
    policy: str
    policy_key: str
    is_websocket: bool = False


class PacketDevices:
    """Devices in processes of their own; `ids` are dealt out among them."""

    def __init__(
        self, endpoint: HubEndpoint, ids: list[str], make: "MakeDevice | None" = None, *, processes: int = 2
    ) -> None:
        """make: makes a device; None: one over MQTT."""
        context = multiprocessing.get_context("spawn")
        self._workers = []
        for number in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(theirs, endpoint, ids[number::processes], make or mqtt_device), daemon=True
            )
            process.start()
            self._workers.append((process, ours))

    def connect(self, count: int, *, at_once: int = 16) -> dict[str, float]:
        """Let `count` more devices come in, `at_once` handshakes at a time; gives `seconds` and `connected`."""
        return self._all("connect", count // len(self._workers), at_once)

    def send(self, messages: int, *, window: int = 4) -> dict[str, float]:
        """Each connected device sends so many messages with QoS 1; gives `seconds` and `acknowledged`."""
        return self._all("send", messages, window)

    def counts(self) -> dict[str, float]:
        """How many are `connected`, were `lost`, and how many methods they `answered` since they were asked last."""
        return self._all("counts")

    def close(self) -> None:
        """All go without a farewell."""
        for _, pipe in self._workers:
            pipe.send(("close", ()))
        for process, _ in self._workers:
            process.join(20)

    def _all(self, what: str, *arguments: Any) -> dict[str, float]:
        for _, pipe in self._workers:
            pipe.send((what, arguments))
        answers: list[dict[str, float]] = [pipe.recv() for _, pipe in self._workers]
        return {name: (max if name == "seconds" else sum)(each[name] for each in answers) for name in answers[0]}


class Device(asyncio.Protocol):
    """One device; over WebSocket its packets are in frames."""

    __slots__ = (
        "acknowledged",
        "answered",
        "buffer",
        "frames",
        "hello",
        "id",
        "is_in",
        "left",
        "on_change",
        "transport",
    )

    def __init__(self, device_id: str, hello: bytes, *, is_websocket: bool) -> None:
        self.id = device_id
        self.hello = hello
        self.frames: bytearray | None = bytearray() if is_websocket else None
        self.buffer = b""
        self.transport: Any = None
        self.is_in = False
        self.answered = self.acknowledged = self.left = 0
        self.on_change: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self.frames is None:
            self._write(self.hello)
        else:
            self.transport.write(HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        if self.frames is None:
            buffer = self.buffer + data if self.buffer else data
        else:
            self.frames += data
            buffer = self.buffer + self._unframed()
        at, end = 0, len(buffer)
        while at + 2 <= end:
            size, start, shift = 0, at + 1, 0
            while start < end:
                byte = buffer[start]
                size |= (byte & 0x7F) << shift
                shift, start = shift + 7, start + 1
                if not byte & 0x80:
                    break
            else:
                break
            if start + size > end:
                break
            self._packet(buffer[at], buffer[start : start + size])
            at = start + size
        self.buffer = bytes(buffer[at:])

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport, self.is_in = None, False
        self._changed()

    def send_event(self) -> None:
        """One message, whose number says only that it has one."""
        self.left -= 1
        topic = f"devices/{self.id}/messages/events/".encode()
        self._write(_packet(PUBLISH | 2, _text(topic) + b"\0\1" + EVENT))

    def _packet(self, kind: int, body: bytes) -> None:
        if kind & 0xF0 == PUBLISH:
            self._message(body)
        elif kind == PUBACK:
            self.acknowledged += 1
            if self.left:
                self.send_event()
            else:
                self._changed()
        elif kind == CONNACK and body == b"\0\0":
            self._write(_packet(0x82, b"\0\1" + _text(METHODS.encode()) + b"\0"))
        elif kind == SUBACK:
            self.is_in = True
            self._changed()
        else:
            raise AssertionError(f"{self.id} got {kind:#x} {body!r}")

    def _message(self, body: bytes) -> None:
        size = int.from_bytes(body[:2], "big")
        topic = body[2 : 2 + size]
        assert topic.startswith(METHOD_TOPIC), topic
        self.answered += 1
        rid = topic.partition(b"?$rid=")[2]
        self._write(_packet(PUBLISH, _text(b"$iothub/methods/res/200/?$rid=" + rid) + b'{"done":true}'))

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            # A mask of zeros is a mask.
            self.transport.write(data if self.frames is None else _frame(data))

    def _unframed(self) -> bytes:
        frames, found = self.frames, b""
        assert frames is not None
        if not self.is_in and frames.startswith(b"HTTP/1.1 101"):
            _, ends, rest = bytes(frames).partition(b"\r\n\r\n")
            if not ends:
                return b""
            frames[:] = rest
            self._write(self.hello)
        while len(frames) >= 2:
            size, start = frames[1] & 0x7F, 2
            if size == 126:
                size, start = int.from_bytes(frames[2:4], "big"), 4
            if size == 127 or len(frames) < start + size:
                break
            found += frames[start : start + size]
            del frames[: start + size]
        return found

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _frame(data: bytes) -> bytes:
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x82" + length + b"\0\0\0\0" + data


def _packet(kind: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([kind, *length, size]) + body


def _text(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def token_of(endpoint: HubEndpoint, device_id: str) -> str:
    """The token of a device."""
    resource, expiry = quote(f"{endpoint.hub_name}/devices/{device_id}", safe=""), int(time.time()) + TOKEN_LIFE_S
    mac = hmac.new(base64.b64decode(endpoint.policy_key), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(mac), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={endpoint.policy}"


def _hello(endpoint: HubEndpoint, device_id: str) -> bytes:
    username = f"{endpoint.hub_name}/{device_id}/?api-version=2021-04-12"
    fields = (device_id, username, token_of(endpoint, device_id))
    head = _text(b"MQTT") + b"\x04\xc2" + (1200).to_bytes(2, "big")
    return _packet(0x10, head + b"".join(_text(each.encode()) for each in fields))


def mqtt_device(endpoint: HubEndpoint, device_id: str) -> Device:
    """A device over MQTT."""
    return Device(device_id, _hello(endpoint, device_id), is_websocket=endpoint.is_websocket)


MakeDevice = Callable[[HubEndpoint, str], Device]


def _work(pipe: Pipe, endpoint: HubEndpoint, ids: list[str], make: "MakeDevice") -> None:
    setattr(sslproto.SSLProtocol, "max_size", 16 * 1024)  # noqa: B010 - mypy does not know it
    asyncio.run(_Worker(pipe, endpoint, ids, make).run())


class _Worker:
    """One process's devices."""

    def __init__(self, pipe: Pipe, endpoint: HubEndpoint, ids: list[str], make: "MakeDevice") -> None:
        self._pipe = pipe
        self._make = make
        self._endpoint = endpoint
        self._ids = ids
        self._tls = ssl.create_default_context(cafile=endpoint.ca_file)
        self._devices: list[Device] = []

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, _context: None)  # a hub that is killed drops thousands at once
        while True:
            what, arguments = await loop.run_in_executor(None, self._pipe.recv)
            if what == "close":
                return
            self._pipe.send(await getattr(self, what)(*arguments))

    async def connect(self, count: int, at_once: int) -> dict[str, float]:
        known = len(self._devices)
        self._devices += [self._make(self._endpoint, each) for each in self._ids[known : known + count]]
        slots, began = asyncio.Semaphore(at_once), time.monotonic()
        results = await asyncio.gather(*(self._come(each, slots) for each in self._devices[known:]))
        return {"seconds": time.monotonic() - began, "connected": sum(results)}

    async def _come(self, device: Device, slots: asyncio.Semaphore) -> bool:
        loop = asyncio.get_running_loop()
        async with slots:
            done = asyncio.Event()
            device.on_change = done.set
            try:
                await loop.create_connection(
                    lambda: device,
                    self._endpoint.host,
                    self._endpoint.port,
                    ssl=self._tls,
                    server_hostname=self._endpoint.hub_name,
                )
            except OSError:
                return False
            await done.wait()
            device.on_change = None
            return device.is_in

    async def send(self, messages: int, window: int) -> dict[str, float]:
        done, began = asyncio.Event(), time.monotonic()
        devices = [each for each in self._devices if each.is_in]
        wanted = messages * len(devices)
        before = sum(each.acknowledged for each in devices)
        open_devices = len(devices)

        def one_less() -> None:
            nonlocal open_devices
            open_devices -= 1
            if open_devices == 0:
                done.set()

        for device in devices:
            device.left, device.on_change = messages, one_less
        for number, device in enumerate(devices):
            device.send_event()
            if number % window == 0:
                await asyncio.sleep(0)
        if devices:
            await done.wait()
        for device in devices:
            device.on_change = None
        acknowledged = sum(each.acknowledged for each in devices) - before
        return {"seconds": time.monotonic() - began, "acknowledged": acknowledged, "wanted": wanted}

    async def counts(self) -> dict[str, float]:
        answered = sum(each.answered for each in self._devices)
        for each in self._devices:
            each.answered = 0
        connected = sum(each.is_in for each in self._devices)
        return {"connected": connected, "lost": len(self._devices) - connected, "answered": answered}
