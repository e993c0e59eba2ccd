"""What an import or export job of the registry is to do, and a signature for the container that it uses. Pure."""

import base64
import hashlib
import hmac
from dataclasses import field
from datetime import datetime
from urllib.parse import quote

from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.job import JobType
from azext_iotjobs.model.late_dataclass import dataclass

SAS_VERSION = "2021-04-10"  # the lines that are signed depend on it
CONTAINER_PERMISSIONS = "rwdl"  # of the container that a job reads or writes; it removes what an earlier one wrote


@dataclass(frozen=True, kw_only=True)
class RegistryTransfer:
    """An import or export. URIs of containers hold signatures, which no text shows."""

    kind: JobType  # JobType.IMPORT | JobType.EXPORT
    output_uri: str = field(repr=False)  # of an import: for its log of errors
    input_uri: str | None = field(default=None, repr=False)  # of an import
    includes_keys: bool = False  # of an export
    is_by_identity: bool = False  # the hub signs in to the storage account with an identity of its own
    user_identity: str | None = None  # resource id of one that users made; None: the hub's own


def container_signature(account: str, key: str, container: str, expires_at: datetime) -> str:
    """A query that lets its bearer use a container.

    account: the storage account's name.  key: its key, base64.  expires_at: aware.
    Raises BadValue for a key that is not base64.
    Source: Azure Storage "create a service SAS", string to sign of 2020-12-06 and later.
    """
    expiry = render_instant(expires_at)
    fields = {"sp": CONTAINER_PERMISSIONS, "se": expiry, "spr": "https", "sv": SAS_VERSION, "sr": "c"}
    resource = f"/blob/{account}/{container}"
    before = [CONTAINER_PERMISSIONS, "", expiry, resource, "", "", "https", SAS_VERSION, "c"]
    lines = [*before, *[""] * 7]  # snapshot, encryption scope, and five headers of responses
    try:
        secret = base64.b64decode(key, validate=True)
    except ValueError as err:
        raise BadValue("The key of the storage account is not base64.") from err
    signature = base64.b64encode(hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).digest()).decode()
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in {**fields, "sig": signature}.items())
