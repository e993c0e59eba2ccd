"""Option groups of direct methods."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from azext_iotjobs.cli.input.json_option import Given, json_or_file
from azext_iotjobs.cli.input.option_groups import typed_options
from azext_iotjobs.cli.input.verification_options import VerificationOptions
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, SuccessStatus, parse_success_status

if TYPE_CHECKING:  # most calls are of one device
    from azext_iotjobs.operations.method.invoke_many import CallPlan

CONCURRENCY = 10


class CallOptions(NamedTuple):
    """What is called, and how fast where there are many devices."""

    our_method_name: str
    our_method_payload: Given = "{}"
    our_timeout: int = 30  # seconds
    connect_timeout: int | None = None  # seconds; None: our_timeout
    concurrency: int | None = None
    rate: float | None = None  # calls a second
    group_output: bool = False

    def call(self) -> MethodCall:
        """The call. Raises UserError."""
        return MethodCall(
            name=self.our_method_name,
            payload=json_or_file(self.our_method_payload, "--method-payload"),
            response_timeout_s=self.our_timeout,
            # One option for both waits, as the reference has it, unless the other is given.
            connect_timeout_s=self.our_timeout if self.connect_timeout is None else self.connect_timeout,
        )

    def plan(self, call: MethodCall, success: SuccessStatus) -> "CallPlan":
        """How many devices are called. Raises BadValue.

        call: what is called.  success: the statuses with which a device has succeeded.
        """
        from azext_iotjobs.operations.method.invoke_many import CallPlan

        concurrency = CONCURRENCY if self.concurrency is None else self.concurrency
        return CallPlan(call=call, success=success, concurrency=concurrency, rate=self.rate)

    def typed_for_many(self) -> Iterator[str]:
        """The options that were typed and go with many devices only."""
        return typed_options(concurrency=self.concurrency, rate=self.rate, group_output=self.group_output)


class GuardOptions(NamedTuple):
    """Limits, and what counts as success."""

    max_devices: int | None = None
    dry_run: bool = False
    success_status: str = DEFAULT_SUCCESS_STATUS
    exit_zero: bool = False
    verifying: VerificationOptions = VerificationOptions()

    @property
    def success(self) -> SuccessStatus:
        """The statuses with which a device has succeeded. Raises BadValue."""
        return parse_success_status(self.success_status)
