"""A device that a run is to operate, and how one attempt at that ended. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.when_online import OfflineWait


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A device that is to be operated now."""

    seq: int  # its number in the run
    device_id: str
    module_id: str | None
    tries: int  # made before
    was_cut_off: bool = False  # the last attempt broke off: it may have taken effect, and that is checked
    wait: OfflineWait | None = None  # how it waited to connect; None: it was not offline


@dataclass(frozen=True, kw_only=True)
class AttemptResult:
    """How an attempt ended."""

    seq: int
    state: DeviceState  # VERIFYING, WAITING, COMPLETED, FAILED, UNCERTAIN
    tries: int  # made so far, this one included; but for one after which the device waits to connect
    began_at: datetime
    ended_at: datetime
    error_class: ErrorClass | None = None
    error_code: str | None = None
    error_text: str | None = None
    method_status: int | None = None
    payload: Any = None
    has_payload: bool = False  # null is an answer too
    due_at: datetime | None = None  # FAILED: tried again in its batch then, and pending until it is
    verify_by: datetime | None = None  # VERIFYING: it has failed if it is not seen to report so after that
    wait: OfflineWait | None = None  # WAITING: how it waits to connect


@dataclass(frozen=True, kw_only=True)
class VerifiedAttempt:
    """What a look at the twin of a device has decided that was verifying; the attempt's own result stays."""

    seq: int
    state: DeviceState  # WAITING, COMPLETED, FAILED
    reported: Mapping[str, Any] | None  # None: there was no twin
    verified_at: datetime | None = None  # COMPLETED: when that was seen
    error_class: ErrorClass | None = None
    error_code: str | None = None
    error_text: str | None = None
    due_at: datetime | None = None  # as above
    wait: OfflineWait | None = None  # WAITING: it is not connected; its time for verification begins anew once it is
