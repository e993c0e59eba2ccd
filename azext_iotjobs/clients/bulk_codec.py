"""Wire JSON <-> many identities in one request."""

import json
from collections.abc import Mapping
from typing import Any

from azext_iotjobs.clients.identity_codec import render_new_identity, render_sign_in
from azext_iotjobs.model.bulk import BulkFailure, BulkResult, NewDevice
from azext_iotjobs.model.identity import Identity, NewIdentity
from azext_iotjobs.model.text import printable

KEPT = ("capabilities", "deviceScope", "parentScopes")  # of a record that is replaced: what is left out is removed


def render_creation(new: NewDevice) -> dict[str, Any]:
    """The item that registers a device with its tags, if there is none of its id."""
    body = render_new_identity(new.identity)
    return {"id": body.pop("deviceId"), "importMode": "create", **body, "tags": dict(new.tags)}


def render_change(now: Identity, new: NewIdentity) -> dict[str, Any]:
    """The item that gives a device the status and the sign-in of `new`, if its identity still has the etag of `now`."""
    kept = {name: now.document[name] for name in KEPT if now.document.get(name) is not None}
    return {
        "id": now.device_id,
        "importMode": "updateIfMatchETag",
        "eTag": now.etag,
        **kept,
        "status": "enabled" if new.is_enabled else "disabled",
        **({} if new.status_reason is None else {"statusReason": new.status_reason}),
        "authentication": render_sign_in(
            new.sign_in,
            keys=(new.primary_key, new.secondary_key),
            thumbprints=(new.primary_thumbprint, new.secondary_thumbprint),
        ),
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
