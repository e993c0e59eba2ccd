"""HttpTransport.send(Request) -> Response, over requests: our errors, patience with throttling, any thread.

az's debug log shows each request and its answer, with the secrets in them covered.
"""

import json
import logging
import os
import random
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import requests
import urllib3.exceptions

from azext_iotjobs._version import VERSION
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, CannotConnect, HubFault, LinkLost
from azext_iotjobs.model.host_names import name_to_look_up
from azext_iotjobs.model.target import DeviceKey, HubTarget
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.auth import RequestAuth, resource_of
from azext_iotjobs.transport.environment import (
    PROXY_HINT,
    ca_bundle,
    keep_our_header,
    key_log_problem,
    new_session,
    proxy_scheme,
)
from azext_iotjobs.transport.link_errors import CONNECT_TIMEOUT_S, link_error
from azext_iotjobs.transport.masking import Shown
from azext_iotjobs.transport.named_adapter import NamedAdapter

if TYPE_CHECKING:
    from azext_iotjobs.model.entra import ServiceCredential

logger = logging.getLogger(__name__)

API_VERSION = "2021-04-12"  # the documented one
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
    keeps_encoding: bool = False  # the answer's body as it was sent, whatever its content encoding says
    timeout_s: float = READ_TIMEOUT_S
    may_repeat: bool = False  # done twice is as good as done once
    waits_out_throttling: bool = True  # False: who sends many of them slows them all down, and repeats this one


class Asked(NamedTuple):
    """What an answer was an answer to: who asked for what, and when it came."""

    method: str
    path: str
    credential: "ServiceCredential | DeviceKey"
    answered_at: datetime  # aware UTC, by this machine's clock


class Response(NamedTuple):
    """What the hub answered; `headers` are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked: Asked | None = None  # None: nobody has noted it


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
        credential: "ServiceCredential | DeviceKey",
        clock: Clock,
        on_wait: OnWait | None = None,
        resource: str | None = None,
    ) -> None:
        self._target = target
        self._credential = credential
        self._auth = RequestAuth(resource or resource_of(target, credential), credential, clock)
        self._clock = clock
        self._on_wait = on_wait
        self._of_thread = threading.local()  # nobody promises that a session can be shared
        self._sessions: list[requests.Session] = []  # of all threads, to be closed
        self._verify: str | bool = _readable_ca(target.ca_file) if target.ca_file else True
        # Loopback never goes through a proxy, whatever HTTPS_PROXY says.
        self._proxies = {"https": "", "http": ""} if target.is_loopback else None
        self._dialled = target._replace(host=name_to_look_up(target.host))

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
        """Close the connections of all threads; a request after that opens new ones."""
        for session in self._sessions:
            session.close()

    def _waits(self, reason: str, pause_s: float | None, give_up_at: float) -> bool:
        """Pause if there is to be another try and time for it; say whether it did."""
        remaining_s = give_up_at - self._clock.monotonic()
        if pause_s is None or pause_s > remaining_s:
            return False
        if self._on_wait is not None:
            self._on_wait(reason, pause_s, remaining_s)
        self._clock.sleep(pause_s)
        return True

    def _session(self) -> requests.Session:
        if not hasattr(self._of_thread, "session"):
            _check_environment(self._target)
            self._of_thread.session = new_session()
            if self._dialled != self._target:
                self._of_thread.session.mount("https://", NamedAdapter(self._target.host))
            self._sessions.append(self._of_thread.session)
        session: requests.Session = self._of_thread.session
        return session

    def _once(self, request: Request) -> Response:
        client_id = str(uuid.uuid4())
        headers = {
            "Authorization": self._auth.header(),
            "User-Agent": f"iotjobs/{VERSION}",
            "Accept": "application/json",
            "x-ms-client-request-id": client_id,
            **({"Accept-Encoding": "identity"} if request.keeps_encoding else {}),
            **request.headers,
        }
        if self._dialled != self._target:
            headers["Host"] = self._target.authority
        data = request.content
        if request.has_body:
            data = json.dumps(request.body, allow_nan=False).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        query = {"api-version": API_VERSION, **request.query}
        logger.debug(
            "%s https://%s%s %s, client request id %s: %s",
            request.method, self._target.authority, request.path, Shown(json.dumps(query)), client_id, Shown(data),
        )  # fmt: skip
        started_at = self._clock.monotonic()
        try:
            with self._session().request(
                request.method,
                f"https://{self._dialled.authority}{request.path}",
                params=query,
                headers=headers,
                data=data,
                auth=keep_our_header,
                timeout=(CONNECT_TIMEOUT_S, request.timeout_s),
                # On each request: a session's own setting loses against REQUESTS_CA_BUNDLE.
                verify=self._verify,
                proxies=self._proxies,
                allow_redirects=False,
                stream=True,
            ) as answer:
                response = self._response(request, answer)
        except requests.exceptions.RequestException as err:
            logger.debug("%s: %s", client_id, Shown(repr(err)))
            raise link_error(
                err, self._target, timeout_s=request.timeout_s, is_safe_to_repeat=request.may_repeat
            ) from err  # fmt: skip
        except urllib3.exceptions.LocationParseError as err:
            raise BadValue(f"{self._target.host!r} is no host name.") from err
        except OSError as err:  # requests' own, for a bundle that is not there
            bundle = None if self._target.ca_file else ca_bundle()
            why = f"{err}." if bundle is None else bundle.unusable("there is no such file or folder")
            raise CannotConnect(f"{self._target.authority} cannot be trusted: {why}") from err
        logger.debug(
            "%s: %d %s after %.3f s, request id %s: %s",
            client_id, response.status, response.headers.get("iothub-errorcode", ""),
            self._clock.monotonic() - started_at, response.headers.get("x-ms-request-id"), Shown(response.body),
        )  # fmt: skip
        return response

    def _response(self, request: Request, answer: requests.Response) -> Response:
        if request.keeps_encoding:
            answer.raw.headers.pop("Content-Encoding", None)  # urllib3 undoes what it finds there; ours stays as it was
        body = _bounded_body(answer)
        asked = Asked(
            method=request.method, path=request.path, credential=self._credential, answered_at=self._clock.now()
        )  # fmt: skip
        return Response(status=answer.status_code, headers=answer.headers, body=body, asked=asked)


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


def _check_environment(target: HubTarget) -> None:
    """Raise CannotConnect for what requests would fail at with another error's words."""
    if (problem := key_log_problem()) is not None:
        raise CannotConnect(problem)
    try:
        if not target.is_loopback:
            proxy_scheme(f"https://{target.authority}")
    except ValueError as err:
        raise CannotConnect(f"{target.authority} was not reached: {err}.", hint=PROXY_HINT) from err


def _readable_ca(path: str) -> str:
    if not os.path.isfile(path):
        raise BadValue(
            f"The CA file {path} is not there.",
            hint=Text("A local hub writes it at its start: ", command("iot local-hub start")),
        )
    return path


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What the hub asks to wait before the next try, if it does."""
    text = headers.get("retry-after")
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:  # a date: nobody has seen a hub send one
        return None
