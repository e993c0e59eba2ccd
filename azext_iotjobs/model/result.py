"""What a job did to one device, as a row that people and programs read. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from azext_iotjobs.model.errors import HAS_LEFT
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.outcome import SuccessStatus


class ErrorClass(Enum):
    """Why a device failed, in a word that one can act on."""

    OFFLINE = "offline"  # was not there, or not until the deadline: it was not operated
    TIMEOUT = "timeout"  # was there and did not answer: it may have been operated
    THROTTLED = "throttled"  # the hub had too much to do
    NOT_FOUND = "not-found"  # is not, or no longer, in the registry
    REJECTED = "rejected"  # answered, with a status that does not mean success
    NOT_VERIFIED = "not-verified"  # was operated, and does not report what it has to
    OTHER = "other"


OF_JOBS = tuple(each for each in ErrorClass if each is not ErrorClass.NOT_VERIFIED)  # what a hub's job can tell

BY_CODE = {
    "DeviceNotOnline": ErrorClass.OFFLINE,
    "JobRunPreconditionFailed": ErrorClass.OFFLINE,
    "GatewayTimeout": ErrorClass.TIMEOUT,
    "GenericTimeout": ErrorClass.TIMEOUT,
    "DeviceNotFound": ErrorClass.NOT_FOUND,
    "ModuleNotFound": ErrorClass.NOT_FOUND,
}
FAILED = ("failed", "canceled", "cancelled")
ENDED = ("completed", *FAILED)


@dataclass(frozen=True, kw_only=True)
class DeviceResult:
    """One row; what there is not is None."""

    device_id: str
    module_id: str | None
    status: str  # the hub's word
    error_class: ErrorClass | None  # None: the device has not failed
    error_code: str | None  # the hub's word
    error_text: str | None
    method_status: int | None
    payload: Any  # of the device's answer; None also for an answer of null
    started_at: datetime | None  # the job's start
    finished_at: datetime | None
    batch: int | None = None  # of a fleet job's run, 1 or more
    tries: int | None = None  # that a fleet job's run made
    is_deleted: bool | None = None  # whether the device is gone from the registry; None: nobody has looked
    verified_at: datetime | None = None  # when its twin was seen to say that it was operated
    reported: Mapping[str, Any] | None = None  # the members of its twin that verification looks at, as last seen
    offline_since: datetime | None = None  # when it was found offline, and began to wait; None: it did not
    waits_until: datetime | None = None  # it waits to connect, until then

    @property
    def duration_s(self) -> float | None:
        """Seconds from the job's start to the device's end."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())


def error_class(
    status: str, code: str | None, text: str | None, method_status: int | None, success: SuccessStatus
) -> ErrorClass | None:
    """Why a device failed; None when it has not.

    status: of its row.  code, text: the error's, None without one.
    method_status: what it answered, None without an answer.
    """
    if code == "DeviceNotOnline" and HAS_LEFT in (text or "").lower():
        return ErrorClass.TIMEOUT
    if code is not None:
        return BY_CODE.get(code, ErrorClass.THROTTLED if "throttl" in code.lower() else ErrorClass.OTHER)
    if method_status is not None and method_status not in success:
        return ErrorClass.REJECTED
    return ErrorClass.OTHER if status.lower() in FAILED else None


@dataclass(frozen=True)
class ResultPage:
    """Some rows, and the token of the next page."""

    rows: list[DeviceResult]
    next_token: str  # "" on the last page
