"""/devices: the registry."""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from azext_iotjobs.localhub.address import Address
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import (
    ARGUMENT_INVALID,
    DEVICE_ALREADY_EXISTS,
    DEVICE_NOT_FOUND,
    PRECONDITION_FAILED,
    HubError,
)
from azext_iotjobs.localhub.http.asked import Answer, Asked, check_etag, member
from azext_iotjobs.localhub.http.documents import identity_document
from azext_iotjobs.localhub.policies import new_key
from azext_iotjobs.localhub.rules.etags import identity_etag
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.identities import DISABLED, ENABLED, Identities, Identity

DEVICE_ID = re.compile(r"[A-Za-z0-9\-.+%_#*?!(),:;=@$']{1,128}")
KEY_BYTES = (16, 64)
SIGN_IN = ("sas", "selfSigned", "certificateAuthority")
MAX_LISTED = 1000
MAX_STATUS_REASON = 128


class IdentityRoutes:
    """Create, read, update, delete and list devices."""

    def __init__(self, identities: Identities, links: Links, clock: HubClock) -> None:
        self._identities = identities
        self._links = links
        self._clock = clock

    async def get(self, asked: Asked) -> Answer:
        """GET /devices/{id}"""
        identity = self._existing(asked.path["id"])
        return _answer(identity)

    async def list(self, asked: Asked) -> Answer:
        """GET /devices?top="""
        text = asked.query.get("top", "")
        asked_for = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else MAX_LISTED
        count = (
            asked_for if 1 <= asked_for <= MAX_LISTED else MAX_LISTED
        )  # anything else means "as many as there may be"
        return Answer(document=[identity_document(each) for each in self._identities.first(count)])

    async def put(self, asked: Asked) -> Answer:
        """PUT /devices/{id}: creates without If-Match, updates with it."""
        device_id, document, etag = asked.path["id"], asked.document(), asked.etag()
        _check_device_id(device_id, document)
        if etag is None:
            return _answer(self._create(device_id, document))
        return _answer(self._update(device_id, document, etag))

    async def delete(self, asked: Asked) -> Answer:
        """DELETE /devices/{id}: If-Match is mandatory."""
        identity = self._existing(asked.path["id"])
        etag = asked.etag()
        if etag is None:
            raise HubError(PRECONDITION_FAILED, "Precondition failed: the If-Match header with an ETag is missing.")
        check_etag(etag, identity_etag(identity.etag))
        self._identities.delete(identity.device_id)
        self._links.drop(Address(identity.device_id))
        self._links.forget_filters(Address(identity.device_id))
        return Answer(status=204)

    async def statistics(self, _asked: Asked) -> Answer:
        """GET /statistics/devices"""
        total, enabled = self._identities.count()
        return Answer(
            document={
                "totalDeviceCount": total,
                "enabledDeviceCount": enabled,
                "disabledDeviceCount": total - enabled,
            }
        )

    def _existing(self, device_id: str) -> Identity:
        identity = self._identities.get(device_id)
        if identity is None:
            raise HubError(DEVICE_NOT_FOUND, f"The device {device_id!a} is not registered.")
        return identity

    def _create(self, device_id: str, document: Mapping[str, Any]) -> Identity:
        if self._identities.get(device_id) is not None:
            raise HubError(DEVICE_ALREADY_EXISTS, f"A device with ID {device_id!a} is already registered.")
        now = render(self._clock.now())
        is_edge = _is_edge(document)
        scope, parents = _new_scopes(device_id, document, is_edge)
        identity = Identity(
            device_id=device_id,
            generation_id=str(secrets.randbelow(10**18)),
            etag=secrets.randbelow(10**9),
            status=_status(document, ENABLED),
            status_reason=_status_reason(document),
            sign_in="sas",
            is_edge=is_edge,
            device_scope=scope,
            parent_scopes=parents,
        )
        identity = replace(identity, **_sign_in(document))
        self._identities.create(identity, new_twin(now))
        return identity

    def _update(self, device_id: str, document: Mapping[str, Any], etag: str) -> Identity:
        old = self._existing(device_id)
        check_etag(etag, identity_etag(old.etag))
        status = _status(document, ENABLED)
        changed = replace(
            old,
            status=status,
            status_reason=_status_reason(document),
            status_updated_at=render(self._clock.now()) if status != old.status else old.status_updated_at,
            is_edge=_is_edge(document),
            **_sign_in(document),
            **_kept_scopes(old, document, _is_edge(document)),
        )
        saved = self._identities.save(changed)
        if saved.status == DISABLED:
            self._links.drop(Address(device_id))
        return saved


