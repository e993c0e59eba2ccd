"""Print the result, then leave with a code of ours; or an error and a code of ours, without a result."""

from typing import Any, NoReturn

from knack.events import EVENT_CLI_SUCCESSFUL_EXECUTE

from azext_iotjobs.cli.errors import az_error_of
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.outcome import Outcome


def leave_with(cmd: Any, outcome: Outcome, *, exit_zero: bool) -> None:
    """Let az print the handler's result, and end with the outcome's code; `exit_zero` is --exit-zero."""
    if outcome is Outcome.SUCCESS or exit_zero:
        return

    def leave(*_: Any, **__: Any) -> NoReturn:
        raise SystemExit(int(outcome))

    # az raises this event after the result is printed; an exception would come before it.
    cmd.cli_ctx.register_event(EVENT_CLI_SUCCESSFUL_EXECUTE, leave)


def end_without_result(error: IotJobsError, outcome: Outcome, *, exit_zero: bool) -> NoReturn:
    """Say what went wrong, as az would, and end with the outcome's code."""
    az_error_of(error).print_error()
    raise SystemExit(0 if exit_zero else int(outcome))
