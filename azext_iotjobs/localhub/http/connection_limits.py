"""Limits of one HTTPS connection: time, and lines in the hub's log.

aiohttp limits memory (headers, the size of a body, pipelined requests), but would keep a slow client forever.
"""

import asyncio
import logging

from aiohttp import web
from aiohttp.http import HttpProcessingError

from azext_iotjobs.localhub.errors import GENERIC_BAD_REQUEST, MESSAGE_TOO_LARGE, HubError

logger = logging.getLogger(__name__)

IDLE_LIMIT_S = 75.0  # without a complete head, after the connection is made and after each response
BODY_LIMIT_S = 60.0  # from a request's head to the end of its body
RESPONSE_LIMIT_S = 60.0  # for reading a response
LAST_ANSWERS_LIMIT_S = 2.0  # when the hub ends


def make_runner(application: web.Application) -> web.AppRunner:
    """A runner that applies the limits to an application."""
    server_logger = logging.getLogger(f"{__name__}.server")
    server_logger.addFilter(_is_ours)
    return web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=LAST_ANSWERS_LIMIT_S,
        keepalive_timeout=IDLE_LIMIT_S,
        auto_decompress=False,  # messages are passed on as they are encoded
        logger=server_logger,
    )


async def read_body(request: web.Request, max_bytes: int) -> bytes:
    """A request's body. Raises HubError 400 for one that ends early or whose chunks are malformed, 413 if too large."""
    limit = None if request.content.is_eof() else _abort_after(BODY_LIMIT_S, request)  # else it arrived with the head
    try:
        return await request.clone(client_max_size=max_bytes).read()
    except web.HTTPRequestEntityTooLarge as err:
        raise HubError(MESSAGE_TOO_LARGE, f"A request may have at most {max_bytes} bytes here.") from err
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as err:
        raise HubError(GENERIC_BAD_REQUEST, "The body cannot be read.") from err
    finally:
        if limit is not None:
            limit.cancel()


async def send(request: web.Request, response: web.StreamResponse) -> None:
    """Send a response, unless the client is gone."""
    if request.content.exception() is not None:
        response.force_close()  # it is unknown where the next request would begin
    limit = _abort_after(RESPONSE_LIMIT_S, request)
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        logging.getLogger(__name__).debug(
            "the client was gone before the response to %s %s", request.method, request.path
        )
    finally:
        limit.cancel()


class IdleLimit:
    """Ends a request's connection when nothing comes or goes for `limit_s` seconds, with one timer for all of it."""

    def __init__(self, limit_s: float, request: web.Request) -> None:
        self._limit_s = limit_s
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._last_at = self._loop.time()
        self._timer = self._loop.call_later(limit_s, self._check)

    def note(self) -> None:
        """Something came or went."""
        self._last_at = self._loop.time()

    def __enter__(self) -> "IdleLimit":
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _check(self) -> None:
        left_s = self._last_at + self._limit_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._check)
        else:
            _abort(self._request)


def _abort_after(limit_s: float, request: web.Request) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(limit_s, _abort, request)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _is_ours(record: logging.LogRecord) -> bool:
    """aiohttp also logs a trace for errors of clients: one that sends garbage would fill the hub's log."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (HttpProcessingError, web.RequestPayloadError, ConnectionError))
