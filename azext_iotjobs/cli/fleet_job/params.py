"""Options of fleet jobs.

Those that handlers take in groups are extras: the fields of RunOptions and others have their names.
"""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.fleet_job import completers
from azext_iotjobs.cli.fleet_job.definition_params import (
    DEFINITION,
    DELIVERY,
    FEWER,
    MOST,
    NAMES,
    NARROWER,
    ON_DELIVERY,
    PACE,
    ROLLOUT,
    VERIFICATION,
    timeouts,
)
from azext_iotjobs.cli.fleet_job.file_params import JOB_FILE
from azext_iotjobs.cli.fleet_job.gate_params import GATES
from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.row_params import REPORT_FILE, RUN_ERROR_CLASSES, failed_by, job_details, rows
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, HUB, STATE

STATES = ("pending", "running", "completed", "failed", "stopped", "canceled")

TIERS = ("F1", "B1", "B2", "B3", "S1", "S2", "S3")


NEW_ID: Group = (
    option(
        "fleet_job_id", "--fleet-job-id -j", "Id of the fleet job: at most 40 of a-z, 0-9, dash, dot and underscore."
    ),
)


ID: Group = (option("fleet_job_id", "--fleet-job-id -j", "Id of the fleet job.", completer=completers.fleet_job_ids),)


WAITING_ID: Group = (
    option("fleet_job_id", "--fleet-job-id -j", "Id of the fleet job.", completer=completers.waiting_fleet_job_ids),
)


ANSWERED_BATCH: Group = (
    option(
        "batch",
        "--batch",
        "Number of the batch that is meant: an error where another one waits by now. Default: the one that waits.",
        type=int,
    ),
)


def other_id(default: str) -> Group:
    return (option("new_fleet_job_id", "--new-fleet-job-id", f"Id of the new fleet job. Default: {default}."),)


TIER: Group = (
    extra(
        "sku",
        "--sku",
        "The hub's tier, for estimates and --driver auto. It is needed only where the tier is not known; it is known "
        "for a local hub, and for a hub that was looked up in Azure with a key.",
        group=ON_DELIVERY,
        arg_type=get_enum_type(TIERS),
    ),
    extra("units", "--units", "Units of that tier. Default: 1.", group=ON_DELIVERY, type=int),
)


PLAN: Group = (
    extra(
        "dry_run",
        "--dry-run",
        "Show how many devices and batches there are, and how long each driver would take; change nothing.",
        action="store_true",
    ),
)


RUNNING: Group = (
    extra("our_yes", "--yes -y", "Do not ask for confirmation, whatever the number of devices.", action="store_true"),
    extra("events", "--events", "File to which events are written as they happen, as JSON lines."),
    extra("overwrite", "--overwrite", "With --events: replace an existing file.", action="store_true"),
    extra(
        "exit_zero",
        "--exit-zero",
        "End with exit code 0 even if devices failed, or the run was stopped or canceled.",
        action="store_true",
    ),
    extra(
        "detach",
        "--detach",
        "Leave the run to a process of its own once it has begun; `watch` shows how it goes on. Exit code 0: it has "
        "begun. Its messages go to a .log file in the state folder; with --store, in the default one.",
        action="store_true",
    ),
)


UNFINISHED: Group = (
    option(
        "if_unfinished",
        "--if-unfinished",
        "What to do when an earlier run has not ended: end with exit code 9, resume it instead of starting a "
        "new one, or cancel it and start a new one. Default: fail.",
        arg_type=get_enum_type(["fail", "resume", "cancel"]),
    ),
)


EXIT_ZERO: Group = (
    option("exit_zero", "--exit-zero", "End with exit code 0 whatever the run came to.", action="store_true"),
)


RUN_AT_ONCE: Group = (option("run", "--run", "Also run it, and wait for its end.", action="store_true"),)


RUN_NUMBER: Group = (option("run", "--run", "Number of the run. Default: the last one.", type=int),)


ON: Group = (
    option(
        "on",
        "--on",
        "Which devices of the run: one or more of all, pending, in-progress, verifying, waiting, completed, "
        f"failed, uncertain, {', '.join(RUN_ERROR_CLASSES)}, with commas between them.",
    ),
)


REASON: Group = (option("reason", "--reason", "The reason, which is recorded."),)


ASKING: Group = (
    *REASON,
    option(
        "our_poll_duration",
        "--poll-duration --duration",
        "Seconds to wait at most until calls and hub jobs under way have ended; 0: no limit.",
        type=int,
    ),
)


LIST_OPTIONS: Group = (
    option(
        "state",
        "--state",
        "Only those in this state, which is that of their last run.",
        arg_type=get_enum_type(STATES),
    ),
    option("since", "--since", "Only those created, edited or run within this time, such as 30d or 12h."),
    option("saved", "--saved", "Only those that have not run.", action="store_true"),
    option(
        "our_labels",
        "--labels --label",
        "Only those with all of these labels: name=value, or a name alone for any value.",
        nargs="+",
        action="extend",
    ),
    option(
        "contains",
        "--contains",
        "Only those with this text in their id, display name, description or a label, in upper or lower case.",
    ),
)


