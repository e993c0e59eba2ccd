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
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import requests
import requests.structures
import urllib3
from urllib3.util.connection import is_connection_dropped

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

TARGET = r"(?:/(?!\.{1,2}(?:[/?]|$))(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+)+"  # no step, and nothing to be escaped
UNRESERVED = r"%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)"  # escapes that `requests` takes back
PLAIN = r"[\x20-\x7e]*"  # what a header may have that every encoding agrees on
STATUS_LINE = r"HTTP/1\.1 ([2-5]\d\d)(?: .*)?"
READ_BYTES = 16 * 1024  # what one TLS record holds
MAX_HEAD_BYTES = 64 * 1024  # longer ones are http.client's to refuse
ALWAYS_EMPTY = (204, 304)
LIBRARYS = ("transfer-encoding", "content-encoding", "trailer", "upgrade")  # headers of answers that are not plain


class PlainAnswer(NamedTuple):
    """An answer that was read here."""

    status: int
    headers: Mapping[str, str]  # found in any case
    body: bytes


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
    target = f"{path}?{urlencode(query)}"
    fields = {"Host": host, **headers}
    if body is not None or method != "GET":
        fields["Content-Length"] = str(len(body or b""))
    is_plain = (
        method != "HEAD"
        and re.fullmatch(TARGET, path) is not None
        and re.search(UNRESERVED, path) is None
        and re.fullmatch(PLAIN, "".join(fields.values())) is not None
    )
    if not is_plain:
        return None
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + (body or b"")


def is_ready(connection: "HTTPConnection") -> bool:
    """Whether a request can be sent on it: it is open, and the hub has not ended it."""
    return connection.sock is not None and not is_connection_dropped(connection)


def exchange(
    connection: "HTTPConnection", method: str, data: bytes, timeout_s: float, most_bytes: int
) -> "PlainAnswer | requests.Response":
    """Send a request, and read its answer, or its head if the libraries are to read the rest.

    timeout_s: how long each step may take.  most_bytes: that a body may have.
    After an error, and where the hub wants it so, the connection is closed.
    Raises ReadTimeout, ConnectionError or another RequestException; TooLong.
    """
    try:
        return _Exchange(connection, method, most_bytes).of(data, timeout_s)
    except (OSError, http.client.HTTPException) as err:
        connection.close()
        if isinstance(err, requests.exceptions.RequestException):
            raise
        raise requests.exceptions.ConnectionError(err) from err
    except BaseException:  # Ctrl-C, too: what would come is no answer to the next request
        connection.close()
        raise


class _Exchange:
    def __init__(self, connection: "HTTPConnection", method: str, most_bytes: int) -> None:
        self._connection = connection
        self._socket: Any = connection.sock
        self._method = method
        self._most_bytes = most_bytes

    def of(self, data: bytes, timeout_s: float) -> "PlainAnswer | requests.Response":
        if self._socket.gettimeout() != timeout_s:
            self._socket.settimeout(timeout_s)
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):  # a hub that refuses a long body at once has said why before
            pass
        read = self._head(timeout_s)
        head, _, body = read.partition(b"\r\n\r\n")
        found = _parsed(head)
        if found is None:
            return self._by_the_libraries(read)
        status, headers, size = found
        if size > self._most_bytes:
            raise TooLong(status)
        body = self._whole(body, size)
        if len(body) > size or headers.get("connection", "").lower() == "close":
            self._connection.close()
        return PlainAnswer(status, headers, body[:size])

    def _head(self, timeout_s: float) -> bytes:
        """What was read when the head had come; it may hold some of the body, or all."""
        read = b""
        while b"\r\n\r\n" not in read and len(read) <= MAX_HEAD_BYTES:
            try:
                more = self._socket.recv(READ_BYTES)
            except TimeoutError as err:
                raise requests.exceptions.ReadTimeout(f"no answer within {timeout_s} s") from err
            if not more:
                raise requests.exceptions.ConnectionError("the connection was closed without an answer")
            read = read + more if read else more
        return read

    def _whole(self, body: bytes, size: int) -> bytes:
        if len(body) >= size:
            return body
        parts, left = [body], size - len(body)
        while left > 0:
            more = self._socket.recv(min(left, READ_BYTES))
            if not more:
                raise requests.exceptions.ConnectionError(f"{left} bytes of the answer are missing")
            parts.append(more)
            left -= len(more)
        return b"".join(parts)

    def _by_the_libraries(self, read: bytes) -> requests.Response:
        """An answer as `requests` gives it, with its body not yet read."""
        source: Any = _Source(read, self._socket)
        raw = http.client.HTTPResponse(source, method=self._method)
        try:
            raw.begin()
        except BaseException:
            raw.close()
            raise
        headers = urllib3.HTTPHeaderDict(raw.msg.items())
        if raw.will_close:
            self._connection.close()  # the answer has the socket's file, and reads on
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
            request_method=self._method,
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


def _parsed(head: bytes) -> tuple[int, Mapping[str, str], int] | None:
    """Status, headers and the length of the body; None: it is not plain."""
    first, *lines = head.decode("latin-1").split("\r\n")
    found = re.fullmatch(STATUS_LINE, first)
    if found is None:
        return None
    status, headers = int(found[1]), {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name[0] in " \t" or name[-1] in " \t" or name in headers or name in LIBRARYS:
            return None
        headers[name] = value.strip(" \t")
    size = headers.get("content-length", "0" if status in ALWAYS_EMPTY else "")
    if not (size.isascii() and size.isdecimal()) or (status in ALWAYS_EMPTY and size != "0"):
        return None
    return status, requests.structures.CaseInsensitiveDict(headers), int(size)
