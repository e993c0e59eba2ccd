"""The storage account on the hub's HTTPS port: block blobs in the hub's containers, as much of it as SDKs use to write
and read files.

Addresses: /localhub/{container}/{blob}, as emulators of the service have them, and /uploads/{blob} for what devices
upload: they put the host, container and blob that the hub told them together. Bodies go from the connection to the disk
and back in pieces; no memory grows with a file.
Source: Azure Storage REST "operations on blobs"; the requests of its SDKs for Python and Node.js.
"""

import asyncio
import base64
import binascii
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from azext_iotjobs.localhub.blobs.container import Blob, BlobProperties, BlockMissing, Container
from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.http.blob_bodies import receive, send_part, small_body
from azext_iotjobs.localhub.http.blob_documents import (
    CONTENT_HEADERS,
    VERSION,
    BlobError,
    blob_headers,
    error_document,
    http_date,
    list_document,
    read_block_list,
    wanted_range,
    written_headers,
)
from azext_iotjobs.localhub.rules import blob_sas as sas
from azext_iotjobs.localhub.rules.blob_names import is_blob_name
from azext_iotjobs.localhub.rules.file_upload import CONTAINER as UPLOADS

MAX_BLOB_BYTES = 5000 * 1024 * 1024  # in one request [Put Blob]
MAX_BLOCK_BYTES = 4000 * 1024 * 1024  # [Put Block]
MAX_BLOCKS = 100_000  # of a blob, not committed [Put Block]
MAX_BLOCK_ID_BYTES = 64
MAX_BLOCK_LIST_BYTES = 8 * 1024 * 1024
MAX_LISTED = 5000
META = "x-ms-meta-"
logger = logging.getLogger(__name__)

Answer = Awaitable[web.StreamResponse]


class BlobRequest:
    """A request for a blob or container, its address and query taken apart."""

    def __init__(self, request: web.Request) -> None:
        """Raises BlobError 400."""
        self.web = request
        path, _, query = request.raw_path.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True, encoding="utf-8", errors="replace"))
        container, _, blob = _below_account(path.lstrip("/")).partition("/")
        try:
            blob_name = unquote(blob, errors="strict")
        except UnicodeDecodeError as err:
            raise BlobError(400, "InvalidUri", "The path is not percent-encoded UTF-8.") from err
        if blob and not is_blob_name(blob_name):
            raise BlobError(400, "InvalidResourceName", "The blob's name is too long, or has a control character.")
        self.place = sas.Place(container, blob_name if blob else None)

    @property
    def blob(self) -> str:
        """The blob's name."""
        return self.place.blob or ""

    def properties(self) -> BlobProperties:
        """What the writer says of the blob, in headers."""
        headers = self.web.headers
        stated = {name: headers.get(f"x-ms-blob-{name.lower()}") for name in CONTENT_HEADERS}
        return BlobProperties(
            content_type=headers.get("x-ms-blob-content-type")
            or headers.get("Content-Type")
            or BlobProperties().content_type,
            headers={name: value for name, value in stated.items() if value},
            metadata={name[len(META) :]: value for name, value in headers.items() if name.lower().startswith(META)},
        )


