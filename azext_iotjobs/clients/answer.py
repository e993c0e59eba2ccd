"""Response -> JSON document; what is none of success is told by refusal.py."""

import json
from typing import Any

from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.transport.http import Response

MAX_SHOWN_CHARACTERS = 500


def document(response: Response) -> Any:
    """The JSON that a successful response holds; None for an empty body.

    Raises the HubAnswer that the status stands for.
    """
    if not 200 <= response.status < 300:
        from azext_iotjobs.clients.refusal import error_of  # here, so that what goes well starts quickly

        raise error_of(response)
    if not response.body.strip():
        return None
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError) as err:
        raise HubFault(
            "The hub's answer is not JSON.", status=response.status, hint="Is this an IoT Hub? Proxies answer so, too."
        ) from err


def json_object(document: Any) -> dict[str, Any]:
    """A document that must be an object. Raises HubFault."""
    if not isinstance(document, dict):
        raise HubFault("The hub's answer is not the JSON object that was expected.", status=200)
    return document


def printable(text: str) -> str:
    """A text of the hub's or a device's as it may stand on a terminal: one line, no control characters, not long."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= MAX_SHOWN_CHARACTERS else f"{line[:MAX_SHOWN_CHARACTERS]}…"
