"""Errors of the hub as AMQP tells them to clients.

Source: the conditions that Microsoft's SDKs translate into their own errors; the info map of AMQP errors of IoT Hub.
"""

import uuid

from azext_iotjobs.localhub import errors
from azext_iotjobs.localhub.amqp.wire import conditions
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError
from azext_iotjobs.localhub.amqp.wire.types import DecodeError, Symbol
from azext_iotjobs.localhub.errors import Fault, HubError, StoreDamaged, StoreUnavailable

TRACKING_ID, ERROR_CODE = Symbol("com.microsoft:tracking-id"), Symbol("com.microsoft:error-code")
BY_STATUS = {
    400: conditions.ARGUMENT_ERROR,
    401: conditions.UNAUTHORIZED_ACCESS,
    403: conditions.RESOURCE_LIMIT_EXCEEDED,  # of a device: its queue is full, too many calls are in flight
    404: conditions.NOT_FOUND,
    405: conditions.NOT_ALLOWED,
    412: conditions.PRECONDITION_FAILED,
    413: conditions.MESSAGE_SIZE_EXCEEDED,
    429: conditions.DEVICE_CONTAINER_THROTTLED,
    503: conditions.TIMEOUT,  # what SDKs try again
    504: conditions.TIMEOUT,
}
Refusal = HubError | StoreUnavailable | StoreDamaged | DecodeError
MAX_SHOWN = 200  # characters of what a client has sent, in an error
REFUSALS = (HubError, StoreUnavailable, StoreDamaged, DecodeError)  # what may be raised of a client's request


class LinkError(Exception):
    """A link has to end; `error` is what its client is told."""

    def __init__(self, error: AmqpError) -> None:
        super().__init__(error.description)
        self.error = error


def shown(value: object) -> str:
    """What a client has sent, for an error: in ASCII, texts in quotes, not long."""
    return ascii(value[:MAX_SHOWN]) if isinstance(value, str) else ascii(value)[:MAX_SHOWN]


def hub_error(err: Refusal) -> HubError:
    """What was raised, as an error that has a status."""
    match err:
        case HubError():
            return err
        case DecodeError():
            return HubError(errors.ARGUMENT_INVALID, f"The message cannot be read: {err}.")
        case StoreUnavailable():
            return HubError(errors.SERVICE_UNAVAILABLE, err.text)
        case StoreDamaged():
            return HubError(errors.SERVER_ERROR, err.text)


def amqp_error(err: Refusal) -> AmqpError:
    """What a client is told of an error."""
    refusal = hub_error(err)
    info = {TRACKING_ID: uuid.uuid4().hex.upper(), ERROR_CODE: refusal.fault.number}
    return AmqpError(condition_of(refusal.fault), refusal.text, info)


def condition_of(fault: Fault) -> str:
    """The condition by which clients know a kind of error."""
    if fault is errors.DEVICE_MESSAGE_LOCK_LOST:
        return conditions.MESSAGE_LOCK_LOST
    return BY_STATUS.get(fault.http_status, conditions.INTERNAL_ERROR)
