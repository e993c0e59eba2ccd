"""Options of jobs."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.input.options import Group, Options, checked, option
from azext_iotjobs.cli.input.shared_params import (
    AUTH_TYPE,
    ERROR_CLASSES,
    EXCLUDE,
    GUARDS,
    HUB,
    JSON_FORMS,
    METHOD,
    OUTCOME,
    SELECTION,
    SUCCESS,
    payload,
    rows,
    top,
)
from azext_iotjobs.cli.job import completers

# Those of model.rerun, which is not imported here: every command starts with this file.
RERUN_WORDS = ("failed", "pending", "all", *ERROR_CLASSES)

JOB_TYPES = ("scheduleDeviceMethod", "scheduleUpdateTwin")

LISTED_JOB_TYPES = ("scheduleDeviceMethod", "scheduleUpdateTwin", "export", "import")

JOB_STATUSES = ("unknown", "enqueued", "running", "completed", "failed", "cancelled", "scheduled", "queued")


JOB_TO_MAKE: Group = (
    option("job", "--job-id", "Job id: at most 64 of a-z, 0-9 and dash.", validator=checked("job", "--job-id", "JOB")),
)


JOB_ID: Group = (
    option("job", "--job-id", "Job id.", completer=completers.job_ids, validator=checked("job", "--job-id", "JOB")),
)


JOB_KIND: Group = (
    option("job_kind", "--job-type --jt", "What the job does to each device.", arg_type=get_enum_type(JOB_TYPES)),
)


JOB_PARTS: Group = (
    option(
        "connect_timeout",
        "--method-connect-timeout --mct",
        "Seconds that the hub waits for a device to connect, 0 to 300.",
        type=int,
    ),
    option(
        "response_timeout",
        "--method-response-timeout --mrt",
        "Seconds that the hub waits for a device's answer, connecting included, 5 to 300.",
        type=int,
    ),
    option(
        "patch",
        "--twin-patch --patch",
        f"What to merge into each twin (tags, properties.desired): {JSON_FORMS}.",
        nargs="+",
    ),
    option(
        "start_at",
        "--start-time --start",
        "ISO 8601 instant at which the job starts, at most 7 days ahead; without an offset it is UTC. Default: now.",
    ),
)


HANDING_IN: Group = (
    option("ttl_s", "--ttl", "Seconds that the job may run at most.", type=int),
    option(
        "wait_for_end",
        "--wait -w",
        "Wait until the job has ended, or until --poll-duration is over.",
        arg_type=get_three_state_flag(),
    ),
    option(
        "waits_for_slot",
        "--queue",
        "When the hub runs as many jobs as its tier allows, wait until one of them has ended.",
        action="store_true",
    ),
)


def new_job_id(default: str) -> Group:
    return (
        option(
            "new_job",
            "--new-job-id",
            f"Id of the new job. Default: {default}.",
            validator=checked("new_job", "--new-job-id", "JOB"),
        ),
    )


RERUN_OPTIONS: Group = (
    option(
        "chosen_words",
        "--on",
        f"Which of the job's devices: words out of {', '.join(RERUN_WORDS)}, with commas between them.",
    ),
    option(
        "results_path",
        "--from-results",
        "File that `job results` wrote, as CSV, JSON or JSON lines, to take the devices from; also a list "
        "of ids. - is standard input.",
    ),
    option("sure", "--yes -y", "Do not ask, whatever the number of devices.", action="store_true"),
)


POLLING: Group = (
    option(
        "poll_every_s",
        "--poll-interval --interval",
        "Waiting: seconds between two looks at most; the first ones come sooner.",
        type=int,
    ),
    option(
        "poll_limit_s",
        "--poll-duration --duration",
        "Waiting: seconds to wait at most; 0: until the job's own deadline.",
        type=int,
    ),
)


SUMMARY: Group = (
    option(
        "with_summary",
        "--summary",
        "Add `summary`: devices by status and by error class, and equal answers as one.",
        action="store_true",
    ),
)


RESULTS_OPTIONS: Group = (
    option(
        "device_state",
        "--status",
        "Only devices in this state.",
        arg_type=get_enum_type(["pending", "scheduled", "running", "completed", "failed", "canceled"]),
    ),
    option(
        "error_kind", "--error-class", "Only devices that failed in this way.", arg_type=get_enum_type(ERROR_CLASSES)
    ),
    *rows("File for the rows, written as they come; - is stdout. One that broke off goes on."),
    option(
        "skips_registry",
        "--skip-registry",
        "Do not look which devices are gone from the registry; halves the number of queries.",
        action="store_true",
    ),
)


JOB_LIST: Group = (
    option("job_kind", "--job-type --jt", "Only jobs of this type.", arg_type=get_enum_type(LISTED_JOB_TYPES)),
    option("job_state", "--job-status --js", "Only jobs in this status.", arg_type=get_enum_type(JOB_STATUSES)),
)


CREATE: Options = (
    HUB,
    AUTH_TYPE,
    JOB_TO_MAKE,
    METHOD,
    JOB_KIND,
    payload("null"),
    JOB_PARTS,
    HANDING_IN,
    SELECTION,
    GUARDS,
    POLLING,
    OUTCOME,
)
RERUN: Options = (
    HUB,
    AUTH_TYPE,
    JOB_ID,
    new_job_id("the job's, and -r1, -r2, …"),
    RERUN_OPTIONS,
    EXCLUDE,
    payload("the job's own"),
    HANDING_IN,
    GUARDS,
    POLLING,
    OUTCOME,
)
COPY: Options = (
    HUB,
    AUTH_TYPE,
    JOB_ID,
    new_job_id("the job's, and -copy"),
    METHOD,
    payload("the job's own"),
    JOB_PARTS,
    HANDING_IN,
    SELECTION,
    GUARDS,
    POLLING,
    OUTCOME,
)
WAIT: Options = (HUB, AUTH_TYPE, JOB_ID, POLLING, OUTCOME)
RESULTS: Options = (HUB, AUTH_TYPE, JOB_ID, RESULTS_OPTIONS, SUCCESS)
SHOW: Options = (HUB, AUTH_TYPE, JOB_ID, SUMMARY, SUCCESS)
LIST: Options = (HUB, AUTH_TYPE, JOB_LIST, top(None))
CANCEL: Options = (HUB, AUTH_TYPE, JOB_ID)
