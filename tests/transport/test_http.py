"""HttpTransport against a real TLS server, by a request that opens its connection and by one on a kept connection."""

import gzip
import http.server
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from azext_iotjobs.model.errors import AnswerTooLate, BadValue, CannotConnect, HubFault, IotJobsError, LinkLost
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport.connection import MAX_RESPONSE_BYTES
from azext_iotjobs.transport.http import HttpTransport, Request
from tests.helpers.clock_double import START, ClockDouble
from tests.helpers.tls_server import Handler, TlsServer, answer_with, serving

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
GET = Request(method="GET", path="/devices/a%23b", may_repeat=True)
CALL = Request(method="POST", path="/twins/d/methods", body={"a": None}, has_body=True)
BEFORE = Request(method="GET", path="/before")
Serve = Callable[..., TlsServer]  # Handler, and what is special about its certificate


@dataclass(frozen=True)
class KnownServer(TlsServer):
    """A server that has answered a request of each transport before the test's own."""


@pytest.fixture(params=["opened", "kept"])
def serve(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(handler: Handler, **certificate: tuple[object, ...]) -> TlsServer:
            if request.param == "opened":
                return stack.enter_context(serving(tmp_path, handler, **certificate))  # type: ignore[arg-type]
            server = stack.enter_context(serving(tmp_path, after_another(handler), **certificate))  # type: ignore[arg-type]
            return KnownServer(**vars(server))

        yield start


def after_another(handler: Handler) -> Handler:
    return lambda request: (answer_with(200) if request.path.startswith(BEFORE.path) else handler)(request)


class Hub:
    """A transport to a server, with a clock that stands still and what it said about waiting."""

    def __init__(self, server: TlsServer, **target: object) -> None:
        self.clock = ClockDouble()
        self.waits: list[tuple[str, float, float]] = []
        parts = {"host": "localhost", "https_port": server.port, "ca_file": str(server.ca_file), **target}
        self.transport = HttpTransport(
            HubTarget(**parts),  # type: ignore[arg-type]
            SasKey(policy="iothubowner", key=KEY),
            self.clock,
            lambda *wait: self.waits.append(wait),
        )
        if isinstance(server, KnownServer):
            with suppress(IotJobsError):  # some are about connections that cannot be opened
                self.transport.send(BEFORE)
            server.seen.clear()


def in_turn(*handlers: Handler) -> Handler:
    left = list(handlers)
    return lambda request: left.pop(0)(request)


def hang_up(request: http.server.BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.shutdown(socket.SHUT_RDWR)


def stay_silent(request: http.server.BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.recv(1)  # until the client has left


def test_a_request_reaches_the_hub_whole(serve: Serve) -> None:
    server = serve(answer_with(200, b'{"ok": true}', x_ms_continuation="t"))
    put = Request(
        method="PUT", path="/jobs/v2/a%2Fb", query={"q": "ä b"}, headers={"If-Match": "*"}, body=None, has_body=True
    )
    response = Hub(server).transport.send(put)
    assert (response.status, response.headers["X-Ms-Continuation"], response.body) == (200, "t", b'{"ok": true}')
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("PUT", "/jobs/v2/a%2Fb?api-version=2021-04-12&q=%C3%A4+b")
    assert seen.body == b"null", "null is a JSON value, not the absence of a body"
    assert seen.headers["authorization"].startswith("SharedAccessSignature sr=localhost&sig=")
    assert seen.headers["content-type"] == "application/json; charset=utf-8"
    assert seen.headers["if-match"] == "*"


def test_a_request_without_body_says_no_content_type(serve: Serve) -> None:
    server = serve(answer_with(200))
    Hub(server).transport.send(GET)
    assert "content-type" not in server.seen[0].headers
    assert server.seen[0].path.startswith("/devices/a%23b?")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-own"])
def test_a_body_is_taken_as_it_was_sent_where_that_is_asked(serve: Serve, encoding: str) -> None:
    server = serve(answer_with(200, b"not encoded", content_encoding=encoding))
    response = Hub(server).transport.send(GET._replace(keeps_encoding=True))
    assert (response.body, response.headers["content-encoding"]) == (b"not encoded", encoding)
    assert server.seen[0].headers["accept-encoding"] == "identity"


def test_a_body_is_decoded_elsewhere(serve: Serve) -> None:
    server = serve(answer_with(200, gzip.compress(b"{}"), content_encoding="gzip"))
    assert Hub(server).transport.send(GET).body == b"{}"


def test_loopback_is_never_reached_through_a_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(answer_with(200))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert Hub(server).transport.send(GET).status == 200


def test_the_hubs_own_ca_counts_also_where_a_bundle_is_set(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    assert Hub(serve(answer_with(200))).transport.send(GET).status == 200


def test_a_stranger_is_not_trusted_and_gets_no_token(serve: Serve) -> None:
    server = serve(answer_with(200))
    with pytest.raises(CannotConnect, match="not trusted") as raised:
        Hub(server, ca_file=None).transport.send(GET)
    assert "REQUESTS_CA_BUNDLE" in str(raised.value.hint)
    assert server.seen == []


@pytest.mark.parametrize(
    ("certificate", "said", "hint"),
    [
        ({"names": ("elsewhere.example",)}, "another host name", "host name"),
        ({"valid": (-30, -1)}, "has expired", "clock"),
        ({"valid": (1, 30)}, "not valid yet", "clock"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said(
    serve: Serve, certificate: dict[str, tuple[object, ...]], said: str, hint: str
) -> None:
    server = serve(answer_with(200), **certificate)
    with pytest.raises(CannotConnect, match=said) as raised:
        Hub(server).transport.send(GET)
    assert hint in str(raised.value.hint)
    assert server.seen == []


def test_a_port_that_speaks_no_tls_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        target = HubTarget(host="127.0.0.1", https_port=plain.getsockname()[1])
        with pytest.raises(CannotConnect, match="no TLS connection"):
            HttpTransport(target, SasKey(policy="p", key=KEY), ClockDouble()).send(GET)
        thread.join()


def test_an_answer_knows_what_was_asked_and_when(serve: Serve) -> None:
    sent = Hub(serve(answer_with(401))).transport.send(CALL).request
    assert sent is not None
    assert (sent.method, sent.path, sent.answered_at) == ("POST", "/twins/d/methods", START)
    assert sent.credential == SasKey(policy="iothubowner", key=KEY)


def test_the_log_shows_requests_and_answers_without_secrets(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps({"authentication": {"symmetricKey": {"primaryKey": KEY}}, "x": "\x9b31m" * 2000}).encode()
    hub = Hub(serve(answer_with(200, body, x_ms_request_id="rq-1")))
    put = Request(method="PUT", path="/devices/d", body={"a": {"secondaryKey": KEY}}, has_body=True)
    with caplog.at_level(logging.DEBUG, "azext_iotjobs"):
        hub.transport.send(put)
    asked, answered = (record.getMessage() for record in caplog.records if record.name.startswith("azext_iotjobs"))
    assert "PUT https://localhost:" in asked and "/devices/d" in asked and '"secondaryKey": "***"' in asked
    assert "200" in answered and "rq-1" in answered and '"primaryKey": "***"' in answered
    for line in (asked, answered):
        assert KEY not in line and "sig=" not in line and line.isprintable() and len(line) < 6000


def test_a_redirect_is_an_answer_and_is_not_followed(serve: Serve) -> None:
    server = serve(answer_with(307, location="/elsewhere"))
    assert Hub(server).transport.send(GET).status == 307
    assert len(server.seen) == 1


def test_throttling_is_ridden_out_also_for_a_method_call_and_said(serve: Serve) -> None:
    server = serve(in_turn(answer_with(429), answer_with(429), answer_with(200)))
    hub = Hub(server)
    assert hub.transport.send(CALL).status == 200
    assert len(server.seen) == 3
    assert all(10 <= pause <= 15 for pause in hub.clock.slept)
    assert [wait[1] for wait in hub.waits] == hub.clock.slept
    assert hub.waits[0][2] == 120
    assert len({seen.headers["x-ms-client-request-id"] for seen in server.seen}) == 3


def test_who_slows_down_many_requests_gets_a_429_at_once(serve: Serve) -> None:
    server = serve(in_turn(answer_with(429), answer_with(200)))
    hub = Hub(server)
    assert hub.transport.send(CALL._replace(waits_out_throttling=False)).status == 429
    assert (len(server.seen), hub.clock.slept, hub.waits) == (1, [], [])


def test_many_threads_send_over_one_transport(serve: Serve) -> None:
    meeting = threading.Barrier(8)

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        meeting.wait(20)  # eight requests are under way at once, or none ends
        answer_with(200)(request)

    hub = Hub(serve(answer))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: hub.transport.send(GET).status, range(32)))
    assert answers == [200] * 32


def test_throttling_is_given_up_within_the_limit(serve: Serve) -> None:
    server = serve(answer_with(429, retry_after="50"))
    hub = Hub(server)
    assert hub.transport.send(GET).status == 429
    assert hub.clock.slept == [50, 50]


def test_a_taken_job_slot_is_given_back_at_once(serve: Serve) -> None:
    server = serve(answer_with(429, iothub_errorcode="ThrottlingMaxActiveJobCountExceeded"))
    hub = Hub(server)
    assert hub.transport.send(CALL).status == 429
    assert (len(server.seen), hub.clock.slept) == (1, [])


@pytest.mark.parametrize("handler", [answer_with(503), hang_up])
def test_a_look_is_repeated_after_a_fault(serve: Serve, handler: Handler) -> None:
    server = serve(in_turn(handler, answer_with(200)))
    assert Hub(server).transport.send(GET).status == 200
    assert len(server.seen) == 2


def test_a_method_call_that_may_have_arrived_is_never_repeated(serve: Serve) -> None:
    server = serve(in_turn(answer_with(504), hang_up))
    hub = Hub(server)
    assert hub.transport.send(CALL).status == 504
    with pytest.raises(LinkLost, match="broke") as raised:
        hub.transport.send(CALL)
    assert "may have been carried out" in str(raised.value.hint)
    assert (len(server.seen), hub.clock.slept) == (2, [])


BROKEN_RECORD = b"\x17\x03\x03\x00\x40" + bytes(64)  # of application data, that nobody has encrypted


def break_tls(request: http.server.BaseHTTPRequestHandler) -> None:
    with socket.socket(fileno=os.dup(request.connection.fileno())) as raw:
        raw.sendall(BROKEN_RECORD)


def break_tls_in_the_middle(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"{")
    request.wfile.flush()
    break_tls(request)


@pytest.mark.parametrize("handler", [break_tls, break_tls_in_the_middle])
def test_tls_that_fails_once_it_is_secured_is_a_lost_connection(serve: Serve, handler: Handler) -> None:
    server = serve(handler)
    hub = Hub(server)
    with pytest.raises(LinkLost, match="broke before the answer was complete") as raised:
        hub.transport.send(CALL)
    assert "may have been carried out" in str(raised.value.hint)
    assert (len(server.seen), hub.clock.slept) == (1, [])


def test_no_answer_in_time_says_how_long_was_waited(serve: Serve) -> None:
    server = serve(stay_silent)
    slow = Request(method="POST", path="/x", timeout_s=0.2)
    with pytest.raises(AnswerTooLate) as raised:
        Hub(server).transport.send(slow)
    assert raised.value.waited_s == 0.2
    assert "may have been carried out" in str(raised.value.hint)
    assert len(server.seen) == 1, "it is not sent again"


def test_nobody_there_is_said_with_what_to_do(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = serve(answer_with(200))
    with pytest.raises(CannotConnect, match="not reached") as raised:
        Hub(server, https_port=port, is_local=True).transport.send(GET)
    assert "local-hub show" in str(raised.value.hint)


@pytest.mark.parametrize("host", ["no..dots", "a" * 70 + ".example", "nobody.invalid"])
def test_a_host_that_cannot_be_is_an_error_of_ours(serve: Serve, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises((CannotConnect, BadValue)):
        Hub(serve(answer_with(200)), host=host, https_port=443).transport.send(GET)


def test_a_name_below_localhost_is_reached_without_being_looked_up_and_proved_by_tls(serve: Serve) -> None:
    server = serve(answer_with(200), names=("h.service.localhost",))
    assert Hub(server, host="h.service.localhost").transport.send(GET).status == 200
    (seen,) = server.seen
    assert seen.headers["host"] == f"h.service.localhost:{server.port}"
    assert seen.headers["authorization"].startswith("SharedAccessSignature sr=h.service.localhost&")
    with pytest.raises(CannotConnect, match=r"h\.device\.localhost.* not trusted"):
        Hub(server, host="h.device.localhost").transport.send(GET)


def test_where_a_name_for_services_is_not_found_the_classic_one_is_named(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CannotConnect) as raised:
        Hub(serve(answer_with(200)), host="h.service.azure-devices.invalid", https_port=443).transport.send(GET)
    assert "every hub has h.azure-devices.invalid" in str(raised.value.hint)


def test_a_missing_ca_file_is_said_before_anything_is_sent(serve: Serve) -> None:
    server = serve(answer_with(200))
    with pytest.raises(BadValue, match="CA file"):
        Hub(server, ca_file="/nowhere/ca.pem")
    assert server.seen == []


def test_an_endless_answer_is_not_kept(serve: Serve) -> None:
    with pytest.raises(HubFault, match="larger"):
        Hub(serve(answer_with(200, bytes(MAX_RESPONSE_BYTES + 1)))).transport.send(CALL)


def test_what_is_no_json_is_not_sent(serve: Serve) -> None:
    server = serve(answer_with(200))
    with pytest.raises(ValueError, match="JSON"):
        Hub(server).transport.send(Request(method="PUT", path="/x", body=json.loads("NaN"), has_body=True))
    assert server.seen == []
