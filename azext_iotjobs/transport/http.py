"""HttpTransport.send(Request) -> Response: our errors, retries of what is throttled, connections for any thread.

az's debug log shows each request and its response, with the secrets in them masked.
"""

import json
import logging
import os
import random
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import requests
import urllib3.exceptions

from azext_iotjobs._version import VERSION
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue, CannotConnect, IotJobsError, LinkError
from azext_iotjobs.model.host_names import name_to_look_up
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.auth import RequestAuth
from azext_iotjobs.transport.connection import Answer, HubConnection, Sent, Trust
from azext_iotjobs.transport.link_errors import link_error
from azext_iotjobs.transport.masking import Shown
from azext_iotjobs.transport.trust import ca_bundle

if TYPE_CHECKING:
    from azext_iotjobs.model.device_credentials import DeviceKey
    from azext_iotjobs.model.entra import ServiceCredential

logger = logging.getLogger(__name__)

API_VERSION = "2021-04-12"  # the documented one
READ_TIMEOUT_S = 60.0  # a hub shapes traffic by answering late

OnWait = Callable[[str, float, float], None]  # why, seconds until the next try, seconds until giving up
REQUEST_ERRORS = (requests.exceptions.RequestException, urllib3.exceptions.LocationParseError, OSError)
NONE: Mapping[str, str] = MappingProxyType({})


class Request(NamedTuple):
    """One REST call, without what every call has."""

    method: str
    path: str  # already percent-encoded
    query: Mapping[str, str] = NONE
    headers: Mapping[str, str] = NONE
    body: Any = None  # a JSON value
    has_body: bool = False  # None is a JSON value too
    content: bytes | None = None  # a body that is not JSON, in place of one that is
    keeps_encoding: bool = False  # the response's body as it was sent, whatever its content encoding says
    timeout_s: float = READ_TIMEOUT_S
    may_repeat: bool = False  # twice has the same effect as once
    waits_out_throttling: bool = True  # False: a 429 is given at once, for a caller who paces many requests together


class SentRequest(NamedTuple):
    """What a response answers, for advice on it."""

    method: str
    path: str
    credential: "ServiceCredential | DeviceKey"
    answered_at: datetime  # when the response came: aware UTC, by this machine's clock
    hub: str  # its host, with the port that is not 443
    needed: frozenset[str] = frozenset()  # rights, as policies have them, that are needed beside this request's


