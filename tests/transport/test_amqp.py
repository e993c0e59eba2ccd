"""Connections that speak AMQP: what goes wrong with them, on real sockets. What goes right is tested with a hub."""

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from azext_iotjobs.model.amqp import AmqpEndpoint, AmqpLogin, AmqpToken
from azext_iotjobs.model.errors import CannotConnect, LinkError, NotTrusted
from azext_iotjobs.transport import amqp
from azext_iotjobs.transport.amqp import AmqpConnection
from tests.helpers.tls_server import self_signed

LOGIN = AmqpLogin(
    kind="sas", audience="localhost", fetch=lambda: AmqpToken("SharedAccessSignature sr=x", 4_000_000_000)
)
SASL = b"AMQP\x03\x01\x00\x00"
Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """A server for one connection, with TLS if there is a certificate; gives its port."""

    def run() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                if context is None:
                    serve(connection)
                    return
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    serve(wrapped)
        except OSError:  # the client has left, or nobody came
            pass

    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def until_closed(connection: socket.socket) -> None:
    """Say nothing until the client has left."""
    while connection.recv(1000):
        pass


def saying(words: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(words)
        until_closed(connection)

    return serve


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


def endpoint(port: int, certificate: tuple[Path, Path] | None = None) -> AmqpEndpoint:
    return AmqpEndpoint("localhost", port, ca_file=None if certificate is None else str(certificate[0]))


def test_where_nothing_listens_the_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(CannotConnect, match=f"localhost:{port} was not reached") as raised:
        AmqpConnection(endpoint(port), LOGIN)
    assert f"Port {port} must be open" in str(raised.value.hint)


def test_a_server_that_is_not_trusted_is_not_told_anything(certificate: tuple[Path, Path]) -> None:
    with server(until_closed, certificate) as port, pytest.raises(NotTrusted):
        AmqpConnection(endpoint(port), LOGIN)


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"AMQP\x00\x01\x00\x00",
        SASL + b"\x00\x00\x00\x08\x02\x01\x00\x00",
        SASL + b"\x00\x00\x00\x0c\x02\x01\x00\x00\xff\xff\xff\xff",
        b"",
    ],
)
def test_what_is_no_amqp_is_an_error_and_no_traceback(certificate: tuple[Path, Path], words: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(words)

    with server(serve, certificate) as port, pytest.raises(LinkError):
        AmqpConnection(endpoint(port, certificate), LOGIN)


def test_a_server_that_says_nothing_is_left(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(amqp, "ANSWER_TIMEOUT_S", 0.2)
    with server(until_closed, certificate) as port, pytest.raises(LinkError):
        AmqpConnection(endpoint(port, certificate), LOGIN)


def test_a_server_that_accepts_and_does_not_even_begin_tls_is_left(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp, "CONNECT_TIMEOUT_S", 0.2)
    with server(until_closed) as port, pytest.raises(CannotConnect):
        AmqpConnection(endpoint(port, certificate), LOGIN)


def test_a_websocket_goes_through_the_proxy_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def refuse(connection: socket.socket) -> None:
        asked.append(connection.recv(4000))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    for name in ("NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with server(refuse) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@127.0.0.1:{port}")
        with pytest.raises(LinkError) as raised:
            AmqpConnection(AmqpEndpoint("hub.example.net", is_websocket=True), LOGIN)
    assert asked[0].startswith(b"CONNECT hub.example.net:443 ")
    assert base64.b64encode(b"user:p@ss") in asked[0] and "p@ss" not in f"{raised.value} {raised.value.hint}"
