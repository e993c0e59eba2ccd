"""One connection that is being made: TCP, then TLS, then WebSocket where that is wanted. Never blocks.

Strategy: a loop calls `advance` when the socket is ready; thousands can be on their way at once, and one that hangs
delays nobody. An address that fails gives way to the next.
"""

import errno
import selectors
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from azext_iotjobs.transport import websocket

SocketAddress = tuple[socket.AddressFamily, int, tuple[Any, ...]]  # family, protocol, where
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK))


class Handshake:
    """A connection that is being made.

    addresses: at least one, tried in this order.  host: the name that the certificate must have.
    context_of: gives the TLS context; called when TLS begins.
    websocket_port: the port to name in a WebSocket's request; None: MQTT without WebSocket.
    """

    __slots__ = ("_addresses", "_context_of", "_host", "_key", "_port", "_received", "_sock", "_to_send", "_tried")

    def __init__(
        self,
        addresses: Sequence[SocketAddress],
        context_of: Callable[[], ssl.SSLContext],
        host: str,
        websocket_port: int | None,
    ) -> None:
        self._addresses = addresses
        self._tried = 0
        self._context_of = context_of
        self._host = host
        self._port = websocket_port
        self._sock: socket.socket | None = None
        self._key = self._to_send = self._received = b""

    @property
    def address(self) -> SocketAddress:
        """The address that is being tried, or that the connection was made to."""
        return self._addresses[self._tried - 1]

    @property
    def can_try_next(self) -> bool:
        """Whether `begin` can try another address: who was reached, and then said something wrong, is the host."""
        return self._tried < len(self._addresses) and not isinstance(self._sock, ssl.SSLSocket)

    def begin(self) -> int:
        """Start with the next address; gives the socket's number, which must be waited on for WRITE.

        Raises OSError when it, and every one behind it, fails at once.
        """
        while True:
            self.close()
            family, protocol, where = self._addresses[self._tried]
            self._tried += 1
            try:
                self._sock = socket.socket(family, socket.SOCK_STREAM, protocol)
                self._sock.setblocking(False)
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                code = self._sock.connect_ex(where)
                if code not in UNDER_WAY:
                    raise OSError(code, errno.errorcode.get(code, "connect failed"))
                return self._sock.fileno()
            except OSError:
                if not self.can_try_next:
                    self.close()
                    raise

    def advance(self) -> int:
        """Go on as far as possible; gives what to wait for next, READ or WRITE, or 0: `take` has the connection.

        Raises OSError (ssl.SSLError is one) when this address does not lead there; what `context_of` raises.
        """
        assert self._sock is not None
        try:
            if not isinstance(self._sock, ssl.SSLSocket):
                self._connected(self._sock)
            return self._secured(self._sock)  # type: ignore[arg-type]
        except ssl.SSLWantReadError:
            return READ
        except ssl.SSLWantWriteError:
            return WRITE

    def take(self) -> "ssl.SSLSocket | websocket.WebSocketStream":
        """The connection, once `advance` gave 0; it is the caller's then."""
        sock, self._sock = self._sock, None
        assert isinstance(sock, ssl.SSLSocket)
        return sock if self._port is None else websocket.WebSocketStream(sock, self._received)

    def close(self) -> None:
        """Give up what is not yet taken."""
        if self._sock is not None:
            self._sock.close()
        self._sock = None

    def _connected(self, sock: socket.socket) -> None:
        context = self._context_of()  # first: it may take long
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, errno.errorcode.get(code, "connect failed"))
        sock.getpeername()  # raises when the other side is gone again: Python's wrapping would leave the socket open
        self._sock = context.wrap_socket(sock, server_hostname=self._host, do_handshake_on_connect=False)

    def _secured(self, sock: ssl.SSLSocket) -> int:
        assert isinstance(self._sock, ssl.SSLSocket)
        sock = self._sock
        if not self._key:
            sock.do_handshake()
            if self._port is None:
                return 0
            self._key = websocket.new_key()
            self._to_send = websocket.upgrade_request(self._host, self._port, self._key)
        while self._to_send:
            self._to_send = self._to_send[sock.send(self._to_send) :]
        while True:
            more = sock.recv(websocket.CHUNK_BYTES)
            if not more:
                raise websocket.NotUpgraded("it ended the connection instead of a WebSocket")
            self._received += more
            rest = websocket.rest_after_upgrade(self._received, self._key)
            if rest is not None:
                self._received = rest
                return 0