class Response(NamedTuple):
    """What the hub answered; `headers` are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request: SentRequest | None = None  # None: not known


class Prepared(NamedTuple):
    """A request that is sent."""

    request: Request
    sent: Sent
    client_id: str  # of this try
    at: float  # monotonic seconds


class Transport(Protocol):
    """The seam: a double is one function."""

    def send(self, request: Request) -> Response:
        """Send a request to the hub and give its response, whatever its status. Raises LinkError."""


class HttpTransport:
    """HTTPS requests to one hub, from any thread."""

    def __init__(
        self,
        target: HubTarget,
        credential: "ServiceCredential | DeviceKey",
        clock: Clock,
        on_wait: OnWait | None = None,
        resource: str | None = None,
        needed: frozenset[str] = frozenset(),
    ) -> None:
        """on_wait: called before each pause that throttling or a fault makes us wait.

        resource: what tokens are for, such as a device; None: the whole hub.  needed: as SentRequest has it.
        Raises BadValue when the CA file of `target` is not there.
        """
        self._target = target
        self._credential = credential
        self._auth = RequestAuth(resource or target.host, credential, clock)
        self._clock = clock
        self._needed = needed
        self._on_wait = on_wait
        self._connections: list[HubConnection] = []  # all, to be closed
        self._free: deque[HubConnection] = deque()  # of them, those that nobody uses
        self._trust = Trust(
            verify=_readable_ca(target.ca_file) if target.ca_file else True,
            # Loopback never goes through a proxy, whatever HTTPS_PROXY says.
            proxies={"https": "", "http": ""} if target.is_loopback else None,
        )
        self._url_target = target._replace(host=name_to_look_up(target.host))

    def send(self, request: Request) -> Response:
        """Send a request and give the response, whatever its status; throttling is waited out for RIDE_OUT_LIMIT_S.

        Raises CannotConnect, LinkLost or AnswerTooLate.
        """
        give_up_at = self._clock.monotonic() + retry.RIDE_OUT_LIMIT_S
        tries = 0
        while True:
            tries += 1
            chance = random.random()
            try:
                response = self._once(request)
            except LinkError as err:
                if isinstance(err, CannotConnect) and not err.may_pass:
                    raise
                pause = retry.pause_after_fault(tries=tries, may_repeat=request.may_repeat, chance=chance)
                if not self._waits(f"{err}", pause, give_up_at):
                    raise
                continue
            pause = retry.pause_after_answer(
                status=response.status,
                hub_code=response.headers.get("iothub-errorcode"),
                retry_after_s=retry_after_s(response.headers),
                tries=tries,
                may_repeat=request.may_repeat,
                chance=chance,
            )
            if response.status == 429 and not request.waits_out_throttling:
                return response
            if not self._waits(f"The hub answered {response.status}.", pause, give_up_at):
                return response

    def close(self) -> None:
        """Close all connections; a request after that opens new ones."""
        for connection in self._connections:
            connection.close()

    def _waits(self, reason: str, pause_s: float | None, give_up_at: float) -> bool:
        """Whether there is to be another try and time for it; if so, the pause before it is over."""
        remaining_s = give_up_at - self._clock.monotonic()
        if pause_s is None or pause_s > remaining_s:
            return False
        if self._on_wait is not None:
            self._on_wait(reason, pause_s, remaining_s)
        self._clock.sleep(pause_s)
        return True

    def taken(self, *, is_open: bool = False) -> HubConnection | None:
        """A connection that nobody else uses until it is given back. is_open: one that is open, None: there is none."""
        try:
            return self._free.pop()
        except IndexError:
            if is_open:
                return None
        connection = HubConnection(self._target, self._url_target, self._trust)
        self._connections.append(connection)
        return connection

    def give_back(self, connection: HubConnection) -> None:
        """It can be taken again."""
        self._free.append(connection)

    def prepared(self, request: Request) -> Prepared:
        """A request, ready to be sent once."""
        client_id = str(uuid.uuid4())
        query = {"api-version": API_VERSION, **request.query}
        data = json.dumps(request.body, allow_nan=False).encode() if request.has_body else request.content
        headers = self._headers(request, client_id)
        sent = Sent(request.method, request.path, query, headers, data, request.timeout_s, request.keeps_encoding)
        return Prepared(request, sent, client_id, self._clock.monotonic())

    def log(self, prepared: Prepared) -> None:
        """Write that it is sent."""
        if logger.isEnabledFor(logging.DEBUG):
            sent = prepared.sent
            url = f"https://{self._target.authority}{sent.path}"
            shown = (Shown(json.dumps(dict(sent.query))), prepared.client_id, Shown(sent.data))
            logger.debug("%s %s %s, client request id %s: %s", sent.method, url, *shown)

    def response(self, prepared: Prepared, answer: Answer) -> Response:
        """What came back, as our clients read it."""
        request, now, hub = prepared.request, self._clock.now(), self._target.authority
        of_request = SentRequest(request.method, request.path, self._credential, now, hub, self._needed)
        response = Response(answer.status, answer.headers, answer.body, of_request)
        if logger.isEnabledFor(logging.DEBUG):
            _log_response(response, prepared.client_id, self._clock.monotonic() - prepared.at)
        return response

    def _once(self, request: Request) -> Response:
        prepared = self.prepared(request)
        self.log(prepared)
        connection = self.taken()
        assert connection is not None
        try:
            answer = connection.exchange(prepared.sent)
        except REQUEST_ERRORS as err:
            raise self.error(err, prepared) from err
        finally:
            self.give_back(connection)
        return self.response(prepared, answer)

    def _headers(self, request: Request, client_id: str) -> dict[str, str]:
        headers = {
            "Authorization": self._auth.header(),
            "User-Agent": f"iotjobs/{VERSION}",
            "Accept": "application/json",
            "x-ms-client-request-id": client_id,
            **({"Accept-Encoding": "identity"} if request.keeps_encoding else {}),
            **request.headers,
        }
        if self._url_target != self._target:
            headers["Host"] = self._target.authority
        if request.has_body:
            headers["Content-Type"] = "application/json; charset=utf-8"
        return headers

    def error(self, err: Exception, prepared: Prepared) -> IotJobsError:
        """Our error for one of requests', of LocationParseError or OSError."""
        request = prepared.request
        if isinstance(err, requests.exceptions.RequestException):
            logger.debug("%s: %s", prepared.client_id, Shown(repr(err)))
            return link_error(err, self._target, timeout_s=request.timeout_s, is_safe_to_repeat=request.may_repeat)
        if isinstance(err, urllib3.exceptions.LocationParseError):
            return BadValue(f"{self._target.host!r} is not a host name.")
        # An OSError is requests' own, for a bundle that is not there.
        bundle = None if self._target.ca_file else ca_bundle()
        why = f"{err}." if bundle is None else bundle.unusable("there is no such file or folder")
        return CannotConnect(f"{self._target.authority} cannot be trusted: {why}")


def _log_response(response: Response, client_id: str, after_s: float) -> None:
    code, request_id = (response.headers.get(name) for name in ("iothub-errorcode", "x-ms-request-id"))
    logger.debug(
        "%s: %d %s after %.3f s, request id %s: %s",
        *(client_id, response.status, Shown(code) if code else "", after_s, Shown(request_id or "none")),
        Shown(response.body),
    )


def _readable_ca(path: str) -> str:
    if not os.path.isfile(path):
        raise BadValue(
            f"The CA file {path} does not exist.",
            hint=Text("A local hub writes it when it starts: ", command("iot local-hub start")),
        )
    return path


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What the hub asks to wait before the next try, if it does."""
    text = headers.get("retry-after")
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:  # a date: nobody has seen a hub send one
        return None
