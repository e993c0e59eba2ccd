"""Bodies of requests for blobs, piece by piece: from the connection into a file, and back."""

import asyncio
import base64
import hashlib
import os
from pathlib import Path

from aiohttp import web
from aiohttp.http import HttpProcessingError

from azext_iotjobs.localhub.http.blob_documents import BlobError
from azext_iotjobs.localhub.http.connection_limits import IdleLimit

PIECE_BYTES = 256 * 1024
IDLE_LIMIT_S = 60.0  # without a piece of a body


async def receive(request: web.Request, path: Path, limit_bytes: int) -> bytes:
    """Write a request's body to a new file; gives its MD5.

    Raises BlobError for one that is too large, that ends early, or that is not what its Content-MD5 says.
    """
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    md5, size = hashlib.md5(usedforsecurity=False), 0
    with open(path, "xb") as file, IdleLimit(IDLE_LIMIT_S, request) as limit:
        while piece := await _next_piece(request):
            limit.note()
            size += len(piece)
            if size > limit_bytes:
                raise _too_large(limit_bytes)
            md5.update(piece)
            file.write(piece)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    given = request.headers.get("Content-MD5")
    if given and given != base64.b64encode(md5.digest()).decode():
        raise BlobError(400, "Md5Mismatch", "The body does not have the MD5 that its header says.")
    return md5.digest()


async def _next_piece(request: web.Request) -> bytes:
    """The next bytes of a body; b"" at its end. Raises BlobError 400 when it ends early."""
    try:
        return await request.content.read(PIECE_BYTES)
    except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as err:
        raise BlobError(400, "IncompleteBody", "The body cannot be read to its end.") from err


async def small_body(request: web.Request, limit_bytes: int) -> bytes:
    """A request's body, whole. Raises BlobError 400, 413."""
    body = bytearray()
    with IdleLimit(IDLE_LIMIT_S, request):
        while piece := await _next_piece(request):
            body += piece
            if len(body) > limit_bytes:
                raise _too_large(limit_bytes)
    return bytes(body)


def _too_large(limit_bytes: int) -> BlobError:
    return BlobError(413, "RequestBodyTooLarge", f"The body may have at most {limit_bytes} bytes.")


async def send_part(request: web.Request, response: web.StreamResponse, path: Path, start: int, end: int) -> None:
    """Send bytes `start` to `end` of a file; the file stays as it is though its blob be written anew."""
    with open(path, "rb") as file, IdleLimit(IDLE_LIMIT_S, request) as limit:
        await response.prepare(request)
        if request.method == "HEAD":
            return
        file.seek(start)
        left = end - start + 1
        while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
            await response.write(piece)
            limit.note()
            left -= len(piece)
