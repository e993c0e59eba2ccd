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
CONDITIONS = {
    errors.NOT_FOUND: conditions.NOT_FOUND,
    errors.DEVICE_NOT_FOUND: conditions.NOT_FOUND,
    errors.MODULE_NOT_FOUND: conditions.NOT_FOUND,
    errors.UNAUTHORIZED: conditions.UNAUTHORIZED_ACCESS,
    errors.UNAUTHORIZED_ACCESS: conditions.UNAUTHORIZED_ACCESS,
    errors.DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED: conditions.RESOURCE_LIMIT_EXCEEDED,
    errors.OPERATION_NOT_ALLOWED_IN_CURRENT_STATE: conditions.NOT_ALLOWED,
    errors.DEVICE_MESSAGE_LOCK_LOST: conditions.MESSAGE_LOCK_LOST,
    errors.MESSAGE_TOO_LARGE: conditions.MESSAGE_SIZE_EXCEEDED,
    errors.NOT_IMPLEMENTED: conditions.NOT_IMPLEMENTED,
}
BY_STATUS = {
    400: conditions.ARGUMENT_ERROR,
    404: conditions.NOT_FOUND,
    412: conditions.PRECONDITION_FAILED,
    429: conditions.DEVICE_CONTAINER_THROTTLED,
    503: conditions.TIMEOUT,  # what SDKs try again
    504: conditions.TIMEOUT,
}
Refusal = HubError | StoreUnavailable | StoreDamaged | DecodeError
REFUSALS = (HubError, StoreUnavailable, StoreDamaged, DecodeError)  # what may be raised of a client's request


class LinkError(Exception):
    """A link has to end; `error` is what its client is told."""

    def __init__(self, error: AmqpError) -> None:
        super().__init__(error.description)
        self.error = error


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
    return CONDITIONS.get(fault) or BY_STATUS.get(fault.http_status, conditions.INTERNAL_ERROR)
