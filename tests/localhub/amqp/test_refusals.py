"""Each kind of error has the condition by which SDKs know it."""

from typing import Any

import pytest

from azext_iotjobs.localhub import errors
from azext_iotjobs.localhub.amqp.refusals import ERROR_CODE, TRACKING_ID, amqp_error
from azext_iotjobs.localhub.amqp.wire.types import DecodeError
from azext_iotjobs.localhub.errors import Fault, HubError, StoreDamaged, StoreUnavailable

FAULTS = [each for each in vars(errors).values() if isinstance(each, Fault)]


@pytest.mark.parametrize(
    ("fault", "condition"),
    [
        (errors.DEVICE_NOT_FOUND, "amqp:not-found"),
        (errors.MODULE_NOT_FOUND, "amqp:not-found"),
        (errors.UNAUTHORIZED, "amqp:unauthorized-access"),
        (errors.UNAUTHORIZED_ACCESS, "amqp:unauthorized-access"),
        (errors.DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED, "amqp:resource-limit-exceeded"),
        (errors.MESSAGE_TOO_LARGE, "amqp:link:message-size-exceeded"),
        (errors.ARGUMENT_INVALID, "com.microsoft:argument-error"),
        (errors.GENERIC_BAD_REQUEST, "com.microsoft:argument-error"),
        (errors.DEVICE_MESSAGE_LOCK_LOST, "com.microsoft:message-lock-lost"),
        (errors.PRECONDITION_FAILED, "com.microsoft:precondition-failed"),
        (errors.THROTTLING_BACKLOG_TIMEOUT, "com.microsoft:device-container-throttled"),
        (errors.SERVER_ERROR, "amqp:internal-error"),
        (errors.GATEWAY_TIMEOUT, "com.microsoft:timeout"),
    ],
)
def test_a_fault_has_its_condition(fault: Fault, condition: str) -> None:
    told = amqp_error(HubError(fault, "Because."))
    assert (told.condition, told.description) == (condition, "Because.")
    assert told.info is not None and told.info[ERROR_CODE] == fault.number and len(told.info[TRACKING_ID]) == 32


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_has_a_condition(fault: Fault) -> None:
    condition = amqp_error(HubError(fault, "Because.")).condition
    assert condition.startswith(("amqp:", "com.microsoft:"))
    assert (condition == "amqp:internal-error") == (fault.http_status in (409, 500, 502))


@pytest.mark.parametrize(
    ("raised", "condition", "number"),
    [
        (StoreUnavailable("the disk is full"), "com.microsoft:timeout", 503001),
        (StoreDamaged("A row cannot be read."), "amqp:internal-error", 500001),
        (DecodeError("it ends in the middle"), "com.microsoft:argument-error", 400004),
    ],
)
def test_trouble_of_the_store_and_unreadable_messages_are_told_too(raised: Any, condition: str, number: int) -> None:
    told = amqp_error(raised)
    assert told.condition == condition
    assert told.info is not None and told.info[ERROR_CODE] == number
