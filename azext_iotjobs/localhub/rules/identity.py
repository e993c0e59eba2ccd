"""Rules of identities: ids, authentication, scopes, etags. Pure: random keys and numbers are arguments.

Source: IoT Hub devguide "identity registry"; observed refusals of live hubs.
"""

import base64
import binascii
import re
from collections.abc import Sized
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote

from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, Fault, HubError
from azext_iotjobs.localhub.rules.address import Address

ID = re.compile(r"[A-Za-z0-9\-.+%_#*?!(),:;=@$']{1,128}")
# HTTP libraries remove these from a path before they send it [RFC 3986 5.2.4], also where a dot is percent-encoded:
# a device with such an id could not be addressed, and requests for it would reach something else.
DOT_SEGMENTS = (".", "..")
LONGEST_DOT_SEGMENT = len("%2e%2e")
KEY_BYTES = (16, 64)
MAX_STATUS_REASON = 128
SYSTEM_MODULES = ("$edgeAgent", "$edgeHub")
MAX_MODULES = 50  # of one device, beside the system's [IoT Hub quotas]
SCOPE_PREFIX = "ms-azure-iot-edge://"
THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")  # SHA-1 or SHA-256


class SignInKind(Enum):
    """How a device or module signs in; the value is the service's."""

    SAS = "sas"
    SELF_SIGNED = "selfSigned"
    AUTHORITY = "certificateAuthority"
    NONE = "none"  # only for the system modules of an edge device


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """How a device or module signs in; keys of None are generated."""

    kind: SignInKind = SignInKind.SAS
    primary_key: str | None = field(default=None, repr=False)
    secondary_key: str | None = field(default=None, repr=False)
    primary_thumbprint: str | None = None
    secondary_thumbprint: str | None = None

    def __post_init__(self) -> None:
        if (self.primary_key is None) != (self.secondary_key is None):
            raise HubError(ARGUMENT_INVALID, "Both keys must be given, or neither.")
        for key in filter(None, (self.primary_key, self.secondary_key)):
            _check_key(key)
        prints = [each for each in (self.primary_thumbprint, self.secondary_thumbprint) if each]
        if self.kind is SignInKind.SELF_SIGNED and not prints:
            raise HubError(ARGUMENT_INVALID, "A thumbprint is needed.")
        if not all(THUMBPRINT.fullmatch(each) for each in prints):
            raise HubError(ARGUMENT_INVALID, "A thumbprint must be 40 or 64 hexadecimal digits.")


@dataclass(frozen=True, kw_only=True)
class IdentitySpec:
    """The identity that a request describes, checked."""

    status: str  # enabled or disabled
    status_reason: str | None
    sign_in: SignIn
    is_edge: bool
    device_scope: str | None
    parent_scopes: tuple[str, ...]
    managed_by: str | None  # of a module

    def __post_init__(self) -> None:
        if self.status_reason is not None and len(self.status_reason) > MAX_STATUS_REASON:
            raise HubError(ARGUMENT_INVALID, f"statusReason may have at most {MAX_STATUS_REASON} characters.")


def edge_module_spec() -> IdentitySpec:
    """The identity of a new module that a deployment manages."""
    return IdentitySpec(
        status="enabled",
        status_reason=None,
        sign_in=SignIn(),
        is_edge=False,
        device_scope=None,
        parent_scopes=(),
        managed_by="iotEdge",
    )


def is_id(text: str) -> bool:
    """Whether a device or module may have this id; ids of system modules included."""
    return ID.fullmatch(text) is not None and not is_dot_segment(text)


def possible_address(device_id: str, module_id: str | None = None) -> Address | None:
    """The address that a client's texts say; None where no device or module can have such an id."""
    if not is_id(device_id) or (module_id is not None and not is_id(module_id)):
        return None
    return Address(device_id, module_id)


def is_dot_segment(text: str) -> bool:
    """Whether HTTP libraries would remove a text from a path."""
    return len(text) <= LONGEST_DOT_SEGMENT and unquote(text) in DOT_SEGMENTS


def check_device_id(device_id: str) -> None:
    """Raise HubError 400 for an id that no device can have."""
    _check_id(device_id, "device")


def check_module_id(module_id: str) -> None:
    """Raise HubError 400 for an id that no module can have."""
    _check_id(module_id, "module")


def check_new_module_id(module_id: str) -> None:
    """Raise HubError 400 for an id that a module may not be given."""
    check_module_id(module_id)
    if module_id.startswith("$"):
        raise HubError(ARGUMENT_INVALID, "A module id that begins with $ is the system's own.")


def check_module_count(modules: Sized, fault: Fault) -> None:
    """Raise HubError of a kind for more modules than a device may have."""
    if len(modules) > MAX_MODULES + len(SYSTEM_MODULES):
        raise HubError(fault, f"A device may have at most {MAX_MODULES} modules beside the system's own.")


def _check_id(text: str, what: str) -> None:
    if not is_id(text):
        raise HubError(
            ARGUMENT_INVALID,
            f"{text[:130]!a} is not a {what} id: it may hold 1 to 128 letters, digits and -.+%_#*?!(),:;=@$', "
            "and be neither . nor .., percent-encoded or not.",
        )


def identity_etag(counter: int) -> str:
    """An identity's etag, as the service writes it: base64 of a decimal number."""
    return base64.b64encode(str(counter).encode()).decode()


def own_scope(device_id: str, number: int) -> str:
    """The scope of a new edge device; `number` makes it unique."""
    return f"{SCOPE_PREFIX}{device_id}-{number}"


def is_own_scope(device_id: str, scope: str) -> bool:
    """Whether a scope is one that `own_scope` makes for a device: not that of pump-1 for pump."""
    before = own_scope(device_id, 0)[:-1]
    return scope.startswith(before) and scope[len(before) :].isdecimal()


def _check_key(key: str) -> None:
    try:
        size = len(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not KEY_BYTES[0] <= size <= KEY_BYTES[1]:
        raise HubError(ARGUMENT_INVALID, f"A key must be base64 of {KEY_BYTES[0]} to {KEY_BYTES[1]} bytes.")
