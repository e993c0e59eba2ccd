"""HttpTransport.send(Request) -> Response, over requests: one session, our errors, patience with throttling."""

import json
import os
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol

import requests
import urllib3.exceptions

from azext_iotjobs._version import VERSION
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, CannotConnect, HubFault, LinkLost
from azext_iotjobs.model.target import DeviceKey, HubTarget, ServiceCredential
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.auth import RequestAuth, resource_of

API_VERSION = "2021-04-12"  # the documented one
CONNECT_TIMEOUT_S = 15.0
READ_TIMEOUT_S = 60.0  # a hub shapes traffic by answering late
MAX_RESPONSE_BYTES = 64 * 1024 * 1024  # a page of 100 twins at their largest is about 10 MB
CHUNK_BYTES = 64 * 1024

OnWait = Callable[[str, float, float], None]  # why, seconds until the next try, seconds until giving up


@dataclass(frozen=True, kw_only=True)
class Request:
    """One REST call, without what every call has."""

    method: str
    path: str  # already percent-encoded
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None  # a JSON value
    has_body: bool = False  # None is a JSON value too
    content: bytes | None = None  # a body that is not JSON, in place of one that is
    timeout_s: float = READ_TIMEOUT_S
    may_repeat: bool = False  # done twice is as good as done once