class BlobEndpoint:
    """Serves the storage account."""

    def __init__(self, storage: Storage, clock: HubClock) -> None:
        self._storage = storage
        self._clock = clock

    def register(self, application: web.Application) -> None:
        """Add the endpoint to an application."""
        for path in (f"/{sas.ACCOUNT}/{{rest:(?s:.*)}}", f"/{UPLOADS}", f"/{UPLOADS}/{{rest:(?s:.*)}}"):
            application.router.add_route("*", path, self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        request_id = str(uuid.uuid4())
        try:
            response = await self._dispatch(request)
        except BlobError as err:
            response = self._refusal(request, err, request_id)
        except OSError as err:
            if isinstance(err, ConnectionError):
                raise
            logger.error("the storage folder cannot be used: %s", err.strerror)
            text = f"The hub's storage folder cannot be used now: {err.strerror}."
            response = self._refusal(request, BlobError(503, "ServerBusy", text), request_id)
        if not response.prepared:
            response.headers.update(self._own_headers(request))
        return response

    def _own_headers(self, request: web.Request) -> dict[str, str]:
        named = request.headers.get("x-ms-client-request-id")
        return {
            "x-ms-version": request.headers.get("x-ms-version", VERSION),
            "Server": "Blob",
            "Date": http_date(self._clock.now()),
            **({"x-ms-client-request-id": named} if named and len(named) <= 1024 else {}),
        }

    def _refusal(self, request: web.Request, err: BlobError, request_id: str) -> web.Response:
        body = error_document(err, request_id, self._clock.now())
        response = web.Response(status=err.status, body=body if request.method != "HEAD" else None)
        response.headers["x-ms-error-code"] = err.code
        response.content_type = "application/xml"
        if not request.content.is_eof():
            response.force_close()  # the rest of a body that is not wanted is not read
        return response

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        asked = BlobRequest(request)
        what = (request.method, asked.query.get("comp", ""))
        if asked.place.blob is None:
            if asked.query.get("restype") != "container" or what not in (("GET", "list"), ("GET", ""), ("HEAD", "")):
                raise _not_served(request, asked)
            self._allow(asked, sas.LIST if what[1] else sas.READ)
            container = self._container(asked)
            return await self._list(asked, container) if what[1] else web.Response(status=200)
        table: dict[tuple[str, str], tuple[str, Callable[[BlobRequest, Container], Answer]]] = {
            ("PUT", ""): (sas.WRITE + sas.CREATE, self._put),
            ("PUT", "block"): (sas.WRITE + sas.CREATE, self._put_block),
            ("PUT", "blocklist"): (sas.WRITE + sas.CREATE, self._put_block_list),
            ("GET", ""): (sas.READ, self._get),
            ("HEAD", ""): (sas.READ, self._get),
            ("DELETE", ""): (sas.DELETE, self._delete),
        }
        if what not in table:
            raise _not_served(request, asked)
        permissions, handle = table[what]
        self._allow(asked, permissions)
        return await handle(asked, self._container(asked))

    def _allow(self, asked: BlobRequest, any_of: str) -> None:
        """Raise BlobError 403 unless the request's signature allows it."""
        try:
            self._storage.account.check(asked.query, asked.place, any_of, self._clock.now())
        except sas.BadSas as err:
            code = "AuthorizationPermissionMismatch" if err.is_denied else "AuthenticationFailed"
            raise BlobError(403, code, err.text) from err

    def _container(self, asked: BlobRequest) -> Container:
        container = self._storage.container(asked.place.container)
        if container is None:
            raise BlobError(404, "ContainerNotFound", "The specified container does not exist.")
        return container

    async def _put(self, asked: BlobRequest, container: Container) -> web.StreamResponse:
        """Put Blob."""
        if asked.web.headers.get("x-ms-blob-type", "") != "BlockBlob":
            raise BlobError(400, "InvalidHeaderValue", "x-ms-blob-type must be BlockBlob: others are not served.")
        if "x-ms-copy-source" in asked.web.headers:
            raise BlobError(400, "UnsupportedHeader", "Blobs are not copied from other places here.")
        self._check_conditions(asked, container)
        path = container.temporary_path()
        try:
            digest = await receive(asked.web, path, MAX_BLOB_BYTES)
            blob = await self._place(asked, container, path)
        finally:
            path.unlink(missing_ok=True)
        return web.Response(status=201, headers={**written_headers(blob), **_digest_header(digest)})

    async def _put_block(self, asked: BlobRequest, container: Container) -> web.StreamResponse:
        """Put Block."""
        block_id = _block_id(asked.query.get("blockid", ""))
        if container.block_count(asked.blob) >= MAX_BLOCKS:
            raise BlobError(409, "BlockCountExceedsLimit", f"At most {MAX_BLOCKS} blocks may be uncommitted.")
        path = container.temporary_path()
        try:
            digest = await receive(asked.web, path, MAX_BLOCK_BYTES)
            os.replace(path, container.block_path(asked.blob, block_id))
        finally:
            path.unlink(missing_ok=True)
        return web.Response(status=201, headers=_digest_header(digest))

    async def _put_block_list(self, asked: BlobRequest, container: Container) -> web.StreamResponse:
        """Put Block List."""
        self._check_conditions(asked, container)
        block_ids = [_block_id(each) for each in read_block_list(await small_body(asked.web, MAX_BLOCK_LIST_BYTES))]
        try:
            path = await asyncio.to_thread(container.join_blocks, asked.blob, block_ids)
        except BlockMissing as err:
            raise BlobError(400, "InvalidBlockList", "The specified block list is invalid.") from err
        try:
            blob = await self._place(asked, container, path)
        finally:
            path.unlink(missing_ok=True)
        return web.Response(status=201, headers=written_headers(blob))

    async def _place(self, asked: BlobRequest, container: Container, path: Path) -> Blob:
        """Make a file the blob, unless the conditions have ceased to hold meanwhile."""
        async with self._storage.change:
            self._check_conditions(asked, container)
            return await asyncio.to_thread(container.put, asked.blob, path, asked.properties())

    async def _get(self, asked: BlobRequest, container: Container) -> web.StreamResponse:
        """Get Blob, and Get Blob Properties."""
        blob = _existing(container, asked.blob)
        _check_etags(asked.web, blob)
        headers = asked.web.headers
        part = wanted_range(headers.get("x-ms-range") or headers.get("Range"), blob.size_bytes)
        start, end = (part.start, part.end) if part else (0, blob.size_bytes - 1)
        overridden = {name: asked.query[key] for key, name in sas.RESPONSE_HEADERS.items() if asked.query.get(key)}
        response = web.StreamResponse(
            status=206 if part else 200, headers={**blob_headers(blob), **overridden, **self._own_headers(asked.web)}
        )
        if part:
            if digest := response.headers.pop("Content-MD5", None):  # of the whole blob
                response.headers["x-ms-blob-content-md5"] = digest
            response.headers["Content-Range"] = f"bytes {start}-{end}/{blob.size_bytes}"
        response.content_length = end - start + 1
        try:
            await send_part(asked.web, response, blob.path, start, end)
        except ConnectionError:
            logger.debug("the client was gone before the end of a blob")
        return response

    async def _delete(self, asked: BlobRequest, container: Container) -> web.StreamResponse:
        """Delete Blob."""
        async with self._storage.change:
            _check_etags(asked.web, _existing(container, asked.blob))
            container.delete(asked.blob)
        return web.Response(status=202)

    async def _list(self, asked: BlobRequest, container: Container) -> web.StreamResponse:
        """List Blobs; a marker is the name of the first blob of the next page."""
        text = asked.query.get("maxresults") or str(MAX_LISTED)
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) and len(text) < 9):
            raise BlobError(400, "OutOfRangeQueryParameterValue", "maxresults is not a number from 1.")
        count, marker = min(int(text), MAX_LISTED), asked.query.get("marker", "")
        found = await asyncio.to_thread(container.names, asked.query.get("prefix", ""))
        names = [name for name in found if name >= marker]
        blobs = [blob for name in names[:count] if (blob := container.get(name)) is not None]
        after = names[count] if len(names) > count else ""
        body = list_document(asked.place.container, blobs, asked.query, after)
        return web.Response(body=body, content_type="application/xml")

    def _check_conditions(self, asked: BlobRequest, container: Container) -> None:
        """Raise BlobError when a blob may not be written: a condition in headers, or a right to create only."""
        blob, headers = container.get(asked.blob), asked.web.headers
        if blob is not None and headers.get("If-None-Match") == "*":
            raise BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
        if blob is not None:
            self._allow(asked, sas.WRITE)
            _check_etags(asked.web, blob)
        elif headers.get("If-Match"):
            raise BlobError(412, "ConditionNotMet", "There is no blob with this ETag.")


