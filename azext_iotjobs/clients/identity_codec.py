"""Wire JSON <-> identities of devices and modules. Records are kept as the hub sent them, and are sent back whole."""

import json
from collections.abc import Iterable
from typing import Any

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.identity import Identity, NewIdentity, SignIn, WhichKey
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.key_renewal import NotRenewed, Renewal

RENEWED = {WhichKey.PRIMARY: "primaryKey", WhichKey.SECONDARY: "secondaryKey", WhichKey.BOTH: "both"}


def render_new_identity(new: NewIdentity) -> dict[str, Any]:
    """The body that registers a device or a module."""
    sign_in = render_own_sign_in(new)
    if new.module_id is not None:
        return {"deviceId": new.device_id, "moduleId": new.module_id, "authentication": sign_in}
    body: dict[str, Any] = {
        "deviceId": new.device_id,
        **render_status(new),
        "capabilities": {"iotEdge": new.is_edge},
        "authentication": sign_in,
    }
    if new.parent_scope is not None:
        # A leaf names its parent's scope as its own; an edge device has its own and names the parent's beside it.
        body.update({"parentScopes": [new.parent_scope]} if new.is_edge else {"deviceScope": new.parent_scope})
    return body


def render_status(new: NewIdentity) -> dict[str, Any]:
    """The members of an identity that say whether a device may connect, and why not."""
    reason = {} if new.status_reason is None else {"statusReason": new.status_reason}
    return {"status": "enabled" if new.is_enabled else "disabled", **reason}


def render_own_sign_in(new: NewIdentity) -> dict[str, Any]:
    """The `authentication` member of a new identity."""
    return render_sign_in(
        new.sign_in,
        keys=(new.primary_key, new.secondary_key),
        thumbprints=(new.primary_thumbprint, new.secondary_thumbprint),
    )


def render_sign_in(
    sign_in: SignIn, *, keys: tuple[str | None, str | None], thumbprints: tuple[str | None, str | None]
) -> dict[str, Any]:
    """The `authentication` member of an identity; keys that are None are made by the hub."""
    member: dict[str, Any] = {"type": sign_in.value}
    if sign_in is SignIn.SAS and keys[0] is not None:
        member["symmetricKey"] = {"primaryKey": keys[0], "secondaryKey": keys[1]}
    if sign_in is SignIn.THUMBPRINT:
        member["x509Thumbprint"] = {"primaryThumbprint": thumbprints[0], "secondaryThumbprint": thumbprints[1]}
    return member


def render_with_keys(identity: Identity, primary: str, secondary: str) -> dict[str, Any]:
    """The record of an identity that signs in with keys, with these keys."""
    sign_in = render_sign_in(SignIn.SAS, keys=(primary, secondary), thumbprints=(None, None))
    return {**identity.document, "authentication": sign_in}


def render_with_parent(child: Identity, scope: str | None) -> dict[str, Any]:
    """The record of a device with the parent that has `scope`; None: without a parent."""
    if child.is_edge:
        return {**child.document, "parentScopes": [] if scope is None else [scope]}
    # A leaf's parentScopes are the hub's mirror of its deviceScope: it makes them anew.
    rest = {name: value for name, value in child.document.items() if name != "parentScopes"}
    return {**rest, "deviceScope": scope or ""}


def parse_identity(document: Any) -> Identity:
    """A registry record as the hub shows it."""
    body = json_object(document)
    authentication = body.get("authentication") or {}
    keys = authentication.get("symmetricKey") or {}
    is_edge = bool((body.get("capabilities") or {}).get("iotEdge"))
    own_scope = body.get("deviceScope") or None
    # Hubs of older versions show a leaf's parent in deviceScope alone.
    parents = body.get("parentScopes") or ([] if is_edge or own_scope is None else [own_scope])
    return Identity(
        device_id=str(body.get("deviceId")),
        module_id=None if body.get("moduleId") is None else str(body["moduleId"]),
        etag=str(body.get("etag")),
        sign_in=str(authentication.get("type")),
        primary_key=keys.get("primaryKey"),
        secondary_key=keys.get("secondaryKey"),
        is_edge=is_edge,
        is_enabled=body.get("status") != "disabled",
        scope=own_scope if is_edge else None,
        parent_scopes=tuple(map(str, parents)),
        document=body,
    )


def thumbprints_of(identity: Identity) -> tuple[str | None, str | None]:
    """The thumbprints that a device or module signs in with; None where it has none."""
    return thumbprints_in((identity.document.get("authentication") or {}).get("x509Thumbprint"))


def thumbprints_in(member: Any) -> tuple[str | None, str | None]:
    """The thumbprints in the member of an identity or a twin that holds them, which twins spell in another way."""
    found = member if isinstance(member, dict) else {}
    primary, secondary = (
        found.get(f"{which}Thumbprint") or found.get(f"{which.capitalize()}Thumbprint")
        for which in ("primary", "secondary")
    )
    return primary, secondary


def render_renewal(which: WhichKey, addresses: Iterable[Address]) -> dict[str, Any]:
    """The body that has the hub make keys of many identities anew."""
    if which not in RENEWED:
        raise BadValue(f"Keys of many identities cannot be renewed by {which.value}.")
    return {"policyKey": RENEWED[which], "devices": [_render_address(each) for each in addresses]}


def read_renewal(content: bytes) -> Renewal | None:
    """What became of it, identity by identity; None for a body that does not say so."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not body.keys() & {"rotatedKeys", "errors"}:
        return None
    return Renewal(
        renewed=tuple(_objects(body.get("rotatedKeys"))),
        failed=tuple(
            NotRenewed(
                address=Address(str(each.get("deviceId") or each.get("id")), each.get("moduleId")),
                reason=str(each.get("errorStatus") or each.get("errorCode")),
                document=each,
            )
            for each in _objects(body.get("errors"))
        ),
    )


def render_renewal_result(which: WhichKey, renewal: Renewal) -> dict[str, Any]:
    """The results of all requests as one, as the hub words one."""
    return {
        "policyKey": RENEWED[which],
        "errors": [each.document for each in renewal.failed],
        "rotatedKeys": list(renewal.renewed),
    }


def _render_address(address: Address) -> dict[str, str]:
    module = {} if address.module_id is None else {"moduleId": address.module_id}
    return {"id": address.device_id, **module}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value or [] if isinstance(each, dict)]
