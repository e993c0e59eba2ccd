"""How many events a second one consumer takes from a local hub, and what it costs to store them.

The consumer is as bare as can be: it counts frames and decodes nothing, so that the hub is what is measured. Beside it
stands the floor: an asyncio server that pushes the very same bytes over TLS. Wall clock depends on what else the
machine does; the hub's own CPU time for each event does so far less.

Run: .venv/bin/python benchmarks/events.py [--events 20000]
With --short it takes some seconds and measures nothing: `make test` looks whether it still runs.
"""

import argparse
import base64
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from azext_iotjobs.localhub.amqp.wire.frames import AMQP_HEADER, SASL_FRAME, SASL_HEADER, encode_frame
from azext_iotjobs.localhub.amqp.wire.performatives import RECEIVER, Attach, Begin, Flow, Open, SaslInit, Source, Target
from azext_iotjobs.localhub.rules.event import partition_of
from benchmarks.hub import HubUnderLoad, cpu_s, measured
from benchmarks.packet_devices import PacketDevices
from benchmarks.row import Row
from tests.helpers.any_hub import sas

EVENTS, SHORT_EVENTS = 20_000, 400
DEVICES, SHORT_DEVICES = 50, 4
BODY = json.dumps({"temperature": 21.5, "humidity": 40, "text": "x" * 150}).encode()
BATCH = 400  # events; a request has at most 256 KB
BATCH_TYPE = "application/vnd.microsoft.iothub.json"
GOAL_PER_S = 20_000
MOST = 2**31 - 1  # of windows and credit
TRANSFER = b"\x00\x53\x14"
LIMIT_S = 120.0


class BareConsumer:
    """Counts what comes."""

    def __init__(self, port: int, ca_file: str) -> None:
        tls = ssl.create_default_context(cafile=ca_file)
        tls.check_hostname = False
        self._sock = tls.wrap_socket(socket.create_connection(("127.0.0.1", port), LIMIT_S))

    def read_events(self, token: str, partition: int, count: int, copy: IO[bytes] | None = None) -> float:
        """Read so many events from the beginning; gives the seconds. copy: where the bytes of the events go too."""
        address = f"local-hub/ConsumerGroups/$Default/Partitions/{partition}"
        self._sign_in(token)
        attach = Attach("reader", 0, RECEIVER, source=Source(address), target=Target(None))
        begin = Begin(next_outgoing_id=0, incoming_window=MOST, outgoing_window=MOST)
        flow = Flow(
            next_incoming_id=0,
            incoming_window=MOST,
            next_outgoing_id=0,
            outgoing_window=MOST,
            handle=0,
            delivery_count=0,
            link_credit=count,
        )
        self._sock.sendall(AMQP_HEADER.encoded())
        for each in (Open("consumer", hostname="localhost"), begin, attach):
            self._sock.sendall(encode_frame(0, each))
        began = time.monotonic()
        self._sock.sendall(encode_frame(0, flow))
        self._count(count, copy)
        return time.monotonic() - began

    def read_bytes(self, count: int) -> float:
        """Read so many bytes, and count the frames in them; gives the seconds."""
        began = time.monotonic()
        self._count(count, None)
        return time.monotonic() - began

    def close(self) -> None:
        self._sock.close()

    def _sign_in(self, token: str) -> None:
        answer = f"\0service@sas.root.localhost\0{token}".encode()
        init = encode_frame(0, SaslInit("PLAIN", answer, "localhost"), kind=SASL_FRAME)
        self._sock.sendall(SASL_HEADER.encoded() + init)
        read = b""
        while b"\x00\x53\x44" not in read:  # the outcome
            read += self._sock.recv(4096)

    def _count(self, count: int, copy: IO[bytes] | None) -> None:
        """Read until so many transfers have come."""
        buffer, found = b"", 0
        while found < count:
            data = self._sock.recv(256 * 1024)
            assert data, "the connection has ended"
            buffer += data
            position = 0
            if buffer.startswith(b"AMQP"):
                position = 8
            while len(buffer) - position >= 8:
                size = int.from_bytes(buffer[position : position + 4], "big")
                if len(buffer) - position < size:
                    break
                if buffer[position + 8 : position + 11] == TRANSFER:
                    found += 1
                    if copy is not None:
                        copy.write(buffer[position : position + size])
                position += size
            buffer = buffer[position:]


class Reading(NamedTuple):
    """What reading events took."""

    rate: float  # events/s, by the clock
    each_us: float  # of CPU time of the side that sends


def say(what: str, count: float, wall_s: float, each_us: float) -> Reading:
    """One line of figures."""
    rate = count / max(wall_s, 1e-9)
    _write(f"{what:38} {count:8.0f} in {wall_s:6.2f} s  {rate:8.0f}/s  {each_us:6.1f} us each")
    return Reading(rate, each_us)


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def fill(hub: HubUnderLoad, device: str, count: int) -> None:
    """Have a device send so many events, in batches over HTTPS."""
    item = {"body": base64.b64encode(BODY).decode(), "properties": {"iothub-app-alert": "false"}}
    for at in range(0, count, BATCH):
        items = [item] * min(BATCH, count - at)
        status, _, _ = hub.ask("POST", f"/devices/{device}/messages/events", items, **{"Content-Type": BATCH_TYPE})
        assert status == 204, status


