"""One of many calls to devices: whom it was for, what came of it, and what follows from that. Pure."""

from datetime import datetime
from enum import Enum

from azext_iotjobs.model.errors import (
    CannotConnect,
    Forbidden,
    HubAnswer,
    HubFault,
    IotJobsError,
    LinkError,
    NotTrusted,
    Throttled,
    Unauthorized,
)
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.method import DEVICE_CODES, MethodResponse
from azext_iotjobs.model.outcome import SuccessStatus
from azext_iotjobs.model.result import DeviceResult, error_class
from azext_iotjobs.model.twin import Twin

# Refusals that are about one device, under statuses that else mean the caller or the hub as a whole.
OF_ONE_DEVICE = (
    *DEVICE_CODES,
    "DeviceDisabled",
    "DeviceMaximumInflightMethodExceeded",
    "DeviceMaximumQueueDepthExceeded",
    "DeviceThrottlingLimitExceeded",
    "DeviceUnavailable",
)


Answer = MethodResponse | Twin | IotJobsError | None  # None: done, and nothing to be said of it


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that has ended."""

    address: Address
    began_at: datetime  # aware UTC
    ended_at: datetime
    answer: Answer


class Next(Enum):
    """What follows from a call's end."""

    KEEP = "its result stands"
    KEEP_AND_PAUSE = "its result stands, and the way to the hub is in trouble"
    SLOW_DOWN = "the hub has too much to do; nothing was done, the call is made again"
    TRY_AGAIN = "the hub was not reached; nothing was sent, the call is made again"
    END = "no other call would fare better"


def what_next(answer: Answer) -> Next:
    """What follows. A call that may have reached its device is never made again."""
    if isinstance(answer, HubAnswer) and answer.hub_code in OF_ONE_DEVICE:
        return Next.KEEP
    match answer:
        case Throttled():
            return Next.SLOW_DOWN
        case Unauthorized() | Forbidden() | NotTrusted():
            return Next.END
        case CannotConnect():
            return Next.TRY_AGAIN
        case LinkError() | HubFault() | HubAnswer(status=408):  # 408: of a gateway, which may have passed it on
            return Next.KEEP_AND_PAUSE
        case _:
            return Next.KEEP


def result_of(call: Call, success: SuccessStatus) -> DeviceResult:
    """A call's row; what the hub says of a device is in the words of a job's rows."""
    answer = call.answer
    code: str | None = None
    text: str | None = None
    method_status, payload, status = None, None, "completed"
    if isinstance(answer, MethodResponse):
        method_status, payload = answer.status, answer.payload
    elif isinstance(answer, IotJobsError):
        status = "failed"
        code = (answer.hub_code if isinstance(answer, HubAnswer) else None) or type(answer).__name__
        text = str(answer)
        if what_next(answer) is Next.KEEP_AND_PAUSE:
            text += " The device may have been called."
    return DeviceResult(
        device_id=call.address.device_id,
        module_id=call.address.module_id,
        status=status,
        error_class=error_class(status, code, text, method_status, success),
        error_code=code,
        error_text=text,
        method_status=method_status,
        payload=payload,
        started_at=call.began_at,
        finished_at=call.ended_at,
    )