RESULTS_OPTIONS: Group = (
    extra(
        "our_status",
        "--status",
        "Only devices in one of these states: pending, in-progress, verifying, waiting, completed, failed, uncertain, "
        "with commas between them.",
        nargs="+",
        action="extend",
    ),
    *failed_by(RUN_ERROR_CLASSES),
    extra("our_device_id", "--device-id -d", "Only this device; an error if the run does not contain it."),
    *rows("File for the rows; - is stdout."),
    *job_details("fleetJobId to runEnded, of the fleet job and its run"),
    option(
        "check_registry",
        "--check-registry",
        "Add the column deleted: query the hub for devices that are no longer in its registry.",
        action="store_true",
    ),
)


OLDER: Group = (
    option(
        "older_than",
        "--older-than",
        "Instead of one fleet job, delete the runs of all fleet jobs that ended longer ago than this, with their "
        "results; 30d or more. The fleet jobs themselves stay.",
    ),
)


SURE: Group = (option("our_yes", "--yes -y", "Delete without confirmation.", action="store_true"),)


GROUP: Group = (option("group", "--group --group-id", "Name of the device group.", completer=completers.device_groups),)


GROUP_CONDITION: Group = (
    option(
        "our_query_condition",
        "--query-condition -q",
        "The WHERE part of a twin query that selects the devices, anew for each run.",
    ),
)


COPIED: Group = (
    option(
        "copy_from",
        "--from",
        "The store that they are in: a folder, or postgresql://ROLE@HOST/DATABASE.",
        required=True,
    ),
    option(
        "copy_to",
        "--to",
        "The store that gets them, in the same way. It is made where it is missing.",
        required=True,
    ),
    option(
        "copied_jobs",
        "--fleet-job-id -j",
        "Ids of the fleet jobs, separated by spaces. Default: all.",
        nargs="+",
    ),
    option(
        "without_schedules",
        "--without-schedules",
        "Leave schedules where they are. Default: they move.",
        action="store_true",
    ),
)


_HUB = (HUB, AUTH_TYPE, STATE)


_OWN_TIMEOUTS = timeouts("Default: as it was saved.", ON_DELIVERY)


CREATE: Options = (*_HUB, NEW_ID, *DEFINITION, TIER, PLAN, RUN_AT_ONCE, RUNNING)
APPLY: Options = (*_HUB, JOB_FILE)
RUN: Options = (
    *_HUB,
    ID,
    UNFINISHED,
    NARROWER,
    MOST,
    *DELIVERY,
    _OWN_TIMEOUTS,
    TIER,
    PLAN,
    RUNNING,
)
RESUME: Options = (*_HUB, ID, PACE, _OWN_TIMEOUTS, RUNNING)
RERUN: Options = (
    *_HUB,
    ID,
    other_id("the old id with -r1, -r2, … appended"),
    RUN_NUMBER,
    ON,
    FEWER,
    MOST,
    NAMES,
    ROLLOUT,
    GATES,
    *DELIVERY,
    VERIFICATION,
    _OWN_TIMEOUTS,
    TIER,
    PLAN,
    RUNNING,
)
APPROVE: Options = (*_HUB, WAITING_ID, ANSWERED_BATCH, REASON)
REJECT: Options = (*_HUB, WAITING_ID, ANSWERED_BATCH, REASON)
STOP: Options = (*_HUB, ID, ASKING)
CANCEL: Options = (*_HUB, ID, ASKING)
SHOW: Options = (*_HUB, ID, RUN_NUMBER)
WATCH: Options = (*_HUB, ID, RUN_NUMBER, EXIT_ZERO)
LIST: Options = (*_HUB, LIST_OPTIONS)
LIST_RUNS: Options = (*_HUB, ID)
RESULTS: Options = (*_HUB, ID, RUN_NUMBER, RESULTS_OPTIONS)
REPORT: Options = (*_HUB, ID, RUN_NUMBER, REPORT_FILE)
COPY: Options = (*_HUB, ID, other_id("the old id with -copy appended"), *DEFINITION)
UPDATE: Options = (*_HUB, ID, *DEFINITION)
DELETE: Options = (*_HUB, ID, OLDER, SURE)
COPY_STORE: Options = (COPIED,)
CREATE_GROUP: Options = (*_HUB, GROUP, GROUP_CONDITION)
SHOW_GROUP: Options = (*_HUB, GROUP)
LIST_GROUP: Options = _HUB
UPDATE_GROUP: Options = (*_HUB, GROUP, GROUP_CONDITION)
DELETE_GROUP: Options = (*_HUB, GROUP, SURE)
