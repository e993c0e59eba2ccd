"""--metrics-port: the counts of a simulation for Prometheus, over HTTP.

Strategy: the simulation's loop renders the text each second; threads serve the last one. So a scrape, however slow,
costs the loop nothing, and needs no lock.
Source of the format: Prometheus, "Exposition formats", text format 0.0.4.
"""

import socket
import socketserver
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from azext_iotjobs.cli.output.cells import printable
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.events import ActivityKind
from azext_iotjobs.simulator.statistics import TROUBLE, Statistics

PREFIX = "iotjobs_simulator_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_S = tuple(2.0**power for power in range(-13, 7))  # 0.12 ms to 64 s
MAX_REQUEST_BYTES = 16 * 1024
REQUEST_TIMEOUT_S = 5.0
MAX_REQUESTS = 8  # at a time; further ones are refused

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]  # suffix of the metric's name, labels, value

COUNTERS = (
    ("connects", ActivityKind.READY, "Times that a device was connected and listening."),
    ("messages_sent", ActivityKind.SENT, "Messages handed to a connection."),
    ("messages_acknowledged", ActivityKind.ACKNOWLEDGED, "Messages that the hub acknowledged."),
    ("messages_received", ActivityKind.MESSAGE, "Cloud-to-device messages that devices received."),
    ("desired_changes", ActivityKind.DESIRED, "Changes of desired properties that devices received."),
    ("reports_sent", ActivityKind.REPORT, "Changes of reported properties handed to a connection."),
    ("reports_accepted", ActivityKind.REPORT_ACCEPTED, "Changes of reported properties that the hub took."),
)


def render(statistics: Statistics) -> str:
    """The whole page."""
    troubles = [("", {"kind": kind.value}, statistics.counts[kind]) for kind in TROUBLE]
    trouble = _metric("trouble_total", "counter", "What went wrong, by kind.", troubles)
    return "".join([*_device_metrics(statistics), *_method_metrics(statistics), trouble])


def _device_metrics(statistics: Statistics) -> Iterable[str]:
    started_at = statistics.started.wall.timestamp()
    yield _gauge("devices", "Simulated devices.", statistics.device_count)
    yield _gauge("devices_connected", "Devices that are connected and listening.", len(statistics.connected))
    yield _gauge("start_time_seconds", "When the simulation began, as Unix time.", started_at)
    for name, kind, text in COUNTERS:
        yield _metric(f"{name}_total", "counter", text, [("", {}, statistics.counts[kind])])


def _method_metrics(statistics: Statistics) -> Iterable[str]:
    methods = statistics.methods.items()
    calls = [("", {"method": name}, method.received_count) for name, method in methods]
    yield _metric("method_calls_total", "counter", "Calls of direct methods that devices received.", calls)
    answers = [
        ("", {"method": name, "status": str(status)}, count)
        for name, method in methods
        for status, count in method.statuses.items()
    ]
    yield _metric("method_answers_total", "counter", "Answers to direct methods handed to a connection.", answers)
    text = "From when a call was read to when its answer was handed over."
    yield _metric("method_answer_seconds", "histogram", text, _latency(statistics))


def _gauge(name: str, text: str, value: float) -> str:
    return _metric(name, "gauge", text, [("", {}, value)])


def _latency(statistics: Statistics) -> Iterable[Sample]:
    latency = statistics.latency
    for bound, count in zip(BOUNDS_S, latency.at_most(BOUNDS_S), strict=True):
        yield "_bucket", {"le": repr(bound)}, count
    yield "_bucket", {"le": "+Inf"}, latency.count
    yield "_sum", {}, latency.sum_s
    yield "_count", {}, latency.count


def _metric(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"]
    for suffix, labels, value in samples:
        pairs = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        lines.append(f"{PREFIX}{name}{suffix}{{{pairs}}} {value!r}" if pairs else f"{PREFIX}{name}{suffix} {value!r}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A label's value; control characters in names, which callers choose, are replaced."""
    return str(printable(text)).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class MetricsServer:
    """Serves `text` at /metrics until it is closed."""

    def __init__(self, address: str, port: int) -> None:
        """port: 0 for any free one.  Raises BadValue when it cannot be listened on."""
        self.text = ""
        try:
            self._server = _server_class(address)((address, port), lambda *args: _answer(self, *args))
        except (OSError, OverflowError) as err:
            raise BadValue(
                f"--metrics-port {port}: {address}:{port} cannot be listened on ({err}).",
                hint="Choose another port; 0 is any free one. --metrics-bind takes an address of this machine.",
            ) from err
        shown = f"[{address}]" if ":" in address else address
        self.url = f"http://{shown}:{self._server.server_address[1]}/metrics"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        self._free = threading.BoundedSemaphore(MAX_REQUESTS)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the client has gone; socketserver would print a traceback


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server_class(address: str) -> type[_Server]:
    return _Server6 if ":" in address else _Server


def _answer(owner: MetricsServer, request: socket.socket, _client: Any, _server: Any) -> None:
    words = _request_line(request)
    if words is None:
        return
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        status, body = "400 Bad Request", "This is not an HTTP request.\n"
    elif words[1].partition("?")[0] != "/metrics":
        status, body = "404 Not Found", "The metrics are at /metrics.\n"
    elif words[0] != "GET":
        status, body = "405 Method Not Allowed", "GET reads the metrics.\n"
    else:
        status, body = "200 OK", owner.text
    content = body.encode("utf-8", "replace")
    kind = CONTENT_TYPE if status.startswith("200") else "text/plain; charset=utf-8"
    allow = "Allow: GET\r\n" if status.startswith("405") else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
    request.settimeout(REQUEST_TIMEOUT_S)
    request.sendall(f"{head}{allow}Connection: close\r\n\r\n".encode("ascii") + content)


def _request_line(request: socket.socket) -> list[str] | None:
    """The words of a request's first line once its head has arrived; None if it does not."""
    received, until = b"", time.monotonic() + REQUEST_TIMEOUT_S
    while b"\r\n\r\n" not in received and b"\n\n" not in received:
        left_s = until - time.monotonic()
        if left_s <= 0 or len(received) > MAX_REQUEST_BYTES:
            return None
        request.settimeout(left_s)
        part = request.recv(4096)
        if not part:
            return None
        received += part
    return received.split(b"\n", 1)[0].decode("latin-1").split()
