"""Whether a request that failed was sent: directly and through each kind of proxy, on real connections.

What was surely not sent is CannotConnect, and a call is made again; anything else may have been carried out.
"""

import http.server
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from azext_iotjobs.model.calling import Next, what_next
from azext_iotjobs.model.errors import AnswerTooLate, CannotConnect, IotJobsError, LinkError, LinkLost
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.transport import connection
from azext_iotjobs.transport.http import HttpTransport, Request
from tests.helpers.clock_double import ClockDouble
from tests.helpers.proxy import Act, carry, listening, proxy_to, reset
from tests.helpers.tls_server import Handler, TlsServer, answer_with, serving

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
FAR = "hub.example"  # no name of this machine: proxies count for it
CALL = Request(method="POST", path="/twins/d/methods", body={"methodName": "reboot"}, has_body=True, timeout_s=0.5)
BY_REQUESTS = CALL._replace(keeps_encoding=True)  # made by `requests` on a kept connection too
GET = Request(method="GET", path="/devices/d", may_repeat=True)
WAYS = ("direct", "http", "https", "socks5h")


class Way:
    """Transports that go one way, and the server at its end."""

    def __init__(self, stack: ExitStack, folder: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
        self._stack = stack
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._scheme = scheme
        self.clock = ClockDouble()

    def server(self, handler: Handler) -> TlsServer:
        return self._stack.enter_context(serving(self._folder, handler, names=("localhost", FAR)))

    def transport(self, server: TlsServer, port: int | None = None, *, act: Act | None = None) -> HttpTransport:
        """port: in place of the server's.  act: what the proxy does in place of its work."""
        port = port or server.port
        if self._scheme != "direct":
            proxy = self._stack.enter_context(proxy_to(port, self._scheme, server=server, act=act))
            self._monkeypatch.setenv("HTTPS_PROXY", f"{self._scheme}://127.0.0.1:{proxy.port}")
        host = "localhost" if self._scheme == "direct" else FAR
        target = HubTarget(host=host, https_port=port, ca_file=str(server.ca_file))
        transport = HttpTransport(target, SasKey(policy="iothubowner", key=KEY), self.clock)
        self._stack.callback(transport.close)
        return transport


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    if request.param == "socks5h":
        pytest.importorskip("socks")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        yield Way(stack, tmp_path, monkeypatch, request.param)


def hang_up(request: http.server.BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.shutdown(socket.SHUT_RDWR)


def hang_up_by_reset(request: http.server.BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    reset(socket.socket(fileno=request.connection.detach()))


def stay_silent(request: http.server.BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    request.connection.recv(1)  # until the client has left


def break_tls(request: http.server.BaseHTTPRequestHandler) -> None:
    request.close_connection = True
    with socket.socket(fileno=os.dup(request.connection.fileno())) as raw:
        raw.sendall(b"\x17\x03\x03\x00\x40" + bytes(64))  # application data that nobody has encrypted


def after_another(handler: Handler) -> Handler:
    return lambda request: (answer_with(200) if request.command == "GET" else handler)(request)


LOSSES = [hang_up, hang_up_by_reset, break_tls, stay_silent]


def failure(transport: HttpTransport, request: Request = CALL) -> IotJobsError:
    with pytest.raises(LinkError) as raised:
        transport.send(request)
    return raised.value


def is_perhaps_done(err: IotJobsError) -> bool:
    assert isinstance(err, (LinkLost, AnswerTooLate)) is ("may have been carried out" in str(err.hint))
    assert what_next(err) is (Next.TRY_AGAIN if isinstance(err, CannotConnect) else Next.KEEP_AND_PAUSE)
    return not isinstance(err, CannotConnect)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_call_whose_answer_is_lost_may_have_been_carried_out(way: Way, loss: Handler) -> None:
    server = way.server(loss)
    err = failure(way.transport(server))
    assert is_perhaps_done(err)
    assert isinstance(err, AnswerTooLate) is (loss is stay_silent)
    assert (len(server.seen), way.clock.slept) == (1, [])


@pytest.mark.parametrize("call", [CALL, BY_REQUESTS])
@pytest.mark.parametrize("loss", LOSSES)
def test_so_may_one_on_a_connection_that_is_kept(way: Way, loss: Handler, call: Request) -> None:
    server = way.server(after_another(loss))
    transport = way.transport(server)
    assert transport.send(GET).status == 200
    assert is_perhaps_done(failure(transport, call))
    assert (len(server.seen), way.clock.slept) == (2, [])


def test_an_earlier_connection_that_was_not_made_says_nothing_of_this_one(way: Way) -> None:
    server = way.server(hang_up)
    with listening(reset) as port:
        unreached = way.transport(server, port)
        try:
            unreached.send(CALL)
        except CannotConnect:  # what is raised here has that error as its context
            assert is_perhaps_done(failure(way.transport(server)))
    assert len(server.seen) == 1


def wait_for_the_end(client: socket.socket) -> None:
    while client.recv(65536):
        pass


def reset_after_reading(client: socket.socket) -> None:
    client.recv(1)
    reset(client)


def close_after_reading(client: socket.socket) -> None:
    client.recv(65536)


@pytest.mark.parametrize("act", [wait_for_the_end, reset_after_reading, close_after_reading])
def test_a_call_is_not_sent_before_the_handshake_of_tls_is_over(
    way: Way, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.3)
    server = way.server(answer_with(200))
    with listening(act) as port:
        err = failure(way.transport(server, port))
    assert not is_perhaps_done(err)
    assert "TLS" in str(err)
    assert (server.seen, way.clock.slept) == ([], [])


@pytest.mark.parametrize("way", ["direct", "http", "socks5h"], indirect=True)  # TLS in TLS ends without a reset
def test_a_look_is_repeated_where_the_handshake_broke(way: Way) -> None:
    server = way.server(answer_with(200))
    tries: list[int] = []

    def reset_the_first(client: socket.socket) -> None:
        tries.append(1)
        if len(tries) == 1:
            reset_after_reading(client)
            return
        with socket.create_connection(("127.0.0.1", server.port)) as behind:
            carry(client, behind)

    with listening(reset_the_first) as port:
        assert way.transport(server, port).send(GET).status == 200
    assert (len(tries), len(server.seen), len(way.clock.slept)) == (2, 1, 1)


def refuse(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")


@pytest.mark.parametrize("act", [refuse, wait_for_the_end, reset, lambda client: None])
@pytest.mark.parametrize("way", WAYS[1:], indirect=True)
def test_a_proxy_that_makes_no_tunnel_was_sent_no_call(way: Way, monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.3)
    server = way.server(answer_with(200))
    assert not is_perhaps_done(failure(way.transport(server, act=act)))
    assert server.seen == []


@pytest.mark.parametrize("way", WAYS[1:], indirect=True)
def test_a_proxy_that_does_not_listen_was_sent_no_call(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    server = way.server(answer_with(200))
    transport = way.transport(server)
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = os.environ["HTTPS_PROXY"].rpartition(":")[0]
        monkeypatch.setenv("HTTPS_PROXY", f"{url}:{free.getsockname()[1]}")
    assert not is_perhaps_done(failure(transport))
    assert server.seen == []
