"""Our errors -> az's: the class decides the exit code and what telemetry and scripts see."""

import inspect

import pytest
from azure.cli.core import azclierror as az

from azext_iotjobs.cli.errors import to_az_error
from azext_iotjobs.model import errors as ours

EXPECTED = {
    ours.IotJobsError: az.ClientRequestError,
    ours.UserError: az.InvalidArgumentValueError,
    ours.BadValue: az.InvalidArgumentValueError,
    ours.MissingChoice: az.RequiredArgumentMissingError,
    ours.ConflictingChoice: az.MutuallyExclusiveArgumentError,
    ours.HubAnswer: az.BadRequestError,
    ours.BadRequest: az.BadRequestError,
    ours.NotFound: az.ResourceNotFoundError,
    ours.DeviceFailed: az.ClientRequestError,
    ours.Unauthorized: az.UnauthorizedError,
    ours.Forbidden: az.ForbiddenError,
    ours.Conflict: az.AzureResponseError,
    ours.Throttled: az.AzureResponseError,
    ours.HubFault: az.AzureInternalError,
    ours.LinkError: az.AzureConnectionError,
    ours.CannotConnect: az.AzureConnectionError,
    ours.NotTrusted: az.AzureConnectionError,
    ours.LinkLost: az.AzureConnectionError,
    ours.AnswerTooLate: az.AzureConnectionError,
    ours.StateError: az.ValidationError,
    ours.NotResumed: az.ValidationError,
    ours.OldDependency: az.ValidationError,
    ours.WrongState: az.ValidationError,
    ours.LeaseLost: az.ValidationError,
    ours.StateBusy: az.ValidationError,
    ours.StateDamaged: az.ValidationError,
    ours.StateFull: az.ValidationError,
    ours.StateTooNew: az.ValidationError,
    ours.StateUnreachable: az.AzureConnectionError,
    ours.StateUnusable: az.ValidationError,
    ours.StateNotAllowed: az.ValidationError,
}
OWN: dict[type[ours.IotJobsError], int] = {ours.LeaseHeld: 9, ours.RunUnfinished: 9}
KINDS = [kind for _, kind in inspect.getmembers(ours, inspect.isclass) if issubclass(kind, ours.IotJobsError)]


@pytest.mark.parametrize("kind", [each for each in KINDS if each not in OWN])
def test_every_error_of_ours_has_its_class_in_az(kind: type[ours.IotJobsError]) -> None:
    more = {"status": 400} if issubclass(kind, ours.HubAnswer) else {}
    if kind is ours.AnswerTooLate:
        more = {"waited_s": 1}
    error = kind("seen", hint="do this", **more)
    with pytest.raises(az.AzCLIError) as raised:
        to_az_error(error)
    assert type(raised.value) is EXPECTED[kind]
    assert (raised.value.error_msg, raised.value.recommendations) == ("seen", ["do this"])


@pytest.mark.parametrize("kind", OWN)
def test_an_error_with_a_code_of_its_own_is_printed_and_ends_with_that(
    kind: type[ours.IotJobsError], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        to_az_error(kind("seen", hint="do this"))
    assert raised.value.code == OWN[kind]
    assert "seen" in caplog.text and "do this" in capsys.readouterr().err


def test_what_is_not_ours_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError):
        to_az_error(ZeroDivisionError())


def test_a_part_of_ours_that_is_gone_is_said_and_any_other_is_left_alone() -> None:
    gone = ModuleNotFoundError("No module named 'azext_iotjobs.cli.job.wait'", name="azext_iotjobs.cli.job.wait")
    with pytest.raises(az.ValidationError, match=r"removed or replaced while this command was starting") as raised:
        to_az_error(gone)
    assert "azext_iotjobs.cli.job.wait" in str(raised.value)
    with pytest.raises(ModuleNotFoundError):
        to_az_error(ModuleNotFoundError("No module named 'yaml'", name="yaml"))
