"""Options of jobs."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.row_params import REPORT_FILE, RUN_ERROR_CLASSES, failed_by, job_details, rows
from azext_iotjobs.cli.input.shared_params import (
    AUTH_TYPE,
    GUARDS,
    HUB,
    OUTCOME,
    PATCH_FORMS,
    SELECTION,
    SUCCESS,
    exclude,
    payload,
    top,
    verification,
)
from azext_iotjobs.cli.job import completers

# Those of model.rerun and operations.job.results, which are not imported here: every command starts with this file.
RERUN_WORDS = ("failed", "pending", "all", *RUN_ERROR_CLASSES)
DEVICE_STATUSES = ("pending", "scheduled", "running", "completed", "failed", "canceled")
JOB_TYPES = ("scheduleDeviceMethod", "scheduleUpdateTwin")
LISTED_JOB_TYPES = (*JOB_TYPES, "export", "import")
JOB_STATUSES = ("unknown", "enqueued", "running", "completed", "failed", "cancelled", "scheduled", "queued")


NEW_JOB: Group = (
    option(
        "our_job_id",
        "--job-id",
        "Job id: at most 64 of a-z, 0-9 and dash.",
        id_kind="JOB",
    ),
)


JOB_ID: Group = (
    option(
        "our_job_id",
        "--job-id",
        "Job id.",
        completer=completers.job_ids,
        id_kind="JOB",
    ),
)


JOB_TYPE: Group = (
    option("our_job_type", "--job-type --jt", "What the job does to each device.", arg_type=get_enum_type(JOB_TYPES)),
)


def action(timeout_s: int | None) -> Group:
    """What a job does, and when. timeout_s: the default of both timeouts of a method; None: the job's own."""
    return (
        extra("our_method_name", "--method-name --mn", "Name of the direct method."),
        extra(
            "our_method_connect_timeout",
            "--method-connect-timeout --mct",
            "Seconds that the hub waits for a device to connect, 0 to 300.",
            type=int,
            default=timeout_s,
        ),
        extra(
            "our_method_response_timeout",
            "--method-response-timeout --mrt",
            "Seconds that the hub waits for a device's answer, connecting included, 5 to 300.",
            type=int,
            default=timeout_s,
        ),
        extra(
            "our_twin_patch",
            "--twin-patch --patch",
            f"What to merge into each twin (tags, properties.desired): {PATCH_FORMS}.",
            nargs="+",
        ),
        extra(
            "our_start_time",
            "--start-time --start",
            "ISO 8601 instant at which the job starts, at most 7 days ahead; without an offset it is UTC. "
            "Default: now.",
        ),
    )


def submitting(ttl_s: int | None) -> Group:
    """How a job is submitted. ttl_s: the default of --ttl; None: the job's own."""
    return (
        extra("our_ttl", "--ttl", "Seconds that the job may run at most.", type=int, default=ttl_s),
        extra(
            "our_wait",
            "--wait -w",
            "Wait until the job has ended, or until --poll-duration is over.",
            arg_type=get_three_state_flag(),
            default=False,
        ),
        extra(
            "queue",
            "--queue",
            "When the hub runs as many jobs as its tier allows, wait until one of them has ended.",
            action="store_true",
        ),
        *GUARDS,
    )


def new_job_id(default: str) -> Group:
    return (
        option(
            "new_job_id",
            "--new-job-id",
            f"Id of the new job. Default: {default}.",
            id_kind="JOB",
        ),
    )


RERUN_OPTIONS: Group = (
    extra(
        "on",
        "--on",
        f"Which of the job's devices: one or more of {', '.join(RERUN_WORDS)}, with commas between them.",
        default="failed",
    ),
    extra(
        "from_results",
        "--from-results",
        "File that `job results` wrote, as CSV, JSON or JSON lines, to take the devices from; also a list "
        "of ids. - is standard input.",
    ),
    extra(
        "assume_yes", "--yes -y", "Do not ask for confirmation, whatever the number of devices.", action="store_true"
    ),
)


POLLING: Group = (
    extra(
        "our_poll_interval",
        "--poll-interval --interval",
        "While waiting: the longest time between two polls, in seconds; the first polls come sooner.",
        type=int,
        default=10,
    ),
    extra(
        "our_poll_duration",
        "--poll-duration --duration",
        "While waiting: how many seconds to wait at most; 0: until the job's own deadline.",
        type=int,
        default=600,
    ),
)


SUMMARY: Group = (
    extra(
        "summary",
        "--summary",
        "Add `summary`: the number of devices by status, by error class and by answer.",
        action="store_true",
    ),
)


RESULTS_OPTIONS: Group = (
    extra(
        "our_status",
        "--status",
        f"Only devices in one of these states, with commas between them: {', '.join(DEVICE_STATUSES)}.",
        nargs="+",
        action="extend",
    ),
    *failed_by(),
    *rows("File for the rows, written as they come; - is stdout. An unfinished one is resumed."),
    *job_details("jobId to jobEnded, of the job"),
    extra(
        "skip_registry",
        "--skip-registry",
        "Do not look up which devices are gone from the registry; halves the number of queries.",
        action="store_true",
    ),
)


JOB_LIST: Group = (
    option("our_job_type", "--job-type --jt", "Only jobs of this type.", arg_type=get_enum_type(LISTED_JOB_TYPES)),
    option("our_job_status", "--job-status --js", "Only jobs with this status.", arg_type=get_enum_type(JOB_STATUSES)),
)


VERIFYING: Group = (
    *verification(is_removable=False),
    *rows(
        "With --verify: new file for the rows, written as they are decided. Default: they are part of the result.",
        "Verification",
    ),
)


REPORTS: Group = (
    extra(
        "report",
        "--report",
        "While waiting: file for a report of the devices, once the job has ended. The ending of its name says what it "
        "is: .xml JUnit, .md or .markdown Markdown, .html or .htm a page. Repeatable.",
        action="append",
    ),
)


_HUB = (HUB, AUTH_TYPE)
_WAITING = (POLLING, OUTCOME, VERIFYING)
_REPORTED = (*_WAITING, REPORTS)  # of one job


CREATE: Options = (
    *_HUB,
    NEW_JOB,
    JOB_TYPE,
    *(action(timeout_s=30), payload("null")),
    SELECTION,
    submitting(ttl_s=3600),
    *_REPORTED,
)
RERUN: Options = (
    *_HUB,
    JOB_ID,
    new_job_id("the job's id with -r1, -r2, … appended"),
    *(RERUN_OPTIONS, exclude(), payload("the job's own")),
    submitting(ttl_s=None),
    *_WAITING,
)
COPY: Options = (
    *_HUB,
    JOB_ID,
    new_job_id("the job's id with -copy appended"),
    *(action(timeout_s=None), payload("the job's own")),
    SELECTION,
    submitting(ttl_s=None),
    *_REPORTED,
)
WAIT: Options = (*_HUB, JOB_ID, *_REPORTED)
RESULTS: Options = (*_HUB, JOB_ID, RESULTS_OPTIONS, SUCCESS)
REPORT: Options = (*_HUB, JOB_ID, REPORT_FILE, SUCCESS)
SHOW: Options = (*_HUB, JOB_ID, SUMMARY, SUCCESS)
LIST: Options = (*_HUB, JOB_LIST, top(None))
CANCEL: Options = (*_HUB, JOB_ID)
