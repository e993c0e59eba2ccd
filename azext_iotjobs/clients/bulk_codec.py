"""Wire JSON <-> many identities in one request."""

import json
from collections.abc import Mapping
from typing import Any

from azext_iotjobs.clients.identity_codec import render_new_identity, render_own_sign_in, render_status
from azext_iotjobs.model.bulk import BulkFailure, BulkResult, IdentityChange, NewDevice
from azext_iotjobs.model.text import printable

# Of a record that is replaced: what is left out is removed, or made anew.
KEPT = ("status", "statusReason", "authentication", "capabilities", "deviceScope", "parentScopes")


def render_creation(new: NewDevice) -> dict[str, Any]:
    """The item that registers a device with its tags, if there is none of its id."""
    body = render_new_identity(new.identity)
    return {"id": body.pop("deviceId"), "importMode": "create", **body, "tags": dict(new.tags)}


def render_change(change: IdentityChange) -> dict[str, Any]:
    """The item that changes the status and the sign-in of a device, if its identity still has the etag of `now`."""
    document = change.now.document
    kept = {name: document[name] for name in KEPT if document.get(name) is not None}
    return {"id": change.now.device_id, "importMode": "updateIfMatchETag", "eTag": change.now.etag, **kept} | {
        **({} if change.status is None else render_status(change.status)),
        **({} if change.sign_in is None else {"authentication": render_own_sign_in(change.sign_in)}),
    }


def render_deletion(device_id: str, etag: str) -> dict[str, Any]:
    """The item that removes a device, if its identity still has `etag`."""
    return {"id": device_id, "importMode": "deleteIfMatchETag", "eTag": etag}


def render_tags(device_id: str, tags: Mapping[str, Any]) -> dict[str, Any]:
    """The item that merges `tags` into a device's twin."""
    return {"id": device_id, "importMode": "updateTwin", "tags": dict(tags)}


def read_bulk_result(content: bytes) -> BulkResult | None:
    """What became of each item; None for a body that does not say so."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or "isSuccessful" not in body or not isinstance(body.get("errors") or [], list):
        return None
    return BulkResult(
        failures=tuple(_failure(each) for each in body.get("errors") or [] if isinstance(each, dict)),
        without_twin=tuple(
            str(each.get("deviceId"))
            for each in body.get("warnings") or []
            if isinstance(each, dict) and each.get("warningCode") == "DeviceRegisteredWithoutTwin"
        ),
    )


def _failure(error: dict[str, Any]) -> BulkFailure:
    return BulkFailure(
        device_id=str(error.get("deviceId")),
        code=str(error.get("errorCode")),
        reason=printable(str(error.get("errorStatus") or error.get("errorCode"))),
    )
