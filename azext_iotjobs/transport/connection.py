"""One thread's connection to a hub: opened by `requests`, and kept for what follows.

The first request, and what kept_connection.py does not take, is `requests`' own from end to end.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import requests

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
    """For one thread."""

    def __init__(self, target: HubTarget, url_target: HubTarget, trust: Trust) -> None:
        """Nothing is opened yet.

        url_target: where `target` is looked up.  Raises CannotConnect for what of the environment cannot be used.
        """
        _check_environment(target)
        self._authority = url_target.authority
        self._trust = trust
        self._session = new_session()
        self._kept: HTTPConnection | None = None
        self._opened_by: tuple[str | None, ...] = ()  # the environment that it was opened by
        if url_target != target:
            self._session.mount("https://", NamedAdapter(target.host))

    def exchange(self, sent: Sent) -> Answer:
        """Send a request, and read its answer.

        Raises requests' RequestException, LocationParseError, OSError; HubFault for an answer that is too long.
        """
        if (kept := self._kept) is not None and not sent.keeps_encoding:
            from azext_iotjobs.transport import kept_connection  # here: most commands make one request

            is_usable = self._opened_by == self._trust.environment() and kept_connection.is_ready(kept)
            if is_usable and (data := self._rendered(sent)) is not None:
                return self._by_kept(kept, sent, data)
        return self._by_requests(sent)

    def close(self) -> None:
        """Close it; a request after that opens it anew."""
        self._session.close()

    def _rendered(self, sent: Sent) -> bytes | None:
        from azext_iotjobs.transport.kept_connection import rendered

        defaults = {name: str(self._session.headers[name]) for name in ("Accept-Encoding", "Connection")}
        headers = {**defaults, **sent.headers}
        return rendered(sent.method, self._authority, sent.path, sent.query, headers, sent.data)

    def _by_kept(self, kept: "HTTPConnection", sent: Sent, data: bytes) -> Answer:
        from azext_iotjobs.transport.kept_connection import PlainAnswer, TooLong, exchange

        try:
            answer = exchange(kept, sent.method, data, sent.timeout_s, MAX_RESPONSE_BYTES)
            if isinstance(answer, PlainAnswer):
                return Answer(*answer)
            with answer:
                return Answer(answer.status_code, answer.headers, _bounded_body(answer))
        except TooLong as err:
            raise _too_long(err.status) from err
        except BaseException:
            kept.close()  # it may hold the rest of an answer
            raise

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
