"""A connection to a hub, for one thread at a time: opened by `requests`, and kept for what follows.

The first request, and what kept_connection.py does not take, is `requests`' own from end to end.
"""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
import urllib3.exceptions

from azext_iotjobs.model.errors import CannotConnect, HubFault
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.link_errors import CONNECT_TIMEOUT_S
from azext_iotjobs.transport.sessions import (
    PROXY_HINT,
    NamedAdapter,
    environment,
    keep_our_header,
    new_session,
    proxy_scheme,
)
from azext_iotjobs.transport.trust import key_log_problem

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

    from azext_iotjobs.transport.kept_connection import NotPlain, PlainAnswer

MAX_RESPONSE_BYTES = 64 * 1024 * 1024  # a page of 100 twins at their largest is about 10 MB
CHUNK_BYTES = 64 * 1024


class Trust(NamedTuple):
    """Which authorities are trusted, and which proxies are asked, as `requests` takes both."""

    verify: str | bool  # a CA file; True: what the environment names, or certifi has
    proxies: dict[str, str] | None  # None: what the environment names

    def environment(self) -> tuple[str | None, ...]:
        """What counts of the environment, as it is now."""
        return environment(of_trust=self.verify is True, of_proxies=self.proxies is None)


class Sent(NamedTuple):
    """A request, as it goes to the hub."""

    method: str
    path: str  # already percent-encoded
    query: Mapping[str, str]
    headers: Mapping[str, str]
    data: bytes | None
    timeout_s: float
    keeps_encoding: bool


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]  # found in any case
    body: bytes


class HubConnection:
    """For one request after the other."""

    def __init__(self, target: HubTarget, url_target: HubTarget, trust: Trust) -> None:
        """Nothing is opened yet.

        url_target: where `target` is looked up.  Raises CannotConnect for what of the environment cannot be used.
        """
        _check_environment(target)
        self._authority = url_target.authority
        self._trust = trust
        self._session = new_session()
        self._kept: HTTPConnection | None = None
        self._defaults = {name: str(self._session.headers[name]) for name in ("Accept-Encoding", "Connection")}
        self._opened_by: tuple[str | None, ...] = ()  # the environment that it was opened by
        if url_target != target:
            self._session.mount("https://", NamedAdapter(target.host))

    @property
    def is_ready(self) -> bool:
        """Whether it is open, and the environment that it was opened by is still the same."""
        from azext_iotjobs.transport.kept_connection import is_ready  # here: most commands make one request

        kept = self._kept
        return kept is not None and self._opened_by == self._trust.environment() and is_ready(kept)

    @property
    def socket(self) -> Any:
        """Of the connection that is kept; None: there is none."""
        return None if self._kept is None else self._kept.sock

    def exchange(self, sent: Sent) -> Answer:
        """Send a request, and read its answer.

        Raises requests' RequestException, LocationParseError, OSError; HubFault for an answer that is too long.
        """
        if self._kept is not None:
            if not self.is_ready:
                self._kept.close()  # `requests` would take it for usable
            elif (data := self.rendered(sent)) is not None:
                return self._by_kept(sent, data)
        return self._by_requests(sent)

    def rendered(self, sent: Sent) -> bytes | None:
        """The bytes of a request that can be sent over a kept connection; None: they are for `requests` to make."""
        from azext_iotjobs.transport.kept_connection import rendered

        if sent.keeps_encoding:
            return None
        headers = {**self._defaults, **sent.headers}
        return rendered(sent.method, self._authority, sent.path, sent.query, headers, sent.data)

    def finish(self, sent: Sent, answer: "PlainAnswer | NotPlain") -> Answer:
        """What came back, once all of it is read; the connection is closed if the hub wants it so. Errors as above."""
        from azext_iotjobs.transport.kept_connection import NotPlain, read_by_the_libraries

        kept = self._kept
        assert kept is not None
        if not isinstance(answer, NotPlain):
            if answer.ends_connection:
                kept.close()
            return Answer(answer.status, answer.headers, answer.body)
        with self.errors_of_requests():
            kept.sock.settimeout(sent.timeout_s)
            with read_by_the_libraries(kept, sent.method, answer.read) as response:
                return self._read(response)

    @contextmanager
    def errors_of_requests(self) -> Iterator[None]:
        """An error inside closes the connection, which may hold the rest of an answer; it becomes one of `requests`."""
        from azext_iotjobs.transport.kept_connection import TooLong

        try:
            yield
        except BaseException as err:
            if self._kept is not None:
                self._kept.close()
            if isinstance(err, TooLong):
                raise _too_long(err.status) from err
            if isinstance(err, requests.exceptions.RequestException):
                raise
            if isinstance(err, (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)):
                raise requests.exceptions.ConnectionError(err) from err
            raise

    def close(self) -> None:
        """Close it; a request after that opens it anew."""
        self._session.close()

    def _by_kept(self, sent: Sent, data: bytes) -> Answer:
        from azext_iotjobs.transport.kept_connection import exchange

        assert self._kept is not None
        with self.errors_of_requests():
            answer = exchange(self._kept, data, sent.timeout_s, MAX_RESPONSE_BYTES)
        return self.finish(sent, answer)

    def _by_requests(self, sent: Sent) -> Answer:
        self._opened_by = self._trust.environment()
        with self._session.request(
            sent.method,
            f"https://{self._authority}{sent.path}",
            params=sent.query,
            headers=sent.headers,
            data=sent.data,
            auth=keep_our_header,
            timeout=(CONNECT_TIMEOUT_S, sent.timeout_s),
            # On each request: a session's own setting loses against REQUESTS_CA_BUNDLE.
            verify=self._trust.verify,
            proxies=self._trust.proxies,
            allow_redirects=False,
            stream=True,
        ) as answer:
            self._kept = answer.raw.connection
            if sent.keeps_encoding:
                answer.raw.headers.pop("Content-Encoding", None)  # urllib3 undoes what it finds there; ours stays so
            return self._read(answer)

    def _read(self, answer: requests.Response) -> Answer:
        """What the libraries read, unless it is no answer; what might follow it is not taken for the next one."""
        is_interim = answer.status_code < 200  # the libraries take some of them for answers
        says_too_much = answer.status_code in (204, 304) and answer.headers.get("content-length", "0") != "0"
        if self._kept is not None and (is_interim or says_too_much):
            self._kept.close()
        if is_interim:
            raise requests.exceptions.ConnectionError(f"{answer.status_code} is no answer to a request")
        return Answer(answer.status_code, answer.headers, _bounded_body(answer))


def _bounded_body(answer: requests.Response) -> bytes:
    chunks, size = [], 0
    for chunk in answer.iter_content(CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            raise _too_long(answer.status_code)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_long(status: int) -> HubFault:
    return HubFault(f"The hub's answer is larger than {MAX_RESPONSE_BYTES // 1024**2} MB.", status=status)


def _check_environment(target: HubTarget) -> None:
    """Raise CannotConnect for what requests would fail at with another error's words."""
    if (problem := key_log_problem()) is not None:
        raise CannotConnect(problem)
    try:
        if not target.is_loopback:
            proxy_scheme(f"https://{target.authority}")
    except ValueError as err:
        raise CannotConnect(f"{target.authority} was not reached: {err}.", hint=PROXY_HINT) from err
