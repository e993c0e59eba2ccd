"""Options of fleet jobs.

What belongs to a definition are extras: az gives them to the handler as keywords, and `definition_options.py` has their
names.
"""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.fleet_job import completers
from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.shared_params import (
    AUTH_TYPE,
    ERROR_CLASSES,
    HUB,
    ID_LIST,
    JSON_FORMS,
    rows,
)
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS

ON_ACTION, ON_DEVICES, ON_ROLLOUT, ON_DELIVERY = "Action", "Devices", "Rollout", "Delivery"  # headings in the help

STATES = ("pending", "running", "completed", "failed", "stopped", "canceled")

TIERS = ("F1", "B1", "B2", "B3", "S1", "S2", "S3")


def timeouts(default: str, group: str) -> Group:
    return (
        extra(
            "connect_timeout",
            "--method-connect-timeout --mct",
            f"Seconds that the hub waits for a device to connect, 0 to 300. {default}",
            group=group,
            type=int,
        ),
        extra(
            "response_timeout",
            "--method-response-timeout --mrt",
            f"Seconds that the hub waits for a device's answer, connecting included, 5 to 300. {default}",
            group=group,
            type=int,
        ),
    )


NARROWER: Group = (
    extra(
        "first_devices",
        "--limit",
        "Only the first so many of them, in the order in which they are named, of a condition in that of "
        "their ids. 0 takes a limit away.",
        group=ON_DEVICES,
        type=int,
    ),
    extra(
        "share_of_devices", "--sample", "A random sample of so many percent, such as 5%, rounded up.", group=ON_DEVICES
    ),
    extra(
        "sample_seed",
        "--seed",
        "With --sample: another number is another sample. Default: 0.",
        group=ON_DEVICES,
        type=int,
    ),
)


ACTION: Group = (
    extra(
        "patch",
        "--twin-patch --patch",
        f"What to merge into each twin (tags, properties.desired): {JSON_FORMS}.",
        group=ON_ACTION,
        nargs="+",
    ),
    extra(
        "desired_json",
        "--desired",
        "Desired properties alone, in place of --twin-patch: `light=5`, or in the other forms.",
        group=ON_ACTION,
        nargs="+",
    ),
    extra("tags_json", "--tags", "Tags alone, or with --desired.", group=ON_ACTION, nargs="+"),
    extra("method", "--method-name --mn", "Name of the direct method that is called.", group=ON_ACTION),
    extra(
        "method_json",
        "--method-payload --mp",
        f"Payload of the method: {JSON_FORMS}. Default: null.",
        group=ON_ACTION,
        nargs="+",
    ),
    *timeouts("Default: 30.", ON_ACTION),
    extra(
        "edge_content",
        "--content -k",
        "Configuration content that is applied to edge devices, with modulesContent: JSON or `@file`.",
        group=ON_ACTION,
        nargs="+",
    ),
    extra(
        "success",
        "--success-status",
        f"Method statuses with which a device has succeeded: numbers and ranges. Default: {DEFAULT_SUCCESS_STATUS}.",
        group=ON_ACTION,
    ),
)


NEW_ID: Group = (
    option("fleet_job", "--fleet-job-id -j", "Id of the fleet job: at most 40 of a-z, 0-9, dash, dot and underscore."),
)


ID: Group = (option("fleet_job", "--fleet-job-id -j", "Id of the fleet job.", completer=completers.fleet_job_ids),)


def other_id(default: str) -> Group:
    return (option("new_job", "--new-fleet-job-id", f"Id of the new fleet job. Default: {default}."),)


STATE: Group = (
    extra(
        "state_path",
        "--state-dir",
        "Folder in which fleet jobs are kept. Default: iotjobs/fleet-jobs in az's configuration folder.",
    ),
)


NAMES: Group = (
    extra("display_as", "--display-name", "What the fleet job is called, at most 148 characters. Default: its id."),
    extra("described", "--description", "What it is for."),
    extra("label_pairs", "--labels", 'Labels, as name=value with spaces between them. "" takes all away.', nargs="*"),
)


