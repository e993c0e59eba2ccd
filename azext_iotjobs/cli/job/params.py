"""Options of jobs, direct methods and queries."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli import completion
from azext_iotjobs.cli.input.shared_params import (
    ERROR_CLASSES,
    JSON_FORMS,
    AddOptions,
    Context,
    Options,
    auth_type,
    checked,
    device,
    hub,
    rows,
    success,
    top,
)

# Those of model.rerun, which is not imported here: every command starts with this file.
RERUN_WORDS = ("failed", "pending", "all", *ERROR_CLASSES)
JOB_TYPES = ("scheduleDeviceMethod", "scheduleUpdateTwin")
LISTED_JOB_TYPES = ("scheduleDeviceMethod", "scheduleUpdateTwin", "export", "import")
JOB_STATUSES = ("unknown", "enqueued", "running", "completed", "failed", "cancelled", "scheduled", "queued")


def _job_to_make(c: Context) -> None:
    c.argument("job", options_list=["--job-id"], help="Job id: at most 64 of a-z, 0-9 and dash.",
               validator=checked("job", "--job-id", "JOB"))  # fmt: skip


def _job_id(c: Context) -> None:
    c.argument("job", options_list=["--job-id"], completer=completion.job_ids, help="Job id.",
               validator=checked("job", "--job-id", "JOB"))  # fmt: skip


def _method(c: Context) -> None:
    c.argument("method", options_list=["--method-name", "--mn"], help="Name of the direct method.")


def _job_kind(c: Context) -> None:
    c.argument("job_kind", options_list=["--job-type", "--jt"], arg_type=get_enum_type(JOB_TYPES),
               help="What the job does to each device.")  # fmt: skip


def _payload(default: str) -> AddOptions:
    def add(c: Context) -> None:
        c.argument("method_json", options_list=["--method-payload", "--mp"], nargs="+",
                   help=f"Payload of the method: {JSON_FORMS}. Default: {default}.")  # fmt: skip

    return add


def _job_parts(c: Context) -> None:
    c.argument("connect_timeout", options_list=["--method-connect-timeout", "--mct"], type=int,
               help="Seconds that the hub waits for a device to connect, 0 to 300.")  # fmt: skip
    c.argument("response_timeout", options_list=["--method-response-timeout", "--mrt"], type=int,
               help="Seconds that the hub waits for a device's answer, connecting included, 5 to 300.")  # fmt: skip
    c.argument("patch", options_list=["--twin-patch", "--patch"], nargs="+",
               help=f"What to merge into each twin (tags, properties.desired): {JSON_FORMS}.")  # fmt: skip
    c.argument("start_at", options_list=["--start-time", "--start"],
               help="ISO 8601 instant at which the job starts, at most 7 days ahead; without an offset it is UTC. "
                    "Default: now.")  # fmt: skip


def _handing_in(c: Context) -> None:
    c.argument("ttl_s", options_list=["--ttl"], type=int, help="Seconds that the job may run at most.")
    c.argument("wait_for_end", options_list=["--wait", "-w"], arg_type=get_three_state_flag(),
               help="Wait until the job has ended, or until --poll-duration is over.")  # fmt: skip
    c.argument("waits_for_slot", options_list=["--queue"], action="store_true",
               help="When the hub runs as many jobs as its tier allows, wait until one of them has ended.")  # fmt: skip


def _new_job_id(default: str) -> AddOptions:
    def add(c: Context) -> None:
        c.argument("new_job", options_list=["--new-job-id"], help=f"Id of the new job. Default: {default}.",
                   validator=checked("new_job", "--new-job-id", "JOB"))  # fmt: skip

    return add


def _rerun(c: Context) -> None:
    c.argument("chosen_words", options_list=["--on"],
               help=f"Which of the job's devices: words out of {', '.join(RERUN_WORDS)}, with commas between "
                    "them.")  # fmt: skip
    c.argument("results_path", options_list=["--from-results"],
               help="File that `job results` wrote, as CSV, JSON or JSON lines, to take the devices from; also a list "
                    "of ids. - is standard input.")  # fmt: skip
    c.argument("sure", options_list=["--yes", "-y"], action="store_true",
               help="Do not ask, whatever the number of devices.")  # fmt: skip


def _left_out(c: Context) -> None:
    c.argument("left_out", options_list=["--exclude"], help="Device ids to leave out, with commas between them; one "
               "that holds a comma stands in double quotes.")  # fmt: skip


def _selection(c: Context) -> None:
    group = "Devices"
    c.argument("condition", options_list=["--query-condition", "-q"], arg_group=group,
               help="The WHERE part of a twin query that selects the devices, for example "
                    "\"tags.site = 'north'\". All devices: *.")  # fmt: skip
    c.argument("named_devices", options_list=["--device-ids"], arg_group=group,
               help="Device ids with commas between them; one that holds a comma stands in double quotes.")  # fmt: skip
    c.argument("devices_path", options_list=["--devices-file"], arg_group=group,
               help="File of device ids: one in a line, a table with a deviceId column, or JSON; - is standard "
                    "input.")  # fmt: skip
    c.argument("left_out", options_list=["--exclude"], arg_group=group,
               help="Device ids to leave out, with commas between them; one that holds a comma stands in double "
                    "quotes.")  # fmt: skip


def _guards(c: Context) -> None:
    c.argument("devices_at_most", options_list=["--max-devices"], type=int,
               help="Refuse a larger number of devices before anything is sent. A standing limit: "
                    "az config set iotjobs.max_devices=N.")  # fmt: skip
    c.argument("only_plans", options_list=["--dry-run"], action="store_true",
               help="Show how many devices there are, some of them, and the request; change nothing.")  # fmt: skip


def _polling(c: Context) -> None:
    c.argument("poll_every_s", options_list=["--poll-interval", "--interval"], type=int,
               help="Waiting: seconds between two looks at most; the first ones come sooner.")  # fmt: skip
    c.argument("poll_limit_s", options_list=["--poll-duration", "--duration"], type=int,
               help="Waiting: seconds to wait at most; 0: until the job's own deadline.")  # fmt: skip


def _summary(c: Context) -> None:
    c.argument("with_summary", options_list=["--summary"], action="store_true",
               help="Add `summary`: devices by status and by error class, and equal answers as one.")  # fmt: skip


def _results(c: Context) -> None:
    c.argument("device_state", options_list=["--status"],
               arg_type=get_enum_type(["pending", "scheduled", "running", "completed", "failed", "canceled"]),
               help="Only devices in this state.")  # fmt: skip
    c.argument("error_kind", options_list=["--error-class"], arg_type=get_enum_type(ERROR_CLASSES),
               help="Only devices that failed in this way.")  # fmt: skip
    rows("File for the rows, written as they come; - is stdout. One that broke off goes on.")(c)
    c.argument("skips_registry", options_list=["--skip-registry"], action="store_true",
               help="Do not look which devices are gone from the registry; halves the number of queries.")  # fmt: skip


def _outcome(c: Context) -> None:
    success(c)
    c.argument("always_zero", options_list=["--exit-zero"], action="store_true",
               help="End with exit code 0 also when devices or the job failed, or waiting ran out.")  # fmt: skip


def _job_list(c: Context) -> None:
    c.argument("job_kind", options_list=["--job-type", "--jt"], arg_type=get_enum_type(LISTED_JOB_TYPES),
               help="Only jobs of this type.")  # fmt: skip
    c.argument("job_state", options_list=["--job-status", "--js"], arg_type=get_enum_type(JOB_STATUSES),
               help="Only jobs in this status.")  # fmt: skip


def _invoke(c: Context) -> None:
    c.argument("method_json", options_list=["--method-payload", "--mp"], nargs="+",
               help=f"Payload of the method: {JSON_FORMS}.")  # fmt: skip
    c.argument("timeout_s", options_list=["--timeout", "--to"], type=int,
               help="Seconds for the device to connect and to answer, 5 to 300.")  # fmt: skip
    c.argument("connect_limit_s", options_list=["--connect-timeout", "--ct"], type=int,
               help="Seconds of --timeout that the hub waits for the device to connect, 0 to 300. "
                    "Default: --timeout.")  # fmt: skip


def _module(c: Context) -> None:
    c.argument("module", options_list=["--module-id", "-m"],
               help="Module id. Not needed with a --query-condition that selects modules.",
               validator=checked("module", "--module-id", "MODULE"))  # fmt: skip


def _calling(c: Context) -> None:
    group = "Many Devices"
    c.argument("concurrency", options_list=["--concurrency"], type=int, arg_group=group,
               help="Calls under way at once, 1 to 200. Default: 10.")  # fmt: skip
    c.argument("calls_a_second", options_list=["--rate"], type=float, arg_group=group,
               help="Calls a second at most. Default: as fast as they are answered; throttling slows all of them "
                    "down.")  # fmt: skip
    c.argument("merges_equal", options_list=["--group-output"], action="store_true", arg_group=group,
               help="Show equal answers as one, with their number and the first devices.")  # fmt: skip
    rows("New file for the rows, written as the devices answer; - is stdout.", group)(c)


def _query(c: Context) -> None:
    c.argument("query_text", options_list=["--query-command", "-q"], help="The query, in IoT Hub's query language.")


OPTIONS: Options = {
    "iot hub job create": (
        hub, auth_type, _job_to_make, _method, _job_kind, _payload("null"), _job_parts, _handing_in, _selection,
        _guards, _polling, _outcome,
    ),
    "iot hub job rerun": (
        hub, auth_type, _job_id, _new_job_id("the job's, and -r1, -r2, …"), _rerun, _left_out,
        _payload("the job's own"), _handing_in, _guards, _polling, _outcome,
    ),
    "iot hub job copy": (
        hub, auth_type, _job_id, _new_job_id("the job's, and -copy"), _method, _payload("the job's own"), _job_parts,
        _handing_in, _selection, _guards, _polling, _outcome,
    ),
    "iot hub job wait": (hub, auth_type, _job_id, _polling, _outcome),
    "iot hub job results": (hub, auth_type, _job_id, _results, success),
    "iot hub job show": (hub, auth_type, _job_id, _summary, success),
    "iot hub job list": (hub, auth_type, _job_list, top(None)),
    "iot hub job cancel": (hub, auth_type, _job_id),
    "iot hub invoke-device-method": (
        hub, auth_type, device, _method, _invoke, _selection, _guards, _calling, _outcome,
    ),
    "iot hub invoke-module-method": (
        hub, auth_type, device, _module, _method, _invoke, _selection, _guards, _calling, _outcome,
    ),
    "iot hub query": (hub, auth_type, _query, top(None)),
}  # fmt: skip
