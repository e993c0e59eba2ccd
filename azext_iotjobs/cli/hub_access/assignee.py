"""Who az is signed in as -> what `az role assignment create` takes for it. Pure.

The object id comes from the token that was refused: it is right for guests too, whom a sign-in name does not find, and
for managed identities, of which az's profile has no id; and whoever types the line needs no right to search the
directory. Without one, a name of the profile stands.
Source: Microsoft identity platform, "access token claims reference": oid; az's help of `role assignment create`.
"""

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

SERVICE_PRINCIPAL = "servicePrincipal"  # in az's profile; else user
# How az's profile says by which id a managed identity was chosen; one that is the machine's own has none.
BY_CLIENT_ID, BY_OBJECT_ID = "MSIClient-", "MSIObject-"
PLACEHOLDER = "PRINCIPAL-ID"


class Assignee(NamedTuple):
    """Whom a role is assigned to."""

    name: str  # for people
    arguments: tuple[str, ...]  # of `az role assignment create`


def assignee_of(user: Mapping[str, Any], token: str | None) -> Assignee:
    """Whom a role has to be assigned to, so that whoever is signed in has it.

    user: of the account, as az's profile has it.  token: an access token of theirs; None: none is at hand.
    """
    name, identity = str(user.get("name") or ""), str(user.get("assignedIdentityInfo") or "")
    is_user = user.get("type") != SERVICE_PRINCIPAL
    if is_user:
        shown = name or "the user who is signed in"
    else:
        shown = f"managed identity {identity}" if identity else f"service principal {name}"
    object_id = _object_id(token) or (identity.removeprefix(BY_OBJECT_ID) if identity.startswith(BY_OBJECT_ID) else "")
    if object_id or (identity and not identity.startswith(BY_CLIENT_ID)) or not name:
        kind = "User" if is_user else "ServicePrincipal"
        arguments = ("--assignee-object-id", object_id or PLACEHOLDER, "--assignee-principal-type", kind)
        return Assignee(shown, arguments)
    return Assignee(shown, ("--assignee", identity.removeprefix(BY_CLIENT_ID) if identity else name))


def _object_id(token: str | None) -> str | None:
    """The object id in a token's claims; None of a token that shows none. Its signature is for the hub to check."""
    part = (token or "").split(".")[1:2]
    try:
        claims = json.loads(urlsafe_b64decode(part[0] + "=" * (-len(part[0]) % 4))) if part else None
        return str(UUID(claims["oid"])) if isinstance(claims, dict) else None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, binascii.Error):
        return None