@dataclass(frozen=True, kw_only=True)
class Response:
    """What the hub answered; `headers` are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """The seam: a double is one function."""

    def send(self, request: Request) -> Response:
        """Carry a request to the hub and give its answer, whatever its status. Raises LinkError."""


class HttpTransport:
    """The way to one hub.

    resource: what its tokens are for: by default the whole hub, or the device whose key it is.
    on_wait: told before each pause that throttling or a fault makes us wait.
    """

    def __init__(
        self,
        target: HubTarget,
        credential: ServiceCredential | DeviceKey,
        clock: Clock,
        on_wait: OnWait | None = None,
        resource: str | None = None,
    ) -> None:
        self._target = target
        self._auth = RequestAuth(resource or resource_of(target, credential), credential, clock)
        self._clock = clock
        self._on_wait = on_wait
        self._session = requests.Session()
        # No cookie means anything here, and a jar is what threads that share a session would disturb each other by.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._verify: str | bool = _readable_ca(target.ca_file) if target.ca_file else True
        # Loopback never goes through a proxy, whatever HTTPS_PROXY says.
        self._proxies = {"https": "", "http": ""} if target.is_loopback else None

    def send(self, request: Request) -> Response:
        """Carry a request to the hub, riding out throttling for at most `retry.RIDE_OUT_LIMIT_S`.

        Raises CannotConnect, LinkLost or AnswerTooLate.
        """
        give_up_at = self._clock.monotonic() + retry.RIDE_OUT_LIMIT_S
        tries = 0
        while True:
            tries += 1
            chance = random.random()
            try:
                response = self._once(request)
            except (LinkLost, AnswerTooLate) as err:
                pause = retry.pause_after_fault(tries=tries, may_repeat=request.may_repeat, chance=chance)
                if not self._waits(f"{err}", pause, give_up_at):
                    raise
                continue
            pause = retry.pause_after_answer(
                status=response.status,
                hub_code=response.headers.get("iothub-errorcode"),
                retry_after_s=_seconds(response.headers.get("retry-after")),
                tries=tries,
                may_repeat=request.may_repeat,
                chance=chance,
            )
            if not self._waits(f"The hub answered {response.status}.", pause, give_up_at):
                return response

    def close(self) -> None:
        """Close the connections; a request after that opens new ones."""
        self._session.close()

    def _waits(self, reason: str, pause_s: float | None, give_up_at: float) -> bool:
        """Pause if there is to be another try and time for it; say whether it did."""
        remaining_s = give_up_at - self._clock.monotonic()
        if pause_s is None or pause_s > remaining_s:
            return False
        if self._on_wait is not None:
            self._on_wait(reason, pause_s, remaining_s)
        self._clock.sleep(pause_s)
        return True

    def _once(self, request: Request) -> Response:
        headers = {
            "Authorization": self._auth.header(),
            "User-Agent": f"iotjobs/{VERSION}",
            "Accept": "application/json",
            "x-ms-client-request-id": str(uuid.uuid4()),
            **request.headers,
        }
        data = request.content
        if request.has_body:
            data = json.dumps(request.body, allow_nan=False).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        try:
            with self._session.request(
                request.method,
                f"https://{self._target.authority}{request.path}",
                params={"api-version": API_VERSION, **request.query},
                headers=headers,
                data=data,
                timeout=(CONNECT_TIMEOUT_S, request.timeout_s),
                # On each request: a session's own setting loses against REQUESTS_CA_BUNDLE.
                verify=self._verify,
                proxies=self._proxies,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return Response(status=answer.status_code, headers=answer.headers, body=_bounded_body(answer))
        except requests.exceptions.RequestException as err:
            raise _link_error(err, self._target, request) from err
        except urllib3.exceptions.LocationParseError as err:
            raise BadValue(f"{self._target.host!r} is no host name.") from err
        except OSError as err:  # requests' own, for a REQUESTS_CA_BUNDLE that is not there
            raise CannotConnect(f"{self._target.authority} cannot be trusted: {err}.") from err


def _bounded_body(answer: requests.Response) -> bytes:
    chunks, size = [], 0
    for chunk in answer.iter_content(CHUNK_BYTES):
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            raise HubFault(
                f"The hub's answer is larger than {MAX_RESPONSE_BYTES // 1024**2} MB.", status=answer.status_code
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _link_error(
    err: requests.exceptions.RequestException, target: HubTarget, request: Request
) -> CannotConnect | LinkLost | AnswerTooLate | BadValue:
    """The one table from requests' errors to ours; children stand before their parents."""
    where = target.authority
    if isinstance(err, requests.exceptions.SSLError):
        return CannotConnect(
            f"{where} is not trusted: its TLS certificate was refused.",
            hint="Behind a proxy that inspects TLS, or with a private CA, set REQUESTS_CA_BUNDLE to a PEM file that "
            "holds that CA too. A local hub is trusted with -n localhost, in Python with ca_file.",
        )
    if isinstance(err, requests.exceptions.ProxyError):
        return CannotConnect(f"{where} was not reached: the proxy refused.", hint="Check HTTPS_PROXY and NO_PROXY.")
    if isinstance(err, requests.exceptions.ConnectTimeout):
        return CannotConnect(
            f"{where} did not take a connection within {CONNECT_TIMEOUT_S:.0f} s.",
            hint="Check the host name, the firewall and the proxy.",
        )
    if isinstance(err, requests.exceptions.ReadTimeout):
        return AnswerTooLate(
            f"{where} did not answer within {request.timeout_s:.0f} s.", waited_s=request.timeout_s
        )  # fmt: skip
    if isinstance(err, requests.exceptions.ConnectionError) and _was_never_open(err):
        return CannotConnect(
            f"{where} was not reached: no such host, or nothing listens there.",
            hint="Check the hub's name." if not target.is_local else "Is it still running? az iot local-hub show",
        )
    if isinstance(err, requests.exceptions.InvalidURL):
        return BadValue(f"{target.host!r} is no host name.")
    return LinkLost(f"The connection to {where} broke before the answer was complete.")


def _was_never_open(err: requests.exceptions.ConnectionError) -> bool:
    reason = err.args[0] if err.args else None
    return isinstance(getattr(reason, "reason", reason), urllib3.exceptions.NewConnectionError)


def _readable_ca(path: str) -> str:
    if not os.path.isfile(path):
        raise BadValue(
            f"The CA file {path} is not there.", hint="A local hub writes it at its start: az iot local-hub start"
        )
    return path


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:  # a date: nobody has seen a hub send one
        return None