DEVICES: Group = (
    extra(
        "condition",
        "--query-condition -q",
        "The WHERE part of a twin query that selects the devices when a run starts, for example "
        "\"tags.site = 'north'\". All devices: *.",
        group=ON_DEVICES,
    ),
    extra(
        "named_devices",
        "--device-ids",
        f"Device ids {ID_LIST}",
        group=ON_DEVICES,
    ),
    extra(
        "devices_path",
        "--devices-file",
        "File of device ids: one in a line, a table with a deviceId column, or JSON; - is standard input.",
        group=ON_DEVICES,
    ),
    extra(
        "device_group",
        "--group --group-id",
        "Name of a device group, as `fleet-job group create` saved it.",
        group=ON_DEVICES,
        completer=completers.device_groups,
    ),
)


FEWER: Group = (
    extra(
        "left_out",
        "--exclude",
        f"Device ids to leave out, {ID_LIST}",
        group=ON_DEVICES,
    ),
    *NARROWER,
)


MOST: Group = (
    extra(
        "devices_at_most",
        "--max-devices",
        "Refuse a larger number of devices before anything is sent. A standing limit: "
        "az config set iotjobs.max_devices=N.",
        group=ON_DEVICES,
        type=int,
    ),
)


ROLLOUT: Group = (
    extra(
        "batch_text",
        "--batch -b",
        "Devices in a batch: a number, a percentage such as 10% (rounded up), or a list such as 1,5,20% whose "
        "last one repeats. Default: one batch of all.",
        group=ON_ROLLOUT,
    ),
    extra(
        "batch_kind",
        "--batch-type --bt",
        "What numbers of --batch without a sign count. Default: number.",
        group=ON_ROLLOUT,
        arg_type=get_enum_type(["number", "percentage"]),
    ),
    extra(
        "batch_pause",
        "--batch-pause",
        "Time between the end of a batch and the start of the next, such as 30s or 5m.",
        group=ON_ROLLOUT,
    ),
    extra(
        "threshold_text",
        "--cancellation-threshold --cth",
        "How many devices may fail, as a number or a percentage such as 5%; one more ends the run. `none` "
        "takes it away.",
        group=ON_ROLLOUT,
    ),
    extra(
        "threshold_kind",
        "--cancellation-threshold-type --ctt",
        "What --cancellation-threshold counts without a sign. Default: number.",
        group=ON_ROLLOUT,
        arg_type=get_enum_type(["number", "percentage"]),
    ),
    extra(
        "threshold_per_batch",
        "--cancellation-threshold-batch --ctb",
        "The threshold is of each batch, not of the whole run.",
        group=ON_ROLLOUT,
        arg_type=get_three_state_flag(),
    ),
    extra(
        "threshold_least",
        "--cancellation-threshold-min-sample --ctm",
        "So many devices must have ended before the threshold is looked at. Default: 1.",
        group=ON_ROLLOUT,
        type=int,
    ),
    extra(
        "threshold_classes",
        "--cancellation-threshold-error-class --cte",
        f"Failures that count, with commas between them: {', '.join(ERROR_CLASSES)}, uncertain. Default: all.",
        group=ON_ROLLOUT,
    ),
    extra(
        "threshold_does",
        "--cancellation-threshold-action --cta",
        "What becomes of the run: canceled for good, or stopped, so that it can be resumed. Default: cancel.",
        group=ON_ROLLOUT,
        arg_type=get_enum_type(["cancel", "stop"]),
    ),
    extra(
        "retry_text",
        "--retry",
        f"Failures that are tried again, and how often: offline=3,timeout. Out of {', '.join(ERROR_CLASSES)}. "
        "`none` takes it away.",
        group=ON_ROLLOUT,
    ),
    extra(
        "retry_when",
        "--retry-when",
        "In the device's batch, or when all batches have ended. Default: at-once.",
        group=ON_ROLLOUT,
        arg_type=get_enum_type(["at-once", "at-end"]),
    ),
    extra("retry_pause", "--retry-pause", "Time before the second try. Default: 10s.", group=ON_ROLLOUT),
    extra(
        "retry_growth",
        "--retry-growth",
        "By what the pause grows from try to try. Default: 2.",
        group=ON_ROLLOUT,
        type=float,
    ),
    extra("retry_longest", "--retry-max-pause", "The longest pause. Default: 10m.", group=ON_ROLLOUT),
)