def consume(hub: HubUnderLoad, device: str, count: int, copy: Path) -> tuple[Reading, Reading]:
    """Read all events twice: they are encoded for the first reader. copy: a file for their bytes."""
    key = dict(part.partition("=")[::2] for part in hub.local.event_hubs_connection_string.split(";"))
    token = sas(key["SharedAccessKey"], "localhost/local-hub", policy="service", life_s=3600)
    readings: list[Reading] = []
    for what in ("one consumer, first reading", "one consumer, read again"):
        consumer = BareConsumer(hub.local.amqp_port, hub.local.ca_certificate_path)
        with open(copy, "wb") as file:
            cpu = cpu_s(hub.pid)
            wall_s = consumer.read_events(token, partition_of(device, 4), count, file if readings else None)
            readings.append(say(what, count, wall_s, (cpu_s(hub.pid) - cpu) / count * 1e6))
        consumer.close()
    first, again = readings
    return first, again


@contextmanager
def pushing_server(hub: HubUnderLoad, data: Path) -> Iterator[tuple[int, int]]:
    """The floor's process: its port and its id."""
    folder = Path(hub.local.info["dataDirectory"])
    program = Path(__file__).parent / "peers" / "pushing_server.py"
    words = [sys.executable, str(program), str(data), str(folder / "server.pem"), str(folder / "server-key.pem")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


def floor(hub: HubUnderLoad, count: int, data: Path) -> Reading:
    """The same bytes from a server that does nothing else."""
    with pushing_server(hub, data) as (port, pid):
        consumer, cpu = BareConsumer(port, hub.local.ca_certificate_path), cpu_s(pid)
        wall_s = consumer.read_bytes(count)
        reading = say("floor: a server that pushes the bytes", count, wall_s, (cpu_s(pid) - cpu) / count * 1e6)
        consumer.close()
    return reading


def telemetry(folder: Path, what: str, devices: int, count: int, *options: str) -> float:
    """Devices send over MQTT with QoS 1; gives the hub's microseconds for each message."""
    hub = HubUnderLoad(folder, *options)
    try:
        ids = [f"bench-{number:03}" for number in range(devices)]
        hub.ok("POST", "/devices", [{"id": each, "importMode": "create"} for each in ids])
        fleet = PacketDevices(hub.endpoint(is_websocket=False), ids)
        try:
            assert fleet.connect(devices)["connected"] == devices
            with measured(hub) as cost:
                sent = fleet.send(count // devices)["acknowledged"]
        finally:
            fleet.close()
    finally:
        hub.local.close()
    each_us = cost.cpu_s / sent * 1e6
    say(what, sent, cost.wall_s, each_us)
    return each_us


class Figures(NamedTuple):
    """All that is measured."""

    first: Reading
    again: Reading
    least: Reading  # the floor
    in_memory_us: float  # of the hub's CPU for each message
    stored_us: float


def measure(count: int, devices: int) -> Figures:
    """The consumer beside its floor, then storing; printed as it goes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, again, least = consumed(folder, count)
        in_memory = telemetry(folder / "memory", "MQTT, QoS 1, events in memory", devices, count // 2)
        stored = telemetry(folder / "disk", "MQTT, QoS 1, events stored", devices, count // 2, "--keep-events")
    return Figures(first, again, least, in_memory, stored)


def consumed(folder: Path, count: int) -> tuple[Reading, Reading, Reading]:
    """One consumer, twice, and the floor."""
    hub = HubUnderLoad(folder / "consumer")
    try:
        hub.ok("PUT", "/devices/bench", {"deviceId": "bench"})
        with measured(hub) as cost:
            fill(hub, "bench", count)
        say("sent in batches over HTTPS", count, cost.wall_s, cost.cpu_s / count * 1e6)
        first, again = consume(hub, "bench", count, folder / "events")
        return first, again, floor(hub, count, folder / "events")
    finally:
        hub.local.close()


def rows(_wanted: set[str], is_short: bool) -> Iterator[Row]:
    """For the page: what one consumer reads again."""
    with tempfile.TemporaryDirectory() as name:
        first, again, least = consumed(Path(name), SHORT_EVENTS if is_short else EVENTS)
    yield Row(
        "hub_events",
        "events that one consumer reads over AMQP",
        "events/s",
        again.rate,
        floor=least.rate,
        floor_is="an asyncio server that pushes the same bytes over TLS",
        notes=(f"read for the first time {first.rate:,.0f}/s: then they are encoded",),
    )


def main() -> None:
    """Measure, and compare with the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--short", action="store_true", help="with so few that it takes some seconds")
    arguments = parser.parse_args()
    found = measure(*((SHORT_EVENTS, SHORT_DEVICES) if arguments.short else (arguments.events, DEVICES)))
    _write(f"floor / consumer, by the clock           {found.least.rate / found.again.rate:5.2f}")
    _write(f"storing / not storing, CPU               {found.stored_us / max(found.in_memory_us, 1e-9):5.2f}")
    of_one_core = 1e6 / max(found.first.each_us, 1e-3)
    reached = "yes" if of_one_core >= GOAL_PER_S else "NO"
    _write(f"goal events/s of the hub's one core   {GOAL_PER_S}   reached   {of_one_core:.0f}   {reached}")


if __name__ == "__main__":
    main()
