"""Option groups of jobs: what was typed -> checked values."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.device_selection import most_devices
from azext_iotjobs.cli.input.json_option import Given
from azext_iotjobs.cli.input.option_groups import typed_options
from azext_iotjobs.cli.input.verification_options import VerificationOptions
from azext_iotjobs.model.errors import ConflictingChoice, MissingChoice
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, SuccessStatus, parse_success_status
from azext_iotjobs.model.text import Text, command

if TYPE_CHECKING:
    from azext_iotjobs.cli.output.report_target import ReportTarget
    from azext_iotjobs.cli.output.row_output import RowTarget
    from azext_iotjobs.model.twin import TwinPatch
    from azext_iotjobs.model.twin_columns import TwinColumn
    from azext_iotjobs.model.verification import Verification
    from azext_iotjobs.model.waiting import WaitPolicy

logger = get_logger(__name__)


class VerifyingPlan(NamedTuple):
    """What verifies the devices that a job has operated, and what becomes of their rows."""

    verification: "Verification"
    columns: tuple[str, ...]
    target: "RowTarget | None"  # None: the rows are part of the result
    of_twins: "tuple[TwinColumn, ...]" = ()  # those columns that stand in twins


class VerifyingOptions(NamedTuple):
    """Verification of the devices that a job has operated; of the rows, those of RowOutputOptions."""

    verifying: VerificationOptions = VerificationOptions()
    columns: str | None = None
    output_file: str | None = None
    format: str | None = None
    overwrite: bool = False

    def read(self, cmd: Any, *, has_reports: bool = False) -> VerifyingPlan | None:
        """The same, checked; None: no device is verified. Raises UserError.

        has_reports: there are other files that may be overwritten.
        """
        if has_reports and self.output_file is None:
            return self._replace(overwrite=False).read(cmd)
        verification = self.verifying.read()
        if verification is None:
            self._refuse_rows()
            return None
        from azext_iotjobs.cli.input.columns import chosen_columns, twin_columns  # here: few jobs are verified
        from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, VERIFIED_COLUMNS
        from azext_iotjobs.cli.output.row_output import OPTION, STDOUT, RowOutputOptions

        output = RowOutputOptions(self.columns, self.output_file, self.format, self.overwrite)
        output.check_file_is_named()
        if self.output_file == STDOUT:
            raise ConflictingChoice(
                f"{OPTION} -: the job itself is written to stdout.", hint="Give a file for the rows."
            )
        columns = chosen_columns(cmd, self.columns, (*CALL_COLUMNS, *VERIFIED_COLUMNS))
        target = output.target(columns, "verification")
        return VerifyingPlan(verification, columns, target, twin_columns(cmd, columns))

    def _refuse_rows(self) -> None:
        """Raise MissingChoice for an option about rows where there are none."""
        typed = {name: value for name, value in self._asdict().items() if name != "verifying"}
        for option in typed_options(**typed):
            raise MissingChoice(
                f"{option} goes with --verify: without it, there are no rows.",
                hint=Text("Rows of a job: ", command("iot hub job results", job_id="JOB")),
            )


class WaitPlan(NamedTuple):
    """How a job is waited for, what verifies its devices, and which exit code follows."""

    policy: "WaitPolicy"
    success: SuccessStatus
    exit_zero: bool
    verifying: VerifyingPlan | None
    reports: "tuple[ReportTarget, ...]" = ()  # of its devices, once it has ended

    @property
    def looks_at_devices(self) -> bool:
        """Whether something is done about the devices once the job has ended."""
        return self.verifying is not None or bool(self.reports)


class WaitOptions(NamedTuple):
    """How a job is waited for, and what counts as success."""

    our_poll_interval: int = 10  # seconds
    our_poll_duration: int = 600  # seconds; 0: until the job's own deadline
    success_status: str = DEFAULT_SUCCESS_STATUS
    exit_zero: bool = False
    report: Sequence[str] | None = None
    verifying: VerifyingOptions = VerifyingOptions()

    def read(self, cmd: Any) -> WaitPlan:
        """The same, checked. Raises UserError."""
        from azext_iotjobs.model.waiting import WaitPolicy  # here: most commands of this room do not wait

        policy = WaitPolicy(interval_s=self.our_poll_interval, limit_s=self.our_poll_duration or None)
        success = parse_success_status(self.success_status)
        verifying = self.verifying.read(cmd, has_reports=bool(self.report))
        return WaitPlan(policy, success, self.exit_zero, verifying, self._reports())

    def _reports(self) -> "tuple[ReportTarget, ...]":
        if not self.report:
            return ()
        from azext_iotjobs.cli.output.report_target import targets_of  # here: few jobs are reported

        return targets_of(self.report, "--report", overwrites=self.verifying.overwrite)


class SubmitPlan(NamedTuple):
    """How a job is submitted."""

    max_devices: int | None  # None: any number
    dry_run: bool
    waits_for_end: bool
    waits_for_slot: bool
    waiting: WaitPlan


class SubmitOptions(NamedTuple):
    """Limits, and whether to wait, when a job is submitted."""

    max_devices: int | None = None
    dry_run: bool = False
    our_wait: bool = False
    queue: bool = False

    def read(self, cmd: Any, waiting: WaitOptions) -> SubmitPlan:
        """The same, checked, with how it is waited for. Raises UserError."""
        wait_plan = waiting.read(cmd)
        if wait_plan.verifying is not None and not self.our_wait:
            raise MissingChoice(
                "--verify needs --wait: devices are verified by the command that waits for the job.",
                hint=Text("Add --wait; or later: ", command("iot hub job wait", job_id="JOB", verify="CONDITION")),
            )
        if wait_plan.reports and not self.our_wait:
            raise MissingChoice(
                "--report needs --wait: it is written by the command that waits for the job.",
                hint=Text("Add --wait; or later: ", command("iot hub job report", job_id="JOB")),
            )
        return SubmitPlan(
            max_devices=most_devices(cmd, self.max_devices),
            dry_run=self.dry_run,
            waits_for_end=self.our_wait,
            waits_for_slot=self.queue,
            waiting=wait_plan,
        )


class ActionOptions(NamedTuple):
    """What a job does to each device, and when; None where nothing was typed."""

    our_method_name: str | None = None
    our_method_payload: Given | None = None
    our_method_connect_timeout: int | None = None  # seconds
    our_method_response_timeout: int | None = None  # seconds
    our_twin_patch: Given | None = None
    our_start_time: str | None = None
    our_ttl: int | None = None  # seconds

    @property
    def names_method(self) -> bool:
        """Whether a method is named, or what to call it with."""
        return self.our_method_name is not None or self.our_method_payload is not None

    def method_changes(self) -> dict[str, Any]:
        """What was typed about the method, as fields of a MethodCall. Raises BadValue for a payload that is no JSON."""
        from azext_iotjobs.cli.input.method_changes import method_changes  # here, so that a twin job starts without it

        return method_changes(
            name=self.our_method_name,
            payload=self.our_method_payload,
            connect_timeout_s=self.our_method_connect_timeout,
            response_timeout_s=self.our_method_response_timeout,
        )

    def twin_patch(self) -> "TwinPatch | None":
        """What is merged into each twin. Raises UserError."""
        if self.our_twin_patch is None:
            return None
        from azext_iotjobs.cli.input.twin_patch import read_twin_patch  # here, so that a method job starts without it

        return read_twin_patch(self.our_twin_patch)

    def start_at(self) -> datetime | None:
        """When the job is to start; None: now. A text without an offset is read as UTC, with a warning.

        Raises BadValue, also for a start that is too far ahead.
        """
        if self.our_start_time is None:
            return None
        from azext_iotjobs.model.clock import SystemClock, parse_instant, render_instant
        from azext_iotjobs.model.job_request import check_start

        instant = parse_instant(self.our_start_time, "--start-time")
        if instant.assumed_utc:
            at = render_instant(instant.at)
            logger.warning("--start-time %s has no offset: read as UTC, %s.", self.our_start_time, at)
        check_start(instant.at, SystemClock().now())
        return instant.at