DRIVER: Group = (
    extra(
        "driver_word",
        "--driver",
        "Who operates the devices: the hub by its jobs, this command by calls, or what is faster on the hub's "
        "tier; the result says why. Default: auto.",
        group=ON_DELIVERY,
        arg_type=get_enum_type(["jobs", "calls", "auto"]),
    ),
)


PACE: Group = (
    extra(
        "concurrency", "--concurrency", "Calls under way at once, 1 to 200. Default: 10.", group=ON_DELIVERY, type=int
    ),
    extra(
        "calls_a_second",
        "--rate",
        "Calls a second at most. Default: as fast as they are answered; throttling slows all of them down.",
        group=ON_DELIVERY,
        type=float,
    ),
    extra(
        "ttl_s",
        "--ttl",
        "Seconds that a hub job may run at most; a device that is away holds its batch for so long. Default, "
        "and 0: what the devices of the batch can need, by their number, the timeouts and the hub's "
        "tier.",
        group=ON_DELIVERY,
        type=int,
    ),
)


TIER: Group = (
    extra(
        "hub_tier",
        "--sku",
        "The hub's tier, for estimates and --driver auto, where it is not known: it is of a hub that was "
        "looked up in Azure with a key, and of a local hub.",
        group=ON_DELIVERY,
        arg_type=get_enum_type(TIERS),
    ),
    extra("hub_units", "--units", "Units of that tier. Default: 1.", group=ON_DELIVERY, type=int),
)


PLAN: Group = (
    option(
        "only_plans",
        "--dry-run",
        "Show how many devices and batches there are, and how long they take by each driver; change nothing.",
        action="store_true",
    ),
)


RUNNING: Group = (
    option("sure", "--yes -y", "Do not ask, whatever the number of devices.", action="store_true"),
    option("events_path", "--events", "File for what happens, as JSON lines, as it happens."),
    option("overwrites_events", "--overwrite", "With --events: replace a file that is there.", action="store_true"),
    option(
        "always_zero",
        "--exit-zero",
        "End with exit code 0 also when devices failed, or the run was stopped or canceled.",
        action="store_true",
    ),
)


UNFINISHED: Group = (
    option(
        "if_unfinished",
        "--if-unfinished",
        "What to do when the run before has not ended: end with exit code 9, go on with it in place of a "
        "new one, or cancel it and run anew. Default: fail.",
        arg_type=get_enum_type(["fail", "resume", "cancel"]),
    ),
)


RUN_AT_ONCE: Group = (option("runs", "--run", "Run it, too, and wait for its end.", action="store_true"),)


RUN_NUMBER: Group = (option("run_number", "--run", "Number of the run. Default: the last one.", type=int),)


ON: Group = (
    option(
        "chosen_words",
        "--on",
        "Which devices of the run: words out of all, pending, in-progress, completed, failed, uncertain, "
        f"{', '.join(ERROR_CLASSES)}, with commas between them.",
    ),
)


ASKING: Group = (
    option("reason", "--reason", "Why; it is recorded."),
    option(
        "wait_limit_s",
        "--poll-duration --duration",
        "Seconds to wait at most until calls and hub jobs under way have ended; 0: until they have.",
        type=int,
    ),
)


