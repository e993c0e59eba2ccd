"""A request and its answer over a connection that `requests` has opened and keeps: one write, and one read as a rule.

Strategy: whoever makes thousands of requests pays for what `requests` does anew for each, ten times the work of the
bytes. So a connection is opened, through proxies and with trust as the environment has them, by `requests`; what
follows on it is written and read here. That is for what is plain: a request that needs no more escaping, an answer
with a length. For other requests `rendered` gives None, and `requests` makes them; other answers (in chunks,
compressed, ended by the connection's end) are read by http.client and urllib3, from the same bytes. Errors are those
of `requests`.

Source: RFC 9112 (HTTP/1.1).
"""

import http.client
import io
import re
import ssl
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import requests
import requests.structures
import urllib3
from urllib3.util.connection import is_connection_dropped

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

TARGET = re.compile(
    r"(?:/(?!\.{1,2}(?:[/?]|$))(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+)+"
)  # no step, and nothing to be escaped
UNRESERVED = re.compile(r"%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)")  # escapes that `requests` takes back
PLAIN = re.compile(r"[\x20-\x7e]*")  # what a header may have that every encoding agrees on
STATUS_LINE = re.compile(r"HTTP/1\.1 ([2-5]\d\d)(?: .*)?")
READ_BYTES = 16 * 1024  # what one TLS record holds
MAX_HEAD_BYTES = 64 * 1024  # longer ones are http.client's to refuse
LENGTH = re.compile(r"[0-9]+")
MOST_DIGITS = 15  # of a length; with more it is longer than anything that is taken
ALWAYS_EMPTY = (204, 304)
LIBRARYS = ("transfer-encoding", "content-encoding", "trailer", "upgrade")  # headers of answers that are not plain


class PlainAnswer(NamedTuple):
    """An answer that was read here."""

    status: int
    headers: Mapping[str, str]  # found in any case
    body: bytes
    ends_connection: bool


class NotPlain(NamedTuple):
    """An answer that the libraries are to read."""

    read: bytes  # what has come of it


class LowerCaseHeaders(dict[str, str]):
    """Headers by their names in lower case, found in any."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """As a dict's."""
        return super().get(name.lower(), default)


