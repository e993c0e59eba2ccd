"""Response -> the error that its status stands for.

The hub words its errors in several shapes: a Message that is text, a Message that is itself JSON, or plain members.
The `iothub-errorcode` header is the one that can be relied on.
"""

import json
import re
from typing import Any

from azext_iotjobs.clients.advice import advice
from azext_iotjobs.model.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    HubAnswer,
    HubFault,
    NotFound,
    Throttled,
    Unauthorized,
)
from azext_iotjobs.model.text import printable
from azext_iotjobs.transport.http import Response, retry_after_s

ERROR_CODE = re.compile(r"ErrorCode:\s*([A-Za-z0-9]+)\s*;?\s*")
TRACKING = re.compile(r"Tracking ?ID:\s*([^\s;\"]+)", re.IGNORECASE)

KINDS: dict[int, type[HubAnswer]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    429: Throttled,
}


def error_of(response: Response) -> HubAnswer:
    """The error of a response whose status is not 2xx."""
    text, number, tracking_id = _read(response.body)
    named = ERROR_CODE.search(text)
    hub_code = response.headers.get("iothub-errorcode") or (named[1] if named else None)
    words = printable(ERROR_CODE.sub("", text, count=1)).strip() or "no reason was given"
    label = " ".join(str(part) for part in (response.status, hub_code, number) if part)
    kind = KINDS.get(response.status, HubFault if response.status >= 500 else BadRequest)
    tracking = f" (tracking id {printable(tracking_id)})" if tracking_id else ""
    more = advice(response.status, hub_code, response.request, response.headers.get("date"), words)
    return kind(
        f"The hub answered {label}: {words}{tracking}{more.fact_beside(words)}",
        status=response.status,
        hub_code=hub_code,
        tracking_id=tracking_id,
        retry_after_s=retry_after_s(response.headers),
        hint=more.hint,
    )


def _read(body: bytes) -> tuple[str, int | None, str | None]:
    """What an error body says: its words, its number, its tracking id."""
    text = body.decode("utf-8", "replace")
    outer = _members(text)
    if outer is None:
        return text, None, _tracking(text)
    message = str(outer.get("Message") or outer.get("message") or "")
    inner = _members(message) or outer
    words = str(inner.get("message") or inner.get("Message") or message)
    number = inner.get("errorCode")
    tracking_id = inner.get("trackingId") or _tracking(str(outer.get("ExceptionMessage") or "")) or _tracking(words)
    known_number = number if isinstance(number, int) else None
    return TRACKING.sub("", words), known_number, str(tracking_id) if tracking_id else None


def _members(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _tracking(text: str) -> str | None:
    found = TRACKING.search(text)
    return found[1] if found else None
