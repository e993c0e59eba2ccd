"""az iot device simulate --merge: one result, and one exit code, of those of the shards."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.report_target import targets_of
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.cli.simulate import shard_files
from azext_iotjobs.cli.simulate.merged_report import MergedResult
from azext_iotjobs.cli.simulate.monitor import print_verdict
from azext_iotjobs.cli.simulate.typed_options import TypedOptions
from azext_iotjobs.model.errors import ConflictingChoice, IotJobsError, MissingChoice
from azext_iotjobs.model.text import counted

logger = get_logger(__name__)

GO_ALONG = ("--merge", "--report", "--overwrite")


def merge(cmd: Any, typed: TypedOptions) -> dict[str, Any]:
    """Merge the results in the files of --merge. Raises UserError."""
    others = [option for option in typed.by_option() if option not in GO_ALONG]
    if others:
        raise ConflictingChoice(
            f"--merge simulates nothing, and asks no hub; {others[0]} cannot be used with it.",
            hint="--merge takes files, --report with --overwrite, and nothing else.",
        )
    many = typed.many
    targets = targets_of(many.report or (), "--report", overwrites=many.overwrite)
    merged = MergedResult(shard_files.read(typed.cluster.merge or ()))
    result = merged.document()
    if targets and not merged.verdicts:
        raise MissingChoice("--report: nothing was expected of this simulation, so a report has no test cases.")
    for verdict in merged.verdicts:
        print_verdict(verdict)
    if merged.missing:
        logger.warning(
            "The results of %s of %d are missing: %s. The exit code says so, whatever the others came to.",
            counted(len(merged.missing), "shard"),
            merged.total,
            ", ".join(map(str, merged.missing)),
        )
    if targets:
        from azext_iotjobs.cli.simulate.expectation_report import write_report  # here: few simulations are reported

        try:
            write_report(result, merged.verdicts, targets)
        except IotJobsError:
            print_now(cmd, result)  # an error leaves no result
            raise
    leave_with(cmd, merged.outcome, exit_zero=False)
    return result
