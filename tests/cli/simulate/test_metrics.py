"""The page for Prometheus, read by an independent reader, over real sockets."""

import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
import requests

from azext_iotjobs.cli.simulate import metrics
from azext_iotjobs.cli.simulate.metrics import CONTENT_TYPE, MAX_REQUESTS, MetricsServer, render
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.statistics import Statistics
from tests.helpers.prometheus import parse

START = Moment(10.0, datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
HOSTILE = 'a"b\\c\nd\x1b[31m{}=,'


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    server = MetricsServer("127.0.0.1", 0)
    yield server
    server.close()


def raw(server: MetricsServer, request: bytes) -> bytes:
    host, port = server.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(request)
        return b"".join(iter(lambda: sock.recv(4096), b""))


def test_the_page_is_in_the_format_of_prometheus() -> None:
    statistics = Statistics(3, START)
    calls = (("reboot", 200, 0.001), ("reboot", 200, 0.5), ("reboot", 500, 2.0), (HOSTILE, 200, 100.0))
    for number, (name, status, seconds) in enumerate(calls):
        details = {"rid": str(number), "name": name, "status": status}
        statistics.on("d", Activity(kind=ActivityKind.METHOD, details=details), START)
        statistics.on("d", Activity(kind=ActivityKind.ANSWER, details=details), Moment(START.at + seconds, START.wall))
    for what in (
        ActivityKind.READY,
        ActivityKind.SENT,
        ActivityKind.SENT,
        ActivityKind.ACKNOWLEDGED,
        ActivityKind.DESIRED,
        ActivityKind.REPORT,
        ActivityKind.MESSAGE,
    ):
        statistics.on("d", Activity(kind=what), START)
    statistics.on("e", Activity(kind=ActivityKind.NOT_CONNECTED, details={"reason": "x"}), START)
    page = render(statistics)
    assert "\x1b" not in page
    read = {name.removeprefix("iotjobs_simulator_"): family for name, family in parse(page).items()}
    assert {name: family.value() for name, family in read.items() if ("", ()) in family.samples} == {
        "devices": 3,
        "devices_connected": 1,
        "start_time_seconds": START.wall.timestamp(),
        "connects_total": 1,
        "messages_sent_total": 2,
        "messages_acknowledged_total": 1,
        "messages_received_total": 1,
        "desired_changes_total": 1,
        "reports_sent_total": 1,
        "reports_accepted_total": 0,
    }
    shown = HOSTILE.replace("\x1b", "\\x1b").replace("\n", "\\n")
    assert read["method_calls_total"].value(method="reboot") == 3
    assert read["method_calls_total"].value(method=shown) == 1
    assert read["method_answers_total"].value(method="reboot", status="200") == 2
    assert read["method_answers_total"].value(method="reboot", status="500") == 1
    assert read["trouble_total"].value(kind="not-connected") == 1
    latency = read["method_answer_seconds"]
    buckets = {
        float(dict(labels)["le"]): count for (suffix, labels), count in latency.samples.items() if suffix == "_bucket"
    }
    assert list(buckets) == sorted(buckets)
    assert {bound: buckets[bound] for bound in (2**-10, 2**-9, 0.25, 0.5, 1.0, 2.0, 64.0, float("inf"))} == {
        2**-10: 0,
        2**-9: 1,
        0.25: 1,
        0.5: 2,
        1.0: 2,
        2.0: 3,
        64.0: 3,
        float("inf"): 4,
    }
    assert latency.value("_count") == 4
    assert latency.value("_sum") == pytest.approx(102.501)


def test_the_latest_page_is_served_and_nothing_else(server: MetricsServer) -> None:
    server.text = "# one µ\n"
    answer = requests.get(f"{server.url}?x=1", timeout=10)
    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, "# one µ\n", CONTENT_TYPE)
    server.text = "# two\n"
    assert requests.get(server.url, timeout=10).text == "# two\n"
    assert requests.get(server.url.removesuffix("metrics"), timeout=10).status_code == 404
    assert requests.get(f"{server.url}/more", timeout=10).status_code == 404
    assert requests.post(server.url, data="x", timeout=10).status_code == 405
    assert raw(server, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_requests_without_end_are_cut_off_and_others_are_served(server: MetricsServer) -> None:
    server.text = "# fine\n"
    assert raw(server, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000) == b""
    assert requests.get(server.url, timeout=10).text == "# fine\n"


def test_silent_clients_neither_pile_up_nor_stay(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "REQUEST_TIMEOUT_S", 0.5)
    before = threading.active_count()
    host, port = server.url.split("/")[2].split(":")
    silent = [socket.create_connection((host, int(port)), timeout=10) for _ in range(3 * MAX_REQUESTS)]
    for sock in silent:
        assert sock.recv(10) == b"", "turned away at once, or after the time limit"
        sock.close()
    assert threading.active_count() <= before + MAX_REQUESTS
    assert requests.get(server.url, timeout=10).status_code == 200


def test_a_port_that_is_taken_is_an_error_and_so_is_an_address_of_another_machine(server: MetricsServer) -> None:
    port = int(server.url.split(":")[2].split("/")[0])
    with pytest.raises(BadValue, match=f"--metrics-port {port}"):
        MetricsServer("127.0.0.1", port)
    with pytest.raises(BadValue, match="192.0.2.1"):
        MetricsServer("192.0.2.1", 0)


def test_addresses_of_the_other_kind_are_listened_on_too() -> None:
    try:
        server = MetricsServer("::1", 0)
    except BadValue:
        pytest.skip("no IPv6 here")
    server.text = "# six\n"
    assert requests.get(server.url, timeout=10).text == "# six\n"
    server.close()
