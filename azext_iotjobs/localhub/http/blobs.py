"""The storage account on the hub's HTTPS port: block blobs in the hub's containers, as much of it as SDKs use to write
and read files.

Addresses: /localhub/{container}/{blob}, as emulators of the service have them, and /uploads/{blob} for what devices
upload: they put the host, container and blob that the hub told them together. Bodies go from the connection to the disk
and back in pieces; no memory grows with a file.
Source: Azure Storage REST "operations on blobs"; the requests of its SDKs for Python and Node.js.
"""

import asyncio
import base64
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from azext_iotjobs.localhub.blobs.container import Blob, BlockMissing, Container
from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.http.blob_bodies import receive, send_part, small_body
from azext_iotjobs.localhub.http.blob_documents import (
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
from azext_iotjobs.localhub.http.blob_request import BlobRequest, read_block_id
from azext_iotjobs.localhub.http.fault_effects import let_pass
from azext_iotjobs.localhub.rules import blob_sas as sas
from azext_iotjobs.localhub.rules.file_upload import CONTAINER as UPLOADS

MAX_BLOB_BYTES = 5000 * 1024 * 1024  # in one request [Put Blob]
MAX_BLOCK_BYTES = 4000 * 1024 * 1024  # [Put Block]
MAX_UNCOMMITTED_BLOCKS = 100_000  # of a blob [Put Block]
MAX_BLOCK_LIST_BYTES = 8 * 1024 * 1024
MAX_LISTED = 5000
# Codes of the account's own where it has one [Azure Storage REST "blob service error codes"].
FAULT_CODES = {500: "InternalError", 503: "ServerBusy"}
ACCOUNT_PATHS = (f"/{sas.ACCOUNT}/{{rest:(?s:.*)}}", f"/{UPLOADS}", f"/{UPLOADS}/{{rest:(?s:.*)}}")
logger = logging.getLogger(__name__)

Answer = Awaitable[web.StreamResponse]


class BlobEndpoint:
    """Serves the storage account."""

    def __init__(self, storage: Storage, clock: HubClock, faults: Faults) -> None:
        """faults: those that are requested; its requests have them too."""
        self._storage = storage
        self._clock = clock
        self._faults = faults

    def register(self, application: web.Application) -> None:
        """Add the endpoint to an application."""
        for path in ACCOUNT_PATHS:
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
        if err.retry_after_s is not None:
            response.headers["Retry-After"] = str(err.retry_after_s)
        if not request.content.is_eof():
            response.force_close()  # the rest of a body that is not wanted is not read
        return response

    async def _dispatch(self, received: web.Request) -> web.StreamResponse:
        request = BlobRequest(received)
        what = (received.method, request.query.get("comp", ""))
        if request.resource.blob is None:
            if request.query.get("restype") != "container" or what not in (("GET", "list"), ("GET", ""), ("HEAD", "")):
                raise request.not_served()
            self._allow(request, sas.LIST if what[1] else sas.READ)
            await self._let_pass(request)
            container = self._container(request)
            return await self._list(request, container) if what[1] else web.Response(status=200)
        table: dict[tuple[str, str], tuple[str, Callable[[BlobRequest, Container], Answer]]] = {
            ("PUT", ""): (sas.WRITE + sas.CREATE, self._put),
            ("PUT", "block"): (sas.WRITE + sas.CREATE, self._put_block),
            ("PUT", "blocklist"): (sas.WRITE + sas.CREATE, self._put_block_list),
            ("GET", ""): (sas.READ, self._get),
            ("HEAD", ""): (sas.READ, self._get),
            ("DELETE", ""): (sas.DELETE, self._delete),
        }
        if what not in table:
            raise request.not_served()
        permissions, handle = table[what]
        self._allow(request, permissions)
        await self._let_pass(request)
        return await handle(request, self._container(request))

    def _allow(self, request: BlobRequest, any_of: str) -> None:
        """Raise BlobError 403 unless the request's signature allows it."""
        try:
            self._storage.account.check(request.query, request.resource, any_of, self._clock.now())
        except sas.BadSas as err:
            code = "AuthorizationPermissionMismatch" if err.is_denied else "AuthenticationFailed"
            raise BlobError(403, code, err.text) from err

    async def _let_pass(self, request: BlobRequest) -> None:
        """Raise BlobError or ConnectionError where a fault was requested."""
        try:
            await let_pass(self._faults, request.web, request.device)
        except HubError as err:
            async for _ in request.web.content.iter_any():  # whoever is still sending would not see the response
                pass
            status = err.fault.http_status
            code = FAULT_CODES.get(status, err.fault.name)
            raise BlobError(status, code, err.text, retry_after_s=err.retry_after_s) from err

    def _container(self, request: BlobRequest) -> Container:
        container = self._storage.container(request.resource.container)
        if container is None:
            raise BlobError(404, "ContainerNotFound", "The specified container does not exist.")
        return container

    async def _put(self, request: BlobRequest, container: Container) -> web.StreamResponse:
        """Put Blob."""
        if request.web.headers.get("x-ms-blob-type", "") != "BlockBlob":
            raise BlobError(400, "InvalidHeaderValue", "x-ms-blob-type must be BlockBlob: others are not served.")
        if "x-ms-copy-source" in request.web.headers:
            raise BlobError(400, "UnsupportedHeader", "Blobs are not copied from other places here.")
        self._check_conditions(request, container)
        path = container.temporary_path()
        try:
            digest = await receive(request.web, path, MAX_BLOB_BYTES)
            blob = await self._place(request, container, path)
        finally:
            path.unlink(missing_ok=True)
        return web.Response(status=201, headers={**written_headers(blob), **_digest_header(digest)})

    async def _put_block(self, request: BlobRequest, container: Container) -> web.StreamResponse:
        """Put Block."""
        block_id = read_block_id(request.query.get("blockid", ""))
        if container.block_count(request.blob) >= MAX_UNCOMMITTED_BLOCKS:
            raise BlobError(
                409, "BlockCountExceedsLimit", f"At most {MAX_UNCOMMITTED_BLOCKS} blocks may be uncommitted."
            )
        path = container.temporary_path()
        try:
            digest = await receive(request.web, path, MAX_BLOCK_BYTES)
            os.replace(path, container.block_path(request.blob, block_id))
        finally:
            path.unlink(missing_ok=True)
        return web.Response(status=201, headers=_digest_header(digest))

    async def _put_block_list(self, request: BlobRequest, container: Container) -> web.StreamResponse:
        """Put Block List."""
        self._check_conditions(request, container)
        block_ids = [
            read_block_id(each) for each in read_block_list(await small_body(request.web, MAX_BLOCK_LIST_BYTES))
        ]
        try:
            path = await asyncio.to_thread(container.join_blocks, request.blob, block_ids)
        except BlockMissing as err:
            raise BlobError(400, "InvalidBlockList", "The specified block list is invalid.") from err
        try:
            blob = await self._place(request, container, path)
        finally:
            path.unlink(missing_ok=True)
        return web.Response(status=201, headers=written_headers(blob))

    async def _place(self, request: BlobRequest, container: Container, path: Path) -> Blob:
        """Make a file the blob, unless the conditions have ceased to hold meanwhile."""
        async with self._storage.change:
            self._check_conditions(request, container)
            return await asyncio.to_thread(container.put, request.blob, path, request.properties())

    async def _get(self, request: BlobRequest, container: Container) -> web.StreamResponse:
        """Get Blob, and Get Blob Properties."""
        blob = _existing(container, request.blob)
        request.check_etags(blob)
        headers = request.web.headers
        part = wanted_range(headers.get("x-ms-range") or headers.get("Range"), blob.size_bytes)
        start, end = (part.start, part.end) if part else (0, blob.size_bytes - 1)
        overridden = {name: request.query[key] for key, name in sas.RESPONSE_HEADERS.items() if request.query.get(key)}
        response = web.StreamResponse(
            status=206 if part else 200, headers={**blob_headers(blob), **overridden, **self._own_headers(request.web)}
        )
        if part:
            if digest := response.headers.pop("Content-MD5", None):  # of the whole blob
                response.headers["x-ms-blob-content-md5"] = digest
            response.headers["Content-Range"] = f"bytes {start}-{end}/{blob.size_bytes}"
        response.content_length = end - start + 1
        try:
            await send_part(request.web, response, blob.path, start, end)
        except ConnectionError:
            logger.debug("the client was gone before the end of a blob")
        return response

    async def _delete(self, request: BlobRequest, container: Container) -> web.StreamResponse:
        """Delete Blob."""
        async with self._storage.change:
            request.check_etags(_existing(container, request.blob))
            container.delete(request.blob)
        return web.Response(status=202)

    async def _list(self, request: BlobRequest, container: Container) -> web.StreamResponse:
        """List Blobs; a marker is the name of the first blob of the next page."""
        text = request.query.get("maxresults") or str(MAX_LISTED)
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) and len(text) < 9):
            raise BlobError(400, "OutOfRangeQueryParameterValue", "maxresults is not a number from 1.")
        count, marker = min(int(text), MAX_LISTED), request.query.get("marker", "")
        found = await asyncio.to_thread(container.names, request.query.get("prefix", ""))
        names = [name for name in found if name >= marker]
        blobs = [blob for name in names[:count] if (blob := container.get(name)) is not None]
        after = names[count] if len(names) > count else ""
        body = list_document(request.resource.container, blobs, request.query, after)
        return web.Response(body=body, content_type="application/xml")

    def _check_conditions(self, request: BlobRequest, container: Container) -> None:
        """Raise BlobError when a blob may not be written: a condition in headers, or a right to create only."""
        blob, headers = container.get(request.blob), request.web.headers
        if blob is not None and headers.get("If-None-Match") == "*":
            raise BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
        if blob is not None:
            self._allow(request, sas.WRITE)
            request.check_etags(blob)
        elif headers.get("If-Match"):
            raise BlobError(412, "ConditionNotMet", "There is no blob with this ETag.")


def _existing(container: Container, name: str) -> Blob:
    blob = container.get(name)
    if blob is None:
        raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
    return blob


def _digest_header(digest: bytes) -> dict[str, str]:
    return {"Content-MD5": base64.b64encode(digest).decode()}
