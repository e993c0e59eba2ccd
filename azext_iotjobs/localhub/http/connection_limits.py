"""Limits of one HTTPS connection: time, and lines in the hub's log.

aiohttp limits memory (headers, the size of a body, pipelined requests), but would keep a slow client forever.
"""

import asyncio
import logging

from aiohttp import web
from aiohttp.http import HttpProcessingError

from azext_iotjobs.localhub.errors import GENERIC_BAD_REQUEST, HubError

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


async def read_body(request: web.Request) -> bytes:
    """A request's body. Raises HubError 400 for one that ends early or whose chunks are malformed."""
    limit = None if request.content.is_eof() else abort_after(BODY_LIMIT_S, request)  # else it arrived with the head
    try:
        return await request.read()
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as err:
        raise HubError(GENERIC_BAD_REQUEST, "The body cannot be read.") from err
    finally:
        if limit is not None:
            limit.cancel()


async def send(request: web.Request, response: web.StreamResponse) -> None:
    """Send a response, unless the client is gone."""
    if request.content.exception() is not None:
        response.force_close()  # it is unknown where the next request would begin
    limit = abort_after(RESPONSE_LIMIT_S, request)
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        logging.getLogger(__name__).debug(
            "the client was gone before the response to %s %s", request.method, request.path
        )
    finally:
        limit.cancel()


def abort_after(limit_s: float, request: web.Request) -> asyncio.TimerHandle:
    """End a request's connection in `limit_s` seconds, unless what is returned is cancelled before."""
    return asyncio.get_running_loop().call_later(limit_s, _abort, request)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _is_ours(record: logging.LogRecord) -> bool:
    """aiohttp also logs a trace for errors of clients: one that sends garbage would fill the hub's log."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (HttpProcessingError, web.RequestPayloadError, ConnectionError))