LIST_OPTIONS: Group = (
    option(
        "run_state",
        "--state",
        "Only those in this state, which is that of their last run.",
        arg_type=get_enum_type(STATES),
    ),
    option("since", "--since", "Only those made, edited or run in this time, such as 30d or 12h."),
    option("only_saved", "--saved", "Only those that have not run.", action="store_true"),
    option(
        "label_pairs",
        "--labels --label",
        "Only those with all of these labels: name=value, or a name alone for any value.",
        nargs="+",
        action="extend",
    ),
    option(
        "text",
        "--contains",
        "Only those with this text in their id, display name, description or a label, in capitals or not.",
    ),
)


RESULTS_OPTIONS: Group = (
    option(
        "device_states",
        "--status",
        "Only devices in one of these states: pending, in-progress, completed, failed, uncertain, with "
        "commas between them.",
        nargs="+",
        action="extend",
    ),
    option(
        "error_kinds",
        "--error-class",
        f"Only devices that failed in one of these ways, with commas between them: {', '.join(ERROR_CLASSES)}.",
        nargs="+",
        action="extend",
    ),
    option("one_device", "--device-id -d", "Only this device; an error where the run does not have it."),
    *rows("File for the rows; - is stdout."),
    option(
        "asks_registry",
        "--check-registry",
        "Ask the hub which of the devices are gone from its registry: the column deleted.",
        action="store_true",
    ),
)


OLDER: Group = (
    option(
        "older_than",
        "--older-than",
        "In place of one fleet job: the runs of all that ended so long ago, with their results; 30d or "
        "more. Fleet jobs themselves stay.",
    ),
)


SURE: Group = (option("sure", "--yes -y", "Do not ask before it is deleted.", action="store_true"),)


GROUP: Group = (
    option("device_group", "--group --group-id", "Name of the device group.", completer=completers.device_groups),
)


GROUP_CONDITION: Group = (
    option(
        "condition", "--query-condition -q", "The WHERE part of a twin query that selects the devices, each time anew."
    ),
)


_HUB = (HUB, AUTH_TYPE, STATE)

_DELIVERY = (DRIVER, PACE)

_OWN_TIMEOUTS = timeouts("Default: as it was saved.", ON_DELIVERY)

_DEFINITION = (NAMES, ACTION, DEVICES, FEWER, MOST, ROLLOUT, *_DELIVERY)


CREATE: Options = (*_HUB, NEW_ID, *_DEFINITION, TIER, PLAN, RUN_AT_ONCE, RUNNING)
RUN: Options = (
    *_HUB,
    ID,
    UNFINISHED,
    NARROWER,
    MOST,
    *_DELIVERY,
    _OWN_TIMEOUTS,
    TIER,
    PLAN,
    RUNNING,
)
RESUME: Options = (*_HUB, ID, PACE, _OWN_TIMEOUTS, RUNNING)
RERUN: Options = (
    *_HUB,
    ID,
    other_id("its own, and -r1, -r2, …"),
    RUN_NUMBER,
    ON,
    FEWER,
    MOST,
    NAMES,
    ROLLOUT,
    *_DELIVERY,
    _OWN_TIMEOUTS,
    TIER,
    PLAN,
    RUNNING,
)
STOP: Options = (*_HUB, ID, ASKING)
CANCEL: Options = (*_HUB, ID, ASKING)
SHOW: Options = (*_HUB, ID, RUN_NUMBER)
LIST: Options = (*_HUB, LIST_OPTIONS)
LIST_RUNS: Options = (*_HUB, ID)
RESULTS: Options = (*_HUB, ID, RUN_NUMBER, RESULTS_OPTIONS)
COPY: Options = (*_HUB, ID, other_id("its own, and -copy"), *_DEFINITION)
UPDATE: Options = (*_HUB, ID, *_DEFINITION)
DELETE: Options = (*_HUB, ID, OLDER, SURE)
CREATE_GROUP: Options = (*_HUB, GROUP, GROUP_CONDITION)
SHOW_GROUP: Options = (*_HUB, GROUP)
LIST_GROUP: Options = _HUB
UPDATE_GROUP: Options = (*_HUB, GROUP, GROUP_CONDITION)
DELETE_GROUP: Options = (*_HUB, GROUP, SURE)
