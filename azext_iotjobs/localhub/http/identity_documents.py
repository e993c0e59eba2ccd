"""Documents of identities -> checked values, for the registry's routes and the bulk route."""

from collections.abc import Mapping
from typing import Any

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.request import member
from azext_iotjobs.localhub.rules.identity import IdentitySpec, SignIn, SignInKind
from azext_iotjobs.localhub.rules.json_values import LONE_SURROGATE
from azext_iotjobs.localhub.store.identities import DISABLED, ENABLED


def identity_spec(document: Mapping[str, Any]) -> IdentitySpec:
    """An identity as a document describes it. Raises HubError 400."""
    return IdentitySpec(
        status=_status(document),
        status_reason=member(document, "statusReason", str),
        sign_in=_sign_in(document),
        is_edge=bool(member(member(document, "capabilities", dict, {}), "iotEdge", bool, False)),
        device_scope=member(document, "deviceScope", str),
        parent_scopes=tuple(_texts(document, "parentScopes")),
        managed_by=member(document, "managedBy", str),
    )


def check_ids(document: Mapping[str, Any], **ids: str) -> None:
    """Raise HubError 400 when the ids in the document differ from those in its path; they may be absent."""
    for name, value in ids.items():
        if member(document, name, str, value) != value:
            raise HubError(ARGUMENT_INVALID, f"The {name} in the path and in the body differ.")


def _status(document: Mapping[str, Any]) -> str:
    status = str(member(document, "status", str, ENABLED)).lower()
    if status not in (ENABLED, DISABLED):
        raise HubError(ARGUMENT_INVALID, "status must be enabled or disabled.")
    return status


def _sign_in(document: Mapping[str, Any]) -> SignIn:
    authentication = member(document, "authentication", dict, {})
    keys = member(authentication, "symmetricKey", dict, {})
    prints = member(authentication, "x509Thumbprint", dict, {})
    primary, secondary = (
        member(prints, f"{which}Thumbprint", str) or member(prints, f"{which.capitalize()}Thumbprint", str)
        for which in ("primary", "secondary")
    )
    default = SignInKind.SELF_SIGNED if primary or secondary else SignInKind.SAS
    kind = _kind(member(authentication, "type", str, default.value))
    return SignIn(
        kind=kind,
        primary_key=(member(keys, "primaryKey", str) or None) if kind is SignInKind.SAS else None,
        secondary_key=(member(keys, "secondaryKey", str) or None) if kind is SignInKind.SAS else None,
        primary_thumbprint=(primary or None) if kind is SignInKind.SELF_SIGNED else None,
        secondary_thumbprint=(secondary or None) if kind is SignInKind.SELF_SIGNED else None,
    )


def _kind(word: str) -> SignInKind:
    for each in SignInKind:
        if each.value == word:
            return each
    allowed = ", ".join(each.value for each in SignInKind)
    raise HubError(ARGUMENT_INVALID, f"authentication.type must be one of {allowed}.")


def _texts(document: Mapping[str, Any], name: str) -> list[str]:
    values: list[Any] = member(document, name, list, [])
    if not all(isinstance(each, str) and not LONE_SURROGATE.search(each) for each in values):
        raise HubError(ARGUMENT_INVALID, f"{name} must be a list of texts.")
    return values
