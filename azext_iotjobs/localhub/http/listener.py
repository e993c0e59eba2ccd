"""The HTTPS side: authenticates requests, dispatches them and sends responses; gives errors the service's form.

Strategy: handlers know nothing of aiohttp. They take a HubRequest and give a HubResponse or raise a HubError;
everything that a client sees of an error is made here.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from aiohttp import web

from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.errors import (
    GENERIC_BAD_REQUEST,
    INVALID_PROTOCOL_VERSION,
    MODULE_ALREADY_EXISTS_ON_DEVICE,
    NOT_FOUND,
    SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    THROTTLING_BACKLOG_TIMEOUT,
    UNAUTHORIZED,
    Fault,
    HubError,
    StoreDamaged,
    StoreUnavailable,
)
from azext_iotjobs.localhub.http import websocket
from azext_iotjobs.localhub.http.callers import CALLER, authenticate
from azext_iotjobs.localhub.http.connection_limits import read_body, send
from azext_iotjobs.localhub.http.fault_effects import let_pass
from azext_iotjobs.localhub.http.own_request import read_own_request
from azext_iotjobs.localhub.http.path_ids import check_path
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.http.request_log import ERROR_CODE, note_request
from azext_iotjobs.localhub.http.route import MAX_BODY_BYTES, Route, RouteHandlers
from azext_iotjobs.localhub.http.routes import CALL_METHOD, ROUTES
from azext_iotjobs.localhub.rules.json_values import dump_json

logger = logging.getLogger(__name__)

# Those that clients are known to send; the service publishes no full list.
API_VERSIONS = frozenset(
    "2016-09-30-preview 2016-11-14 2018-06-30 2019-10-01 2020-03-13 2020-05-31-preview 2020-09-30 2021-04-12 "
    "2024-03-31".split()
)
TRACKING_BYTES = 16  # of the id of a request
METHOD_NOT_ALLOWED = Fault(405, 405000, "GenericMethodNotAllowed")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint(Protocol):
    """Something that reads its requests itself: WebSocket, blobs."""

    def register(self, application: web.Application) -> None:
        """Add its routes to an application."""


def make_application(
    handlers: RouteHandlers,
    authenticator: Authenticator,
    clock: HubClock,
    endpoints: Iterable[Endpoint],
    quotas: Quotas | None = None,
    links: Links | None = None,
) -> web.Application:
    """The hub's HTTPS application.

    endpoints: what is served beside the table of routes.  quotas: None where nothing is limited.
    links: with the faults that are requested, which the hub's own routes have not, and with what is observed; None:
    there never is a fault.
    """
    links = links or Links()
    observations = links.observations

    @web.middleware
    async def respond(request: web.Request, handler: Handler) -> web.StreamResponse:
        tracking_id, began_s = secrets.token_hex(TRACKING_BYTES), time.monotonic()
        try:
            response = await handler(request)
        except HubError as err:
            response = _refusal(err, tracking_id, clock)
        except web.HTTPException as err:
            response = _refusal(_routing_error(authenticator, request, err), tracking_id, clock)
            if isinstance(err, web.HTTPMethodNotAllowed) and response.status == err.status:
                response.headers["Allow"] = ", ".join(sorted(err.allowed_methods))
        except ConnectionError:  # the client is gone, in the middle of a WebSocket handshake
            response = _refusal(HubError(GENERIC_BAD_REQUEST, "The connection has ended."), tracking_id, clock)
        except StoreUnavailable as err:  # logged by the store, once for all requests
            response = _refusal(HubError(SERVICE_UNAVAILABLE, err.text), tracking_id, clock)
        except StoreDamaged as err:
            logger.error("request failed, tracking id %s: %s", tracking_id, err.text)
            response = _refusal(HubError(SERVER_ERROR, err.text), tracking_id, clock)
        except Exception:  # a bug of ours: the response has the service's form, the log has the trace
            logger.exception("request failed, tracking id %s", tracking_id)
            response = _refusal(
                HubError(SERVER_ERROR, "The hub has an internal error; see its log."), tracking_id, clock
            )
        response.headers["x-ms-request-id"] = tracking_id
        logger.debug("%s %a: %d", request.method, request.path, response.status)
        note_request(observations, request, response, time.monotonic() - began_s)
        await send(request, response)
        return response

    application = web.Application(middlewares=[respond], client_max_size=MAX_BODY_BYTES)
    application.on_response_prepare.append(_remove_aiohttps_headers)
    for route in sorted(ROUTES, key=lambda each: each.path != CALL_METHOD):  # looked for in this order
        handler = _handler(route, handlers, authenticator, quotas, links)
        application.router.add_route(route.verb, route_pattern(route.path), handler)
    for endpoint in endpoints:
        endpoint.register(application)
    return application


def route_pattern(path: str) -> str:
    """A pattern that matches a path in upper and lower case, as the service does, and with a slash at its end.

    Microsoft's Node.js SDK lists devices at "/devices/".
    """
    parts = path.strip("/").split("/")
    fixed = "/".join(
        part if part.startswith("{") else f"{{part{number}:(?i:{re.escape(part)})}}"
        for number, part in enumerate(parts)
    )
    return f"/{fixed}{{slash:/?}}"


def _handler(
    route: Route,
    handlers: RouteHandlers,
    authenticator: Authenticator,
    quotas: Quotas | None,
    links: Links,
) -> Handler:
    handle_request, connections = route.handler(handlers), links.observations.connections
    faults: Faults | None = None if route.is_own else links.faults

    async def handle(request: web.Request) -> web.StreamResponse:
        caller = authenticate(authenticator, route.caller, request, connections)
        if caller is not None:
            request[CALLER] = caller
        if not route.is_own and request.query.get("api-version") not in API_VERSIONS:
            raise HubError(INVALID_PROTOCOL_VERSION, "The api-version is missing or not supported.")
        _check_target(request)
        hub_request = HubRequest(
            path=request.match_info,
            query=request.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            spelled={name.lower(): name for name in request.headers},
            body=await read_body(request, route.max_body_bytes),
            is_gone=lambda: request.transport is None or request.transport.is_closing(),
        )
        if route.form is not None:
            hub_request = read_own_request(hub_request, route.form)
        await let_pass(faults, request, request.match_info.get("id"))
        if quotas is not None and route.throttle is not None:
            await quotas.wait(route.throttle, route.cost(hub_request))
        return _response(await handle_request(hub_request))

    return handle


def _check_target(request: web.Request) -> None:
    """Raise HubError 400 for a path with an impossible id, or with a "#", after which clients cut it off."""
    # A request has no fragment [RFC 9112 3.2]: "/devices/pump#1" would be taken for pump.
    if "#" in request.raw_path:
        raise HubError(GENERIC_BAD_REQUEST, "The path holds a #, which must be percent-encoded: %23.")
    check_path(request.match_info)


def _response(response: HubResponse) -> web.Response:
    headers = dict(response.headers or {})
    if response.document is None:
        return _RawResponse(response)
    return web.Response(
        status=response.status,
        headers=headers,
        body=dump_json(response.document).encode(),
        content_type="application/json",
        charset="utf-8",
    )


class _RawResponse(web.Response):
    """A body that is passed on as it is, and described only as its sender has described it."""

    def __init__(self, response: HubResponse) -> None:
        super().__init__(status=response.status, headers=dict(response.headers or {}), body=response.body)
        self.has_type = "Content-Type" in self.headers


async def _remove_aiohttps_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.popall("Server", None)  # it would tell everybody the versions of Python and aiohttp
    # aiohttp calls what has no type "application/octet-stream"; a device would take that for the message's own.
    if isinstance(response, _RawResponse) and not response.has_type:
        response.headers.popall("Content-Type", None)


def _routing_error(authenticator: Authenticator, request: web.Request, err: web.HTTPException) -> HubError:
    """The error of a request that no route matches; a client without a valid token gets 401 instead."""
    if websocket.is_handshake(request):  # from a device, which has no token for HTTPS
        return HubError(GENERIC_BAD_REQUEST, f"WebSocket is served at {' and '.join(websocket.SUBPROTOCOLS)} only.")
    try:
        any_right = Right.REGISTRY_READ | Right.SERVICE_CONNECT | Right.DEVICE_CONNECT
        authenticator.authenticate_service(request.headers.get("Authorization"), request.path, any_right)
    except HubError as refusal:
        return refusal
    if isinstance(err, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(err.allowed_methods))
        return HubError(METHOD_NOT_ALLOWED, f"{request.method} is not allowed here. Allowed: {allowed}.")
    return HubError(NOT_FOUND, "This hub does not serve this path.")


def _refusal(err: HubError, tracking_id: str, clock: HubClock) -> web.Response:
    headers = {ERROR_CODE: err.fault.name}
    if err.fault is UNAUTHORIZED:
        headers["WWW-Authenticate"] = "SharedAccessSignature"
    if err.retry_after_s is not None:
        headers["Retry-After"] = str(err.retry_after_s)
    inner = _inner_body(err, tracking_id, clock)
    if err.fault is MODULE_ALREADY_EXISTS_ON_DEVICE:  # the only one that is not wrapped
        body: Mapping[str, object] = inner
    elif err.info is not None:  # direct methods have JSON inside the message
        body = {"Message": json.dumps({**inner, "info": dict(err.info)}), "ExceptionMessage": ""}
    else:
        body = _body(err, tracking_id, clock)
    response = web.Response(
        status=err.fault.http_status,
        headers=headers,
        text=json.dumps(body),
        content_type="application/json",
        charset="utf-8",
    )
    if err.fault is THROTTLING_BACKLOG_TIMEOUT:
        response.force_close()  # as a live hub does
    return response


def _body(err: HubError, tracking_id: str, clock: HubClock) -> dict[str, str]:
    return {
        "Message": f"ErrorCode:{err.fault.name};{err.text}",
        "ExceptionMessage": f"Tracking ID:{_tracking(tracking_id, clock)}",
    }


def _inner_body(err: HubError, tracking_id: str, clock: HubClock) -> dict[str, object]:
    return {
        "errorCode": err.fault.number,
        "trackingId": _tracking(tracking_id, clock),
        "message": err.text,
        "timestampUtc": render(clock.now()),
    }


def _tracking(tracking_id: str, clock: HubClock) -> str:
    return f"{tracking_id.upper()}-G2:-TimeStamp:{render(clock.now())}"
