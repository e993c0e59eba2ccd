"""What a storage account answers: headers, errors and lists as XML, ranges; block lists are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from azext_iotjobs.localhub.blobs.container import Blob
from azext_iotjobs.localhub.rules.blob_sas import ACCOUNT

VERSION = "2023-11-03"
MAX_BLOCKS = 50_000
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
CONTENT_HEADERS = ("Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control", "Content-MD5")
_FORBIDDEN_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class BlobError(Exception):
    """A request that the storage account refuses."""

    def __init__(self, status: int, code: str, text: str, *, retry_after_s: int | None = None) -> None:
        """status: of HTTP.  code: the account's word.  text: for people.  retry_after_s: of a header; None: none."""
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Range:
    """A part of a blob: `start` to `end`, both included."""

    start: int
    end: int


def error_document(err: BlobError, request_id: str, now: datetime) -> bytes:
    """An error's body."""
    text = f"{err.text}\nRequestId:{request_id}\nTime:{now.isoformat()}"
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{err.code}</Code><Message>{_xml(text)}</Message></Error>'
    ).encode()


def blob_headers(blob: Blob) -> dict[str, str]:
    """The headers that describe a blob."""
    properties = blob.properties
    return {
        "Content-Type": properties.content_type,
        **{name: properties.headers[name] for name in CONTENT_HEADERS if name in properties.headers},
        **{f"x-ms-meta-{name}": value for name, value in properties.metadata.items()},
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-server-encrypted": "false",
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        **written_headers(blob),
    }


def written_headers(blob: Blob) -> dict[str, str]:
    """The headers that tell a writer what there is now."""
    return {"ETag": f'"{blob.etag}"', "Last-Modified": http_date(blob.modified_at)}


def http_date(at: datetime) -> str:
    """An instant as headers have it."""
    return format_datetime(at, usegmt=True)


def wanted_range(text: str | None, size_bytes: int) -> Range | None:
    """The part that a Range header asks for; None: all. Raises BlobError 416. A header that is none is ignored."""
    found = RANGE.fullmatch(text.strip()) if text else None
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if not first:  # the last bytes
        start, end = max(0, size_bytes - int(last)), size_bytes - 1
    else:
        start, end = int(first), min(int(last) if last else size_bytes - 1, size_bytes - 1)
    if start >= size_bytes or (last and first and int(last) < start):
        raise BlobError(416, "InvalidRange", f"The range is not one of a blob of {size_bytes} bytes.")
    return Range(start, end)


def read_block_list(body: bytes) -> list[str]:
    """The ids of blocks, in order. Raises BlobError 400."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BlobError(400, "InvalidXmlDocument", "The block list is not one.")
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as err:
        raise BlobError(400, "InvalidXmlDocument", "The block list is not XML.") from err
    if root.tag != "BlockList" or any(each.tag not in ("Latest", "Uncommitted") for each in root):
        raise BlobError(400, "InvalidXmlNodeValue", "The block list may hold Latest and Uncommitted only.")
    if len(root) > MAX_BLOCKS:
        raise BlobError(400, "BlockListTooLong", f"A block list may have at most {MAX_BLOCKS} blocks.")
    return [(each.text or "").strip() for each in root]


def list_document(container: str, blobs: list[Blob], query: Mapping[str, str], next_marker: str) -> bytes:
    """A page of the blobs of a container."""
    host = f"/{ACCOUNT}"
    rows = "".join(_list_row(each) for each in blobs)
    given = "".join(
        f"<{tag}>{_xml(query[name])}</{tag}>"
        for name, tag in (("prefix", "Prefix"), ("marker", "Marker"), ("maxresults", "MaxResults"))
        if query.get(name)
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="{host}" '
        f'ContainerName="{container}">{given}<Blobs>{rows}</Blobs><NextMarker>{_xml(next_marker)}</NextMarker>'
        "</EnumerationResults>"
    ).encode()


def _list_row(blob: Blob) -> str:
    return (
        f"<Blob><Name>{_xml(blob.name)}</Name><Properties>"
        f"<Creation-Time>{http_date(blob.modified_at)}</Creation-Time>"
        f"<Last-Modified>{http_date(blob.modified_at)}</Last-Modified><Etag>{blob.etag}</Etag>"
        f"<Content-Length>{blob.size_bytes}</Content-Length>"
        f"<Content-Type>{_xml(blob.properties.content_type)}</Content-Type><BlobType>BlockBlob</BlobType>"
        "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties></Blob>"
    )


def _xml(text: str) -> str:
    return escape(_FORBIDDEN_IN_XML.sub("?", text), {'"': "&quot;"})
