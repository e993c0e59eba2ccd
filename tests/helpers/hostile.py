"""Clients that mean harm or are broken: each is one connection, or a few, to a real hub.

Bytes are written out here or made by the hub's own codec; what comes back is of no interest, and neither is an end of
the connection: the hub may cut it at any time.
"""

import contextlib
import gzip
import random
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from azext_iotjobs.localhub.mqtt.codec import encode
from azext_iotjobs.localhub.mqtt.packets import Connect, Packet, Pingreq, Puback, Publish, Subscribe
from tests.helpers.device_certificates import make
from tests.helpers.hub_process import API_VERSION, HubProcess, sas
from tests.helpers.websocket_wire import PING, masked_frame

LIMIT_S = 20.0
FILTERS = ("$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#")
WEBSOCKET = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
FALSE_ROOT = make("root", ca=True)
VERSION = f"?api-version={API_VERSION}"


@dataclass
class Target:
    """The hub that is to suffer, and a device's key with which one gets in."""

    hub: HubProcess
    key: str
    device: str
    context: ssl.SSLContext = field(init=False)
    held: list[socket.socket] = field(default_factory=list)  # what stays open until `let_go`

    def __post_init__(self) -> None:
        self.context = ssl.create_default_context(cafile=self.hub.info["caCertificatePath"])
        self.token = self.hub.token(life_s=3600)

    def tcp(self, port: str) -> socket.socket:
        """A connection to "mqttPort" or "httpsPort", without TLS."""
        return socket.create_connection(("127.0.0.1", self.hub.info[port]), timeout=LIMIT_S)

    @contextlib.contextmanager
    def tls(self, port: str) -> Iterator[ssl.SSLSocket]:
        """A connection with TLS; closed without a farewell."""
        with self.tcp(port) as plain, self.context.wrap_socket(plain, server_hostname="localhost") as sock:
            yield sock

    @contextlib.contextmanager
    def websocket(self) -> Iterator[ssl.SSLSocket]:
        """A WebSocket whose handshake is over; closed without a farewell."""
        with self.tls("httpsPort") as sock:
            sock.sendall(self.head("GET", "/$iothub/websocket", *WEBSOCKET, "Sec-WebSocket-Protocol: mqtt"))
            head = b""
            while b"\r\n\r\n" not in head:
                data = sock.recv(1)
                if not data:
                    raise ConnectionError("the hub has ended the connection")
                head += data
            assert head.startswith(b"HTTP/1.1 101 "), head
            yield sock

    def connect(self, device: str | None = None) -> bytes:
        """A good CONNECT."""
        device = device or self.device
        password = sas(self.key, f"localhost/devices/{self.device}").encode()
        return encode(Connect(client_id=device, username=f"localhost/{device}/", password=password, keep_alive_s=60))

    def head(self, verb: str, path: str, *headers: str) -> bytes:
        """A good request's head."""
        lines = [f"{verb} {path} HTTP/1.1", "Host: localhost", f"Authorization: {self.token}", *headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def let_go(self) -> None:
        """Close what was held."""
        for sock in self.held:
            sock.close()


Attack = Callable[[Target, random.Random], None]


def no_tls(target: Target, chance: random.Random) -> None:
    for port in ("mqttPort", "httpsPort"):
        with target.tcp(port) as sock:
            sock.sendall(chance.choice([chance.randbytes(200), b"GET / HTTP/1.1\r\n\r\n", target.connect()]))
            _read_some(sock)


def half_open(target: Target, chance: random.Random) -> None:
    for port in ("mqttPort", "httpsPort"):
        target.held.append(target.tcp(port))
        if chance.random() < 0.5:
            target.held[-1].sendall(b"\x16\x03\x01\x02\x00\x01")  # the begin of a ClientHello


def silent(target: Target, chance: random.Random) -> None:
    plain = target.tcp(chance.choice(["mqttPort", "httpsPort"]))
    target.held.append(target.context.wrap_socket(plain, server_hostname="localhost"))


def garbage_first(target: Target, chance: random.Random) -> None:
    with target.tls("mqttPort") as sock:
        sock.sendall(chance.randbytes(chance.randrange(1, 5000)))
        _read_some(sock)


def garbage_behind_connect(target: Target, chance: random.Random) -> None:
    with target.tls("mqttPort") as sock:
        sock.sendall(target.connect() + chance.randbytes(chance.randrange(1, 5000)))
        _read_some(sock)


def one_byte_at_a_time(target: Target, chance: random.Random) -> None:
    topic = f"devices/{target.device}/messages/events/"
    with target.tls("mqttPort") as sock:
        for byte in target.connect() + encode(Publish(topic, chance.randbytes(20), qos=1, packet_id=1)):
            sock.sendall(bytes([byte]))
        _read_some(sock)


def giant_lengths(target: Target, chance: random.Random) -> None:
    with target.tls("mqttPort") as sock:
        head = chance.choice([b"\x10", b"\x30", b"\x82"]) + b"\xff\xff\xff\x7f"
        sock.sendall(chance.choice([b"", target.connect()]) + head)
        for _ in range(100):
            sock.sendall(b"\0" * 65536)


def tiny_packets(target: Target, chance: random.Random) -> None:
    small: list[Packet] = [Pingreq(), Puback(7), Subscribe(1, tuple((each, 1) for each in FILTERS))]
    packet = encode(chance.choice(small))
    with target.tls("mqttPort") as sock:
        sock.sendall(target.connect() + packet * 5000)
        _read_some(sock)


def never_reads(target: Target, _chance: random.Random) -> None:
    filters = Subscribe(1, tuple((each, 1) for each in FILTERS))
    with target.tls("mqttPort") as sock:
        sock.sendall(target.connect() + encode(filters) + encode(Publish("$iothub/twin/GET/?$rid=1", b"")) * 2000)


def deep_json(target: Target, chance: random.Random) -> None:
    depth = chance.choice([50, 99, 101, 300, 900, 960, 980, 1000, 50_000])
    opened, closed = chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
    topic = "$iothub/twin/PATCH/properties/reported/?$rid=1"
    with target.tls("mqttPort") as sock:
        sock.sendall(target.connect() + encode(Subscribe(1, tuple((each, 1) for each in FILTERS))))
        body = opened * depth + b"1" + closed * depth
        for each in (body, b'{"a":' + body + b"}", b'{"a":' * depth):
            sock.sendall(encode(Publish(topic, each)))
            sock.sendall(encode(Publish("$iothub/methods/res/200/?$rid=1", each)))
        _read_some(sock)


def answers_nobody_asked_for(target: Target, chance: random.Random) -> None:
    with target.tls("mqttPort") as sock:
        sock.sendall(target.connect())
        for _ in range(500):
            topic = f"$iothub/methods/res/{chance.randrange(-9, 999)}/?$rid={chance.randrange(1000)}"
            sock.sendall(encode(Publish(topic, chance.choice([b"", b"{}", b"{", b"NaN"]))))
        _read_some(sock)


def somebody_else(target: Target, chance: random.Random) -> None:
    with target.tls("mqttPort") as sock:
        sock.sendall(target.connect(chance.choice(["honest", "nobody", "honest/module", "\U0001f600"])))
        _read_some(sock)


def cut_at_once(target: Target, chance: random.Random) -> None:
    port = chance.choice(["mqttPort", "httpsPort"])
    with target.tls(port) as sock:
        sock.sendall(target.connect() if port == "mqttPort" else target.head("GET", f"/devices{VERSION}"))
        # With no time to linger, closing is a reset.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def bad_lines(target: Target, chance: random.Random) -> None:
    lines = [b"\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", chance.randbytes(500)]
    with target.tls("httpsPort") as sock:
        sock.sendall(chance.choice(lines) * chance.randrange(1, 50))
        _read_some(sock)


def endless_head(target: Target, chance: random.Random) -> None:
    piece = chance.choice([b"A: x\r\n", b"x" * 100, b"\r\n"])
    with target.tls("httpsPort") as sock:
        sock.sendall(b"GET /devices HTTP/1.1\r\n")
        for _ in range(2000):
            sock.sendall(piece * 50)


def slow_head(target: Target, chance: random.Random) -> None:
    silent(target, chance)
    head = target.head("GET", f"/devices{VERSION}")
    target.held[-1].sendall(head[: chance.randrange(len(head))])


def pipelined(target: Target, chance: random.Random) -> None:
    """Very many requests, and none of their answers is read."""
    path = chance.choice([f"/devices{VERSION}", "/nowhere", f"/twins/{target.device}{VERSION}"])
    with target.tls("httpsPort") as sock:
        for _ in range(20):
            sock.sendall(target.head("GET", path) * 100)


def short_body(target: Target, chance: random.Random) -> None:
    head = target.head("PUT", f"/devices/x{VERSION}", f"Content-Length: {chance.choice([3, 1000, 10**9])}")
    with target.tls("httpsPort") as sock:
        sock.sendall(head + b"{}")
        if chance.random() < 0.5:
            target.held.append(socket.socket(fileno=sock.detach()))


def endless_body(target: Target, chance: random.Random) -> None:
    how = chance.choice(["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
    with target.tls("httpsPort") as sock:
        sock.sendall(target.head("PUT", f"/devices/x{VERSION}", how))
        for _ in range(200):
            sock.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def bomb(target: Target, _chance: random.Random) -> None:
    packed = gzip.compress(b"[" * 30_000_000)
    with target.tls("httpsPort") as sock:
        headers = (f"Content-Length: {len(packed)}", "Content-Encoding: gzip")
        sock.sendall(target.head("PUT", f"/devices/x{VERSION}", *headers) + packed)
        _read_some(sock)


def odd_chunks(target: Target, chance: random.Random) -> None:
    chunks = [b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"2;" + b"x" * 9000 + b"\r\n{}\r\n", b"2\r\n{}x"]
    with target.tls("httpsPort") as sock:
        head = target.head("PUT", f"/devices/{quote('x y')}{VERSION}", "Transfer-Encoding: chunked")
        sock.sendall(head + chance.choice(chunks))
        _read_some(sock)


def odd_handshakes(target: Target, chance: random.Random) -> None:
    headers = [*WEBSOCKET, "Sec-WebSocket-Protocol: mqtt"]
    spoiled = chance.randrange(len(headers))
    headers[spoiled] = chance.choice([f"{headers[spoiled]}x", headers[spoiled].partition(":")[0] + ": \xff", "A: b"])
    with target.tls("httpsPort") as sock:
        sock.sendall(target.head("GET", chance.choice(["/$iothub/websocket", "/", "/devices"]), *headers))
        sock.sendall(masked_frame(target.connect()))
        _read_some(sock)


def websocket_garbage(target: Target, chance: random.Random) -> None:
    with target.websocket() as sock:
        sock.sendall(chance.randbytes(chance.randrange(1, 5000)))
        _read_some(sock)


def odd_frames(target: Target, chance: random.Random) -> None:
    with target.websocket() as sock:
        sock.sendall(masked_frame(target.connect()))
        for _ in range(50):
            payload = chance.randbytes(chance.choice([0, 1, 125, 126, 70_000]))
            sock.sendall(masked_frame(payload, chance.randrange(16), is_last=chance.random() < 0.8))
        _read_some(sock)


def giant_frames(target: Target, chance: random.Random) -> None:
    with target.websocket() as sock:
        sock.sendall(bytes([chance.choice([0x82, 0x02, 0x80]), 0xFF]) + b"\0\0\0\x7f\xff\xff\xff\xff" + b"mask")
        for _ in range(100):
            sock.sendall(b"\0" * 65536)


def endless_fragments(target: Target, _chance: random.Random) -> None:
    with target.websocket() as sock:
        sock.sendall(masked_frame(b"x", is_last=False))
        for _ in range(200):
            sock.sendall(masked_frame(b"x" * 65536, 0, is_last=False))


def pings_without_end(target: Target, _chance: random.Random) -> None:
    with target.websocket() as sock:
        sock.sendall(masked_frame(target.connect()) + masked_frame(b"x" * 125, PING) * 20_000)


def websocket_never_reads(target: Target, _chance: random.Random) -> None:
    filters = Subscribe(1, tuple((each, 1) for each in FILTERS))
    ask = encode(Publish("$iothub/twin/GET/?$rid=1", b""))
    with target.websocket() as sock:
        sock.sendall(masked_frame(target.connect() + encode(filters)) + masked_frame(ask * 20) * 100)


def silent_websocket(target: Target, chance: random.Random) -> None:
    with target.websocket() as sock:
        if chance.random() < 0.5:
            sock.sendall(masked_frame(target.connect()[:9]))
        target.held.append(socket.socket(fileno=sock.detach()))


def false_certificates(target: Target, chance: random.Random) -> None:
    context = ssl.create_default_context(cafile=target.hub.info["caCertificatePath"])
    context.maximum_version = chance.choice([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    own = make(chance.choice([target.device, "honest", "by-certificate"]), FALSE_ROOT)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*own.files(Path(folder), *[FALSE_ROOT] * chance.choice([0, 1, 40])))
    connect = encode(Connect(client_id="by-certificate", username="localhost/by-certificate/", keep_alive_s=60))
    with target.tcp("mqttPort") as plain, context.wrap_socket(plain, server_hostname="localhost") as sock:
        sock.sendall(connect)
        _read_some(sock)


ATTACKS: tuple[Attack, ...] = (
    no_tls,
    half_open,
    silent,
    garbage_first,
    garbage_behind_connect,
    one_byte_at_a_time,
    giant_lengths,
    tiny_packets,
    never_reads,
    deep_json,
    answers_nobody_asked_for,
    somebody_else,
    cut_at_once,
    bad_lines,
    endless_head,
    slow_head,
    pipelined,
    short_body,
    endless_body,
    bomb,
    odd_chunks,
    odd_handshakes,
    websocket_garbage,
    odd_frames,
    giant_frames,
    endless_fragments,
    pings_without_end,
    websocket_never_reads,
    silent_websocket,
    false_certificates,
)


def _read_some(sock: socket.socket) -> None:
    sock.settimeout(0.05)
    with contextlib.suppress(TimeoutError):
        while sock.recv(65536):
            pass