class TooLong(Exception):
    """An answer says that it has more bytes than are taken; status: its own."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def rendered(
    method: str, host: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes | None
) -> bytes | None:
    """The bytes of a request, as `requests` would send them; None: they are for `requests` to make.

    host: with the port that is not 443.  path: percent-encoded.  headers: all of them but Host and Content-Length.
    """
    target = f"{path}?{_query_text(tuple(query.items()))}"
    fields = {"Host": host, **headers}
    if body is not None or method != "GET":
        fields["Content-Length"] = str(len(body or b""))
    is_plain = (
        method != "HEAD"
        and TARGET.fullmatch(path) is not None
        and UNRESERVED.search(path) is None
        and PLAIN.fullmatch("".join(fields.values())) is not None
    )
    if not is_plain:
        return None
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + (body or b"")


def is_ready(connection: "HTTPConnection") -> bool:
    """Whether a request can be sent on it: it is open, and the hub has not ended it."""
    sock: Any = connection.sock
    if sock is None or is_connection_dropped(connection):
        return False
    # What TLS holds already, no selector sees: it answers no request that is still to be sent.
    return not (isinstance(sock, ssl.SSLSocket) and sock.pending())


@lru_cache(maxsize=16)  # thousands of calls have the same
def _query_text(query: tuple[tuple[str, str], ...]) -> str:
    return urlencode(query)


class AnswerReader:
    """The bytes of one answer -> the answer; it knows no socket."""

    def __init__(self, most_bytes: int) -> None:
        """most_bytes: that a body may have."""
        self._most_bytes = most_bytes
        self._read = b""
        self._head: _Head | None = None
        self._parts: list[bytes] = []  # of the body
        self._left = 0  # bytes of it that are to come; less than 0: there were more

    @property
    def has_head(self) -> bool:
        """Whether the head has come."""
        return self._head is not None

    def feed(self, more: bytes) -> PlainAnswer | NotPlain | None:
        """Take what was read, not empty; gives the answer once it is whole. Raises TooLong."""
        if self._head is not None:
            return self._add(self._head, more)
        self._read = self._read + more if self._read else more
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end:
            return NotPlain(self._read) if len(head) > MAX_HEAD_BYTES else None
        self._head = _parsed(head)
        if self._head is None:
            return NotPlain(self._read)
        if self._head.size > self._most_bytes:
            raise TooLong(self._head.status)
        self._left = self._head.size
        return self._add(self._head, body)

    def _add(self, head: "_Head", more: bytes) -> PlainAnswer | None:
        self._parts.append(more)
        self._left -= len(more)
        if self._left > 0:
            return None
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        ends = self._left < 0 or "close" in head.headers.get("connection", "").lower()
        return PlainAnswer(head.status, head.headers, body[: head.size], ends)


def exchange(connection: "HTTPConnection", data: bytes, timeout_s: float, most_bytes: int) -> PlainAnswer | NotPlain:
    """Send a request, and read its answer.

    timeout_s: how long each step may take.  most_bytes: that a body may have.
    Raises ReadTimeout, ConnectionError or another OSError; TooLong.
    """
    sock: Any = connection.sock
    if sock.gettimeout() != timeout_s:
        sock.settimeout(timeout_s)
    try:
        sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):  # a hub that refuses a long body at once has said why before
        pass
    reader = AnswerReader(most_bytes)
    while True:
        try:
            more = sock.recv(READ_BYTES)
        except TimeoutError as err:
            if reader.has_head:
                raise
            raise requests.exceptions.ReadTimeout(f"no answer within {timeout_s} s") from err
        if not more:
            raise requests.exceptions.ConnectionError("the connection was closed before the answer was complete")
        if (answer := reader.feed(more)) is not None:
            return answer


def read_by_the_libraries(connection: "HTTPConnection", method: str, read: bytes) -> requests.Response:
    """An answer as `requests` gives it, with its body not yet read. Raises HTTPException, HTTPError, OSError."""
    source: Any = _Source(read, connection.sock)
    raw = http.client.HTTPResponse(source, method=method)
    try:
        raw.begin()
        return _answer_of(connection, method, raw)
    except BaseException:
        raw.close()
        raise


def _answer_of(connection: "HTTPConnection", method: str, raw: http.client.HTTPResponse) -> requests.Response:
    headers = urllib3.HTTPHeaderDict(raw.msg.items())
    if raw.will_close:
        connection.close()  # the answer has the socket's file, and reads on
    answer = requests.Response()
    answer.status_code = raw.status
    answer.headers = requests.structures.CaseInsensitiveDict(headers)
    answer.raw = urllib3.HTTPResponse(
        body=raw,
        headers=headers,
        status=raw.status,
        version=raw.version,
        reason=raw.reason,
        preload_content=False,
        decode_content=False,
        original_response=raw,
        request_method=method,
    )
    return answer


class _Source(io.RawIOBase):
    """A socket whose first bytes were read already, as http.client wants one."""

    def __init__(self, read: bytes, sock: Any) -> None:
        super().__init__()
        self._read = read
        self._file = sock.makefile("rb", 0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not self._read:
            count: int | None = self._file.readinto(buffer)
            return count
        first, self._read = self._read[: len(buffer)], self._read[len(buffer) :]
        buffer[: len(first)] = first
        return len(first)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Head(NamedTuple):
    status: int
    headers: Mapping[str, str]
    size: int  # of the body


def _parsed(head: bytes) -> _Head | None:
    """None: it is not plain."""
    text = head.decode("latin-1")
    first, *lines = text.split("\r\n")
    found = STATUS_LINE.fullmatch(first)
    if found is None or not len(lines) == text.count("\n") == text.count("\r"):
        return None
    status = int(found[1])
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name[0] in " \t" or name[-1] in " \t" or name in headers or name in LIBRARYS:
            return None
        headers[name] = value.strip(" \t")
    size = headers.get("content-length", "0" if status in ALWAYS_EMPTY else "")
    if LENGTH.fullmatch(size) is None or (status in ALWAYS_EMPTY and size != "0"):
        return None
    return _Head(status, LowerCaseHeaders(headers), int(size) if len(size) <= MOST_DIGITS else sys.maxsize)
