"""Identities of devices and modules: what the registry holds, and what a new one may be."""

from dataclasses import field
from enum import Enum
from typing import Any

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.ids import DEVICE, MODULE, Address, check_id
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import check_key
from azext_iotjobs.model.text import Field, Text

MAX_STATUS_REASON = 128  # characters, IoT Hub devguide "identity registry"


class SignIn(Enum):
    """How a device signs in; the value is the word that the hub uses."""

    SAS = "sas"
    THUMBPRINT = "selfSigned"
    CA = "certificateAuthority"


class WhichKey(Enum):
    """Which of the two keys is renewed."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    BOTH = "both"
    SWAP = "swap"  # none: the two are exchanged


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A registration; `document` is the hub's own."""

    device_id: str
    module_id: str | None  # of a module
    etag: str
    sign_in: str  # the word that the hub uses, which SignIn may not know
    primary_key: str | None = field(repr=False)
    secondary_key: str | None = field(repr=False)
    is_edge: bool
    is_enabled: bool  # modules always
    scope: str | None  # of an edge device: the parent scope of its children
    parent_scopes: tuple[str, ...]  # at most one
    document: dict[str, Any] = field(repr=False)

    @property
    def address(self) -> Address:
        """Which device or module it is."""
        return Address(self.device_id, self.module_id)


@dataclass(frozen=True, kw_only=True)
class NewIdentity:
    """A device or module to register. Raises UserError when its members do not fit together."""

    device_id: str
    module_id: str | None = None  # of a module, which is never an edge device or disabled and has no parent
    sign_in: SignIn = SignIn.SAS
    primary_key: str | None = field(default=None, repr=False)  # base64; both or neither
    secondary_key: str | None = field(default=None, repr=False)
    primary_thumbprint: str | None = None
    secondary_thumbprint: str | None = None
    is_edge: bool = False
    is_enabled: bool = True
    status_reason: str | None = None
    parent_scope: str | None = None

    def __post_init__(self) -> None:
        check_id(DEVICE, self.device_id, Field("device_id"))
        if self.module_id is not None:
            check_id(MODULE, self.module_id, Field("module_id"))
        check_keys(self.primary_key, self.secondary_key)
        if self.primary_key and self.sign_in is not SignIn.SAS:
            raise ConflictingChoice(
                Text.of("{primary_key} and {secondary_key} can only be used with {auth_method} shared_private_key.")
            )
        if self.sign_in is SignIn.THUMBPRINT and not self.primary_thumbprint:
            raise MissingChoice(
                Text.of("{auth_method} x509_thumbprint needs {primary_thumbprint}."),
                hint=Text.of("Give it, or {valid_days} to have a self-signed certificate made."),
            )
        if self.sign_in is not SignIn.THUMBPRINT and (self.primary_thumbprint or self.secondary_thumbprint):
            raise ConflictingChoice(Text.of("Thumbprints can only be used with {auth_method} x509_thumbprint."))
        check_status_reason(self.status_reason)


def check_keys(primary: str | None, secondary: str | None) -> None:
    """Raise unless both keys are given, or neither, and each is base64."""
    if (primary is None) != (secondary is None):
        raise MissingChoice(
            "Only one key was given.", hint=Text.of("Give both {primary_key} and {secondary_key}, or neither.")
        )
    if primary is not None and secondary is not None:
        check_key(primary, Field("primary_key"))
        check_key(secondary, Field("secondary_key"))


def check_status_reason(reason: str | None) -> None:
    """Raise BadValue for a reason that is too long for the registry."""
    if reason is not None and len(reason) > MAX_STATUS_REASON:
        raise BadValue(
            Text(Field("status_reason"), f" has {len(reason)} characters; at most {MAX_STATUS_REASON} are allowed.")
        )
