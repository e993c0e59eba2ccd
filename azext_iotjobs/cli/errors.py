"""The one table IotJobsError -> az's error class, and so the exit code (3 for what does not exist, else 1 or our own).

az prints what an exception handler returns as the command's result, so this one always raises.
"""

from typing import NoReturn

from azure.cli.core import azclierror as az

from azext_iotjobs.cli.output.hints import commands_in, spelled
from azext_iotjobs.cli.output.terminals import fitted
from azext_iotjobs.model import errors as ours
from azext_iotjobs.model.text import Text, command

PACKAGE = __name__.partition(".")[0]

# First match wins: children stand above their parents.
AZ_CLASSES: tuple[tuple[type[ours.IotJobsError], type[az.AzCLIError]], ...] = (
    (ours.MissingChoice, az.RequiredArgumentMissingError),
    (ours.ConflictingChoice, az.MutuallyExclusiveArgumentError),
    (ours.UserError, az.InvalidArgumentValueError),
    (ours.NotFound, az.ResourceNotFoundError),
    (ours.Unauthorized, az.UnauthorizedError),
    (ours.Forbidden, az.ForbiddenError),
    (ours.HubFault, az.AzureInternalError),
    (ours.Conflict, az.AzureResponseError),
    (ours.Throttled, az.AzureResponseError),
    (ours.HubAnswer, az.BadRequestError),
    (ours.LinkError, az.AzureConnectionError),
    (ours.StateUnreachable, az.AzureConnectionError),
    (ours.StateError, az.ValidationError),
    (ours.IotJobsError, az.ClientRequestError),
)


# az gives errors no codes of their own: these are printed as az does, and end here.
UNFINISHED: tuple[type[ours.IotJobsError], ...] = (ours.RunUnfinished, ours.LeaseHeld)


def to_az_error(error: Exception) -> NoReturn:
    """Raise `error` as the az class that its kind stands for; what is not ours is our bug and is left alone.

    One that has an exit code of its own is printed, and SystemExit is raised with it.
    """
    if isinstance(error, ModuleNotFoundError) and str(error.name).startswith(PACKAGE):
        raise az_error_of(_part_missing(error)) from error
    if not isinstance(error, ours.IotJobsError):
        raise error
    az_error = az_error_of(error)
    if not isinstance(error, UNFINISHED):
        raise az_error from error
    from azext_iotjobs.model.outcome import Outcome  # here, so that others start without it

    az_error.print_error()
    az_error.send_telemetry()
    raise SystemExit(int(Outcome.RUN_UNFINISHED)) from error


def _part_missing(error: ModuleNotFoundError) -> ours.IotJobsError:
    """The error for a module of ours that is gone: az removes our folder, and fills it again, whatever runs."""
    return ours.OldDependency(
        f"A part of this extension is missing ({error.name}): the extension was removed or replaced while this command "
        "was starting.",
        hint=Text(
            "Run the command again. If that does not help, remove the extension and then add it again: ",
            command("extension remove", name="iotjobs"),
        ),
    )


def az_error_of(error: ours.IotJobsError) -> az.AzCLIError:
    """The error as az's, which prints what was seen in color and the hint below it, both so that they fit."""
    az_class = next(az_class for kind, az_class in AZ_CLASSES if isinstance(error, kind))
    hint = None if error.hint is None else fitted(spelled(error.hint), commands_in(error.hint))
    return az_class(spelled(error.message), recommendation=hint)
