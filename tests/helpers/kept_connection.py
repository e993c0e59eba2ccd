"""One kept HTTPS connection to a local hub, for very many requests, however odd."""

import http.client
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.helpers.hub_process import HubProcess

LIMIT_S = 60.0


@dataclass(frozen=True)
class Seen:
    """An answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class KeptConnection:
    """Sends what it is told, byte by byte; http.client sees to it that the answer is well-formed HTTP."""

    hub: HubProcess
    _connection: http.client.HTTPSConnection | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._context = ssl.create_default_context(cafile=self.hub.ca)
        self.token = self.hub.token(life_s=3600)

    def request(
        self,
        verb: str,
        path: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        is_chunked: bool = False,
        authorization: str | None = None,
    ) -> Seen:
        """One request; an empty authorization is no header, None is the owner's token."""
        signed = self.token if authorization is None else authorization
        fields = [*([("Authorization", signed)] if signed else []), *headers]
        if self._connection is not None:
            try:
                return self._exchange(verb, path, fields, body, is_chunked)
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
                self.close()  # the hub had ended it behind the answer before this: clients dial again
        return self._exchange(verb, path, fields, body, is_chunked)

    def _exchange(self, verb: str, path: str, fields: list[tuple[str, str]], body: bytes, is_chunked: bool) -> Seen:
        connection = self._connection or http.client.HTTPSConnection(
            "localhost", self.hub.ports[0], context=self._context, timeout=LIMIT_S
        )
        self._connection = connection
        connection.putrequest(verb, path, skip_accept_encoding=True)
        for name, value in fields:
            connection.putheader(name, value)
        connection.putheader(*(("Transfer-Encoding", "chunked") if is_chunked else ("Content-Length", str(len(body)))))
        connection.endheaders()
        try:
            connection.send(_chunks(body) if is_chunked else body)
        except OSError:
            pass  # answered before the body's end; the answer is there to be read
        answer = connection.getresponse()
        seen = Seen(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        if answer.will_close:
            self.close()
        return seen

    def close(self) -> None:
        """The next request takes another connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _chunks(body: bytes) -> bytes:
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)] if len(body) < 1000 else [body]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
