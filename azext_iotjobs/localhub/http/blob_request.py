"""Requests to the storage account, taken apart: what they are for, their conditions, what a writer says of a blob."""

import base64
import binascii
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from azext_iotjobs.localhub.blobs.container import Blob, BlobProperties
from azext_iotjobs.localhub.http.blob_documents import CONTENT_HEADERS, BlobError
from azext_iotjobs.localhub.rules.blob_names import is_blob_name
from azext_iotjobs.localhub.rules.blob_sas import ACCOUNT, Resource
from azext_iotjobs.localhub.rules.file_upload import CONTAINER as UPLOADS

MAX_BLOCK_ID_BYTES = 64
META = "x-ms-meta-"


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
        self.resource = Resource(container, blob_name if blob else None)

    @property
    def blob(self) -> str:
        """The blob's name."""
        return self.resource.blob or ""

    @property
    def device(self) -> str | None:
        """Whose file it is: what a device uploads begins with its id. None: no device's."""
        return self.blob.partition("/")[0] or None if self.resource.container == UPLOADS else None

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

    def not_served(self) -> BlobError:
        """The refusal of an operation that this endpoint does not have."""
        comp = self.query.get("comp", "")[:40]
        return BlobError(
            400,
            "UnsupportedQueryParameter",
            f"{self.web.method}{f' with comp={comp}' if comp else ''} is not served here: block blobs are written, "
            "read, listed and deleted.",
        )

    def check_etags(self, blob: Blob) -> None:
        """Raise BlobError 304 or 412 unless the conditions on a blob's ETag hold."""
        wanted, known = self.web.headers.get("If-Match"), self.web.headers.get("If-None-Match")
        if wanted not in (None, "*", f'"{blob.etag}"', blob.etag):
            raise BlobError(412, "ConditionNotMet", "The blob has another ETag.")
        if known in (f'"{blob.etag}"', blob.etag):
            is_read = self.web.method in ("GET", "HEAD")
            raise BlobError(304 if is_read else 412, "ConditionNotMet", "It has this ETag.")


def read_block_id(text: str) -> str:
    """A block's id as it is given. Raises BlobError 400."""
    try:
        size = len(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        size = 0
    if not 1 <= size <= MAX_BLOCK_ID_BYTES:
        raise BlobError(400, "InvalidBlobOrBlock", f"A block's id must be base64 of 1 to {MAX_BLOCK_ID_BYTES} bytes.")
    return text


def _below_account(path: str) -> str:
    account, _, rest = path.partition("/")
    return rest if account == ACCOUNT else path