def _below_account(path: str) -> str:
    account, _, rest = path.partition("/")
    return rest if account == sas.ACCOUNT else path


def _not_served(request: web.Request, asked: BlobRequest) -> BlobError:
    comp = asked.query.get("comp", "")[:40]
    return BlobError(
        400,
        "UnsupportedQueryParameter",
        f"{request.method}{f' with comp={comp}' if comp else ''} is not served here: block blobs are written, read, "
        "listed and deleted.",
    )


def _existing(container: Container, name: str) -> Blob:
    blob = container.get(name)
    if blob is None:
        raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    return blob


def _check_etags(request: web.Request, blob: Blob) -> None:
    wanted, known = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if wanted not in (None, "*", f'"{blob.etag}"', blob.etag):
        raise BlobError(412, "ConditionNotMet", "The blob has another ETag.")
    if known in (f'"{blob.etag}"', blob.etag):
        raise BlobError(304 if request.method in ("GET", "HEAD") else 412, "ConditionNotMet", "It has this ETag.")


def _block_id(text: str) -> str:
    try:
        size = len(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        size = 0
    if not 1 <= size <= MAX_BLOCK_ID_BYTES:
        raise BlobError(400, "InvalidBlobOrBlock", f"A block's id must be base64 of 1 to {MAX_BLOCK_ID_BYTES} bytes.")
    return text


def _digest_header(digest: bytes) -> dict[str, str]:
    return {"Content-MD5": base64.b64encode(digest).decode()}
