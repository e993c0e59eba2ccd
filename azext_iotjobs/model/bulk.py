"""Many identities in one request: what is to be made, and what became of each."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from azext_iotjobs.model.identity import Identity, NewIdentity
from azext_iotjobs.model.late_dataclass import dataclass

MAX_IN_BULK = 100  # devices in one request, IoT Hub REST "bulk registry"

# A hub's word, or the number that older ones have for it (IoT Hub "troubleshoot error codes").
ALREADY_EXISTS = ("DeviceAlreadyExists", "409001")
NOT_FOUND = ("DeviceNotFound", "404001")
HAS_CHANGED = ("PreconditionFailed", "412001")
THROTTLED = ("ThrottlingException", "ThrottlingBacklogTimeout", "429001", "429002")


@dataclass(frozen=True, kw_only=True)
class NewDevice:
    """A device to register, with its tags."""

    identity: NewIdentity  # of a device, not of a module
    tags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def device_id(self) -> str:
        """Its id."""
        return self.identity.device_id


@dataclass(frozen=True, kw_only=True)
class IdentityChange:
    """What becomes of a device that is registered, if it still has the etag with which it was read."""

    now: Identity
    sign_in: NewIdentity | None = None  # what it is to sign in with; None: as now
    status: NewIdentity | None = None  # whether it may connect, and why not; None: as now


@dataclass(frozen=True, kw_only=True)
class BulkFailure:
    """An item that was not carried out."""

    device_id: str
    code: str  # the hub's word, or a number
    reason: str


@dataclass(frozen=True, kw_only=True)
class BulkResult:
    """What became of a request's items: all but these were carried out."""

    failures: tuple[BulkFailure, ...] = ()
    without_twin: tuple[str, ...] = ()  # registered, but the hub could not make the twin that the tags belong into