def _answer(identity: Identity) -> Answer:
    return Answer(document=identity_document(identity), headers={"ETag": f'"{identity_etag(identity.etag)}"'})


def _check_device_id(device_id: str, document: Mapping[str, Any]) -> None:
    if not DEVICE_ID.fullmatch(device_id):
        raise HubError(ARGUMENT_INVALID, "The device id may hold 1 to 128 letters, digits and -.+%_#*?!(),:;=@$'")
    named = member(document, "deviceId", str, device_id)
    if named != device_id:
        raise HubError(ARGUMENT_INVALID, "The device ids in the path and in the body differ.")


def _status(document: Mapping[str, Any], default: str) -> str:
    status = str(member(document, "status", str, default)).lower()
    if status not in (ENABLED, DISABLED):
        raise HubError(ARGUMENT_INVALID, "status must be enabled or disabled.")
    return status


def _status_reason(document: Mapping[str, Any]) -> str | None:
    reason: str | None = member(document, "statusReason", str)
    if reason is not None and len(reason) > MAX_STATUS_REASON:
        raise HubError(ARGUMENT_INVALID, f"statusReason may have at most {MAX_STATUS_REASON} characters.")
    return reason


def _is_edge(document: Mapping[str, Any]) -> bool:
    return bool(member(member(document, "capabilities", dict, {}), "iotEdge", bool, False))


def _sign_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say how the device signs in; keys that are not given are made, also in an update."""
    authentication = member(document, "authentication", dict, {})
    keys = member(authentication, "symmetricKey", dict, {})
    thumbprints = member(authentication, "x509Thumbprint", dict, {})
    prints = tuple(
        member(thumbprints, f"{which}Thumbprint", str) or member(thumbprints, f"{which.capitalize()}Thumbprint", str)
        for which in ("primary", "secondary")
    )
    sign_in = member(authentication, "type", str, "selfSigned" if any(prints) else "sas")
    if sign_in not in SIGN_IN:
        raise HubError(ARGUMENT_INVALID, f"authentication.type must be one of {', '.join(SIGN_IN)}.")
    fields: dict[str, Any] = {
        "sign_in": sign_in,
        "primary_key": None,
        "secondary_key": None,
        "primary_thumbprint": None,
        "secondary_thumbprint": None,
    }
    if sign_in == "sas":
        primary, secondary = (member(keys, f"{which}Key", str) or None for which in ("primary", "secondary"))
        if (primary is None) != (secondary is None):
            raise HubError(ARGUMENT_INVALID, "Both keys must be given, or neither.")
        fields["primary_key"] = _checked_key(primary) if primary else new_key()
        fields["secondary_key"] = _checked_key(secondary) if secondary else new_key()
    elif sign_in == "selfSigned":
        if not any(prints):
            raise HubError(ARGUMENT_INVALID, "A thumbprint is needed.")
        for thumbprint in filter(None, prints):
            if not re.fullmatch(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}", thumbprint):
                raise HubError(ARGUMENT_INVALID, "A thumbprint must be 40 or 64 hexadecimal digits.")
        fields["primary_thumbprint"], fields["secondary_thumbprint"] = prints
    return fields


def _checked_key(key: str) -> str:
    try:
        size = len(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not KEY_BYTES[0] <= size <= KEY_BYTES[1]:
        raise HubError(ARGUMENT_INVALID, f"A key must be base64 of {KEY_BYTES[0]} to {KEY_BYTES[1]} bytes.")
    return key


def _new_scopes(
    device_id: str, document: Mapping[str, Any], is_edge: bool
) -> tuple[str | None, tuple[str, ...]]:  # fmt: skip
    """An edge device gets a scope of its own; a leaf's is its parent's, which is mirrored into its parent scopes."""
    given: str | None = member(document, "deviceScope", str)
    parents = tuple(str(each) for each in member(document, "parentScopes", list, []))
    if is_edge:
        return f"ms-azure-iot-edge://{device_id}-{secrets.randbelow(10**18)}", parents
    return given, parents or ((given,) if given else ())


def _kept_scopes(old: Identity, document: Mapping[str, Any], is_edge: bool) -> dict[str, Any]:
    if is_edge and not old.is_edge:
        scope, parents = _new_scopes(old.device_id, document, is_edge)
        return {"device_scope": scope, "parent_scopes": parents}
    given: str | None = member(document, "deviceScope", str)
    if old.is_edge and given != old.device_scope:
        raise HubError(ARGUMENT_INVALID, "The deviceScope of an edge device cannot be changed.")
    parents = tuple(str(each) for each in member(document, "parentScopes", list, []))
    return {"device_scope": given, "parent_scopes": parents or ((given,) if given and not old.is_edge else ())}
