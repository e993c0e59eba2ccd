"""What one HTTPS connection may cost the hub: time, and lines in its log.

aiohttp bounds memory (headers, a body's size, requests that wait behind another); who is slow it would keep for ever.
"""

import asyncio
import logging

from aiohttp import web
from aiohttp.http import HttpProcessingError

from azext_iotjobs.localhub.errors import GENERIC_BAD_REQUEST, HubError

IDLE_LIMIT_S = 75.0  # without a whole head: after the connection is made, and after each answer
BODY_LIMIT_S = 60.0  # from a request's head to the end of its body
ANSWER_LIMIT_S = 60.0  # for taking an answer
LAST_ANSWERS_LIMIT_S = 2.0  # at the hub's own end


def make_runner(application: web.Application) -> web.AppRunner:
    """Runs an application within the bounds."""
    server_logger = logging.getLogger(f"{__name__}.server")
    server_logger.addFilter(_is_ours)
    return web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=LAST_ANSWERS_LIMIT_S,
        keepalive_timeout=IDLE_LIMIT_S,
        auto_decompress=False,  # what a message is encoded as is its receiver's business
        logger=server_logger,
    )


async def read_body(request: web.Request) -> bytes:
    """A request's body. Raises HubError 400 for one that ends early or whose pieces are none."""
    limit = None if request.content.is_eof() else _cut_after(BODY_LIMIT_S, request)  # small ones came with the head
    try:
        return await request.read()
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as err:
        raise HubError(GENERIC_BAD_REQUEST, "The body cannot be read.") from err
    finally:
        if limit is not None:
            limit.cancel()


async def send(request: web.Request, response: web.StreamResponse) -> None:
    """Send an answer to whoever still takes it."""
    if request.content.exception() is not None:
        response.force_close()  # where the next request would begin is unknown
    limit = _cut_after(ANSWER_LIMIT_S, request)
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        logging.getLogger(__name__).debug("nobody took the answer to %s %s", request.method, request.path)
    finally:
        limit.cancel()


def _cut_after(limit_s: float, request: web.Request) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(limit_s, _cut, request)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _is_ours(record: logging.LogRecord) -> bool:
    """aiohttp logs a trace for what clients do wrong, too: whoever sends garbage would fill the hub's log."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (HttpProcessingError, web.RequestPayloadError, ConnectionError))
