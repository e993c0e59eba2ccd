"""Many requests under way at once on one thread, over connections that are open already.

Strategy: with a thread for each request, most of what many calls cost is threads that wake each other. Here a selector
says which answers have come, and all of them are read. Connections are opened by `HttpTransport.send` on some thread,
and taken over when it gives them back. A request is sent once, and its answer or error is what `send` would give for
one that is not repeated.
"""

import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import requests

from azext_iotjobs.model.errors import HubFault, IotJobsError
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.transport.connection import MAX_RESPONSE_BYTES, HubConnection
from azext_iotjobs.transport.http import REQUEST_ERRORS, HttpTransport, Prepared, Request, Response
from azext_iotjobs.transport.kept_connection import READ_BYTES, AnswerReader, NotPlain, PlainAnswer

Outcome = Response | IotJobsError
ReadRest = Callable[[], Outcome]  # blocks; for another thread


@dataclass()
class _Exchange:
    key: object
    prepared: Prepared
    connection: HubConnection
    reader: AnswerReader
    late_at: float  # monotonic seconds


class Exchanges:
    """Of one thread; only `wake` is for any."""

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport
        self._selector = selectors.DefaultSelector()
        self._under_way: dict[Any, _Exchange] = {}  # by sockets
        self._ended: deque[tuple[object, Outcome | ReadRest]] = deque()
        self._waked, self._waker = socket.socketpair()
        for each in (self._waked, self._waker):
            each.setblocking(False)
        self._selector.register(self._waked, selectors.EVENT_READ)

    def begin(self, key: object, request: Request) -> bool:
        """Send a request; False: no connection is free for it, and nothing was sent.

        key: what `ended` names it by.  request: of those that are never repeated.
        """
        connection = self._transport.taken(is_open=True)
        if connection is None:
            return False
        sock = connection.socket
        # Sockets of other kinds, as a proxy's may be, cannot do without blocking.
        if type(sock) is not ssl.SSLSocket or not connection.is_ready:
            self._transport.give_back(connection)
            return False
        prepared = self._transport.prepared(request)
        data = connection.rendered(prepared.sent)
        if data is None or len(data) > READ_BYTES:  # what is longer might not be sent at once
            self._transport.give_back(connection)
            return False
        self._transport.log(prepared)
        late_at = time.monotonic() + request.timeout_s
        exchange = _Exchange(key, prepared, connection, AnswerReader(MAX_RESPONSE_BYTES), late_at)
        try:
            with connection.errors_of_requests():
                _send(sock, data, request.timeout_s)
        except REQUEST_ERRORS as err:
            self._end(exchange, self._transport.error(err, prepared))
            return True
        self._under_way[sock] = exchange
        self._selector.register(sock, selectors.EVENT_READ)
        return True

    def ended(self, timeout_s: float) -> list[tuple[object, Outcome | ReadRest]]:
        """What requests came to, by their keys: at least one, unless the time is over or somebody has called `wake`.

        What must still be read, on another thread, is a function.
        """
        if not self._ended:
            now = time.monotonic()
            late_at = min((each.late_at for each in self._under_way.values()), default=now + timeout_s)
            for key, _ in self._selector.select(max(0.0, min(timeout_s, late_at - now))):
                if key.fileobj is self._waked:
                    self._drain()
                else:
                    self._read(key.fileobj)
            self._end_late()
        ended, self._ended = list(self._ended), deque()
        return ended

    def wake(self) -> None:
        """Have `ended` return; from any thread."""
        try:
            self._waker.send(b"x")
        except OSError:  # it is full, and so it wakes; or all has ended
            pass

    def close(self) -> None:
        """Let connections be used by others; those that wait for answers are closed."""
        for sock, exchange in list(self._under_way.items()):
            self._forget(sock)
            exchange.connection.close()
            self._transport.give_back(exchange.connection)
        self._selector.close()
        self._waked.close()
        self._waker.close()

    def _drain(self) -> None:
        try:
            while self._waked.recv(READ_BYTES):
                pass
        except BlockingIOError:
            pass

    def _read(self, sock: Any) -> None:
        exchange = self._under_way[sock]
        try:
            with exchange.connection.errors_of_requests():
                answer = _answer(sock, exchange.reader)
        except REQUEST_ERRORS as err:
            self._end(exchange, self._transport.error(err, exchange.prepared), sock)
            return
        except HubFault as err:
            self._end(exchange, err, sock)
            return
        if isinstance(answer, NotPlain):
            rest = answer
            self._forget(sock)
            self._ended.append((exchange.key, lambda: self._rest(exchange, rest)))
        elif answer is None:
            exchange.late_at = time.monotonic() + exchange.prepared.sent.timeout_s
        else:
            response = self._transport.response(
                exchange.prepared, exchange.connection.finish(exchange.prepared.sent, answer)
            )
            self._end(exchange, response, sock)

    def _rest(self, exchange: _Exchange, answer: NotPlain) -> Outcome:
        """Runs on another thread."""
        prepared = exchange.prepared
        try:
            return self._transport.response(prepared, exchange.connection.finish(prepared.sent, answer))
        except REQUEST_ERRORS as err:
            return self._transport.error(err, prepared)
        except HubFault as err:
            return err
        finally:
            self._transport.give_back(exchange.connection)

    def _end_late(self) -> None:
        now = time.monotonic()
        for sock, exchange in list(self._under_way.items()):
            if exchange.late_at <= now:
                kind = (
                    requests.exceptions.ConnectionError if exchange.reader.has_head else requests.exceptions.ReadTimeout
                )
                late = kind(f"nothing came within {exchange.prepared.sent.timeout_s} s")
                exchange.connection.close()
                self._end(exchange, self._transport.error(late, exchange.prepared), sock)

    def _end(self, exchange: _Exchange, outcome: Outcome, sock: Any = None) -> None:
        if sock is not None:
            self._forget(sock)
        self._transport.give_back(exchange.connection)
        self._ended.append((exchange.key, outcome))

    def _forget(self, sock: Any) -> None:
        del self._under_way[sock]
        self._selector.unregister(sock)


def _send(sock: ssl.SSLSocket, data: bytes, timeout_s: float) -> None:
    if sock.gettimeout() != 0:
        sock.setblocking(False)
    try:
        sock.send(data)
    except (ssl.SSLWantWriteError, ssl.SSLWantReadError):  # what was sent before is still in the way
        sock.settimeout(timeout_s)
        sock.sendall(data)
        sock.setblocking(False)
    except (BrokenPipeError, ConnectionResetError):  # a hub that refuses has said why before
        pass


def _answer(sock: ssl.SSLSocket, reader: AnswerReader) -> PlainAnswer | NotPlain | None:
    """What has come, once it is whole; None: more is to come."""
    while True:
        try:
            more = sock.recv(READ_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        if not more:
            raise requests.exceptions.ConnectionError("the connection was closed before the answer was complete")
        if (answer := reader.feed(more)) is not None:
            return answer
