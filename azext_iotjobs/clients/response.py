"""Response -> JSON document; errors.py turns everything but a success into an error."""

import json
from typing import TYPE_CHECKING, Any

from azext_iotjobs.model.errors import HubFault

if TYPE_CHECKING:  # what shows a method of a fleet job sends nothing
    from azext_iotjobs.transport.http import Response


def content(response: "Response") -> bytes:
    """The body of a successful response. Raises the HubAnswer that the status stands for."""
    if not 200 <= response.status < 300:
        from azext_iotjobs.clients.errors import error_of  # here, so that what goes well starts quickly

        raise error_of(response)
    return response.body


def document(response: "Response") -> Any:
    """The JSON that a successful response holds; None for an empty body.

    Raises the HubAnswer that the status stands for.
    """
    body = content(response)
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as err:
        raise HubFault(
            "The hub's answer is not JSON.",
            status=response.status,
            hint="Is this an IoT Hub? A proxy may also answer like this.",
        ) from err


def json_object(document: Any) -> dict[str, Any]:
    """A document that must be an object. Raises HubFault."""
    if not isinstance(document, dict):
        raise HubFault("The hub's answer is not the JSON object that was expected.", status=200)
    return document
