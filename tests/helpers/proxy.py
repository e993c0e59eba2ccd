"""A TCP server on loopback that does what a test tells it, and the proxies that are made of one."""

import select
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from tests.helpers.tls_server import TlsServer

Act = Callable[[socket.socket], None]  # on a connection; it is closed after that
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
SOCKS_TUNNEL = b"\x05\x00\x00\x01" + bytes(6)


class Proxy(NamedTuple):
    """Where it listens, and the heads of what it was asked."""

    port: int
    heads: list[str]


@contextmanager
def listening(act: Act) -> Iterator[int]:
    """A server's port; each connection has a thread of its own."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # whoever leaves first ends it
                act(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def proxy_to(
    port: int, scheme: str = "http", *, server: TlsServer | None = None, act: Act | None = None
) -> Iterator[Proxy]:
    """A proxy that carries whatever it is asked for to 127.0.0.1:`port`.

    scheme: http, https or socks5h.  server: whose certificate it has, for https.  act: what it does in place of that.
    """
    heads: list[str] = []

    def serve(client: socket.socket) -> None:
        heads.append(_socks_head(client) if scheme == "socks5h" else _head(client))
        if act is not None:
            act(client)
            return
        with socket.create_connection(("127.0.0.1", port)) as behind:
            client.sendall(SOCKS_TUNNEL if scheme == "socks5h" else TUNNEL)
            try:
                carry(client, behind)
            except ConnectionResetError:
                reset(client)

    def serve_secured(plain: socket.socket) -> None:
        assert server is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.ca_file, server.ca_file.with_suffix(".key"))
        with context.wrap_socket(plain, server_side=True) as client:
            serve(client)

    with listening(serve_secured if scheme == "https" else serve) as own_port:
        yield Proxy(own_port, heads)


def reset(connection: socket.socket) -> None:
    """End it by a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _head(client: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        head += _some_of(client)
    return head.decode()


def _socks_head(client: socket.socket) -> str:
    """RFC 1928: the greeting is answered by "no authentication"."""
    _some_of(client)
    client.sendall(b"\x05\x00")
    return _some_of(client).decode("latin-1")


def _some_of(client: socket.socket) -> bytes:
    if not (data := client.recv(65536)):
        raise ConnectionError("the client left")
    return data


def carry(client: socket.socket, behind: socket.socket) -> None:
    """Until one of them ends it. One thread: a TLS connection must not be read and written at once."""
    while True:
        is_held = isinstance(client, ssl.SSLSocket) and client.pending()
        for source in [client] if is_held else select.select([client, behind], [], [])[0]:
            if not (data := source.recv(65536)):
                return
            (behind if source is client else client).sendall(data)
