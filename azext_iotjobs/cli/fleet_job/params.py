"""Options of fleet jobs.

What belongs to a definition are extra arguments: az gives them to the handler as keywords, where
`cli/fleet_job/definition_options.py` has their names.
"""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli import completion
from azext_iotjobs.cli.input.shared_params import (
    ERROR_CLASSES,
    JSON_FORMS,
    AddOptions,
    Context,
    Options,
    auth_type,
    hub,
    rows,
)
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS

WHAT, WHO, ROLLOUT, REACH = "Action", "Devices", "Rollout", "Delivery"
STATES = ("pending", "running", "completed", "failed", "stopped", "canceled")
TIERS = ("F1", "B1", "B2", "B3", "S1", "S2", "S3")


def _new_id(c: Context) -> None:
    c.argument("fleet_job", options_list=["--fleet-job-id", "-j"],
               help="Id of the fleet job: at most 40 of a-z, 0-9, dash, dot and underscore.")  # fmt: skip


def _id(c: Context) -> None:
    c.argument("fleet_job", options_list=["--fleet-job-id", "-j"], completer=completion.fleet_job_ids,
               help="Id of the fleet job.")  # fmt: skip


def _other_id(default: str) -> AddOptions:
    def add(c: Context) -> None:
        c.argument("new_job", options_list=["--new-fleet-job-id"],
                   help=f"Id of the new fleet job. Default: {default}.")  # fmt: skip

    return add


def _state(c: Context) -> None:
    c.extra("state_path", options_list=["--state-dir"],
            help="Folder in which fleet jobs are kept. Default: iotjobs/fleet-jobs in az's configuration "
                 "folder.")  # fmt: skip


def _names(c: Context) -> None:
    c.extra("display_as", options_list=["--display-name"],
            help="What the fleet job is called, at most 148 characters. Default: its id.")  # fmt: skip
    c.extra("described", options_list=["--description"], help="What it is for.")
    c.extra("label_pairs", options_list=["--labels"], nargs="*",
            help='Labels, as name=value with spaces between them. "" takes all away.')  # fmt: skip


def _action(c: Context) -> None:
    c.extra("patch", options_list=["--twin-patch", "--patch"], nargs="+", arg_group=WHAT,
            help=f"What to merge into each twin (tags, properties.desired): {JSON_FORMS}.")  # fmt: skip
    c.extra("desired_json", options_list=["--desired"], nargs="+", arg_group=WHAT,
            help="Desired properties alone, in place of --twin-patch: `light=5`, or in the other forms.")  # fmt: skip
    c.extra("tags_json", options_list=["--tags"], nargs="+", arg_group=WHAT,
            help="Tags alone, or with --desired.")  # fmt: skip
    c.extra("method", options_list=["--method-name", "--mn"], arg_group=WHAT,
            help="Name of the direct method that is called.")  # fmt: skip
    c.extra("method_json", options_list=["--method-payload", "--mp"], nargs="+", arg_group=WHAT,
            help=f"Payload of the method: {JSON_FORMS}. Default: null.")  # fmt: skip
    _timeouts("Default: 30.", WHAT)(c)
    c.extra("edge_content", options_list=["--content", "-k"], nargs="+", arg_group=WHAT,
            help="Configuration content that is applied to edge devices, with modulesContent: JSON or "
                 "`@file`.")  # fmt: skip
    c.extra("success", options_list=["--success-status"], arg_group=WHAT,
            help="Method statuses with which a device has succeeded: numbers and ranges. "
                 f"Default: {DEFAULT_SUCCESS_STATUS}.")  # fmt: skip


def _timeouts(default: str, group: str) -> AddOptions:
    def add(c: Context) -> None:
        c.extra("connect_timeout", options_list=["--method-connect-timeout", "--mct"], type=int, arg_group=group,
                help=f"Seconds that the hub waits for a device to connect, 0 to 300. {default}")  # fmt: skip
        c.extra("response_timeout", options_list=["--method-response-timeout", "--mrt"], type=int, arg_group=group,
                help="Seconds that the hub waits for a device's answer, connecting included, 5 to 300. "
                     f"{default}")  # fmt: skip

    return add


def _devices(c: Context) -> None:
    c.extra("condition", options_list=["--query-condition", "-q"], arg_group=WHO,
            help="The WHERE part of a twin query that selects the devices when a run starts, for example "
                 "\"tags.site = 'north'\". All devices: *.")  # fmt: skip
    c.extra("named_devices", options_list=["--device-ids"], arg_group=WHO,
            help="Device ids with commas between them; one that holds a comma stands in double quotes.")  # fmt: skip
    c.extra("devices_path", options_list=["--devices-file"], arg_group=WHO,
            help="File of device ids: one in a line, a table with a deviceId column, or JSON; - is standard "
                 "input.")  # fmt: skip
    c.extra("device_group", options_list=["--group", "--group-id"], arg_group=WHO, completer=completion.device_groups,
            help="Name of a device group, as `fleet-job group create` saved it.")  # fmt: skip


def _fewer(c: Context) -> None:
    c.extra("left_out", options_list=["--exclude"], arg_group=WHO,
            help="Device ids to leave out, with commas between them; one that holds a comma stands in double "
                 "quotes.")  # fmt: skip
    _narrower(c)


def _narrower(c: Context) -> None:
    c.extra("first_devices", options_list=["--limit"], type=int, arg_group=WHO,
            help="Only the first so many of them, in the order in which they are named, of a condition in that of "
                 "their ids. 0 takes a limit away.")  # fmt: skip
    c.extra("share_of_devices", options_list=["--sample"], arg_group=WHO,
            help="A random sample of so many percent, such as 5%, rounded up.")  # fmt: skip
    c.extra("sample_seed", options_list=["--seed"], type=int, arg_group=WHO,
            help="With --sample: another number is another sample. Default: 0.")  # fmt: skip


def _most(c: Context) -> None:
    c.extra("devices_at_most", options_list=["--max-devices"], type=int, arg_group=WHO,
            help="Refuse a larger number of devices before anything is sent. A standing limit: "
                 "az config set iotjobs.max_devices=N.")  # fmt: skip


def _rollout(c: Context) -> None:
    c.extra("batch_text", options_list=["--batch", "-b"], arg_group=ROLLOUT,
            help="Devices in a batch: a number, a percentage such as 10% (rounded up), or a list such as 1,5,20% whose "
                 "last one repeats. Default: one batch of all.")  # fmt: skip
    c.extra("batch_kind", options_list=["--batch-type", "--bt"], arg_type=get_enum_type(["number", "percentage"]),
            arg_group=ROLLOUT, help="What numbers of --batch without a sign count. Default: number.")  # fmt: skip
    c.extra("batch_pause", options_list=["--batch-pause"], arg_group=ROLLOUT,
            help="Time between the end of a batch and the start of the next, such as 30s or 5m.")  # fmt: skip
    c.extra("threshold_text", options_list=["--cancellation-threshold", "--cth"], arg_group=ROLLOUT,
            help="How many devices may fail, as a number or a percentage such as 5%; one more ends the run. `none` "
                 "takes it away.")  # fmt: skip
    c.extra("threshold_kind", options_list=["--cancellation-threshold-type", "--ctt"],
            arg_type=get_enum_type(["number", "percentage"]), arg_group=ROLLOUT,
            help="What --cancellation-threshold counts without a sign. Default: number.")  # fmt: skip
    c.extra("threshold_per_batch", options_list=["--cancellation-threshold-batch", "--ctb"],
            arg_type=get_three_state_flag(), arg_group=ROLLOUT,
            help="The threshold is of each batch, not of the whole run.")  # fmt: skip
    c.extra("threshold_least", options_list=["--cancellation-threshold-min-sample", "--ctm"], type=int,
            arg_group=ROLLOUT, help="So many devices must have ended before the threshold is looked at. "
                                    "Default: 1.")  # fmt: skip
    c.extra("threshold_classes", options_list=["--cancellation-threshold-error-class", "--cte"], arg_group=ROLLOUT,
            help=f"Failures that count, with commas between them: {', '.join(ERROR_CLASSES)}, uncertain. "
                 "Default: all.")  # fmt: skip
    c.extra("threshold_does", options_list=["--cancellation-threshold-action", "--cta"],
            arg_type=get_enum_type(["cancel", "stop"]), arg_group=ROLLOUT,
            help="What becomes of the run: canceled for good, or stopped, so that it can be resumed. "
                 "Default: cancel.")  # fmt: skip
    c.extra("retry_text", options_list=["--retry"], arg_group=ROLLOUT,
            help=f"Failures that are tried again, and how often: offline=3,timeout. Out of {', '.join(ERROR_CLASSES)}. "
                 "`none` takes it away.")  # fmt: skip
    c.extra("retry_when", options_list=["--retry-when"], arg_type=get_enum_type(["at-once", "at-end"]),
            arg_group=ROLLOUT, help="In the device's batch, or when all batches have ended. "
                                    "Default: at-once.")  # fmt: skip
    c.extra("retry_pause", options_list=["--retry-pause"], arg_group=ROLLOUT,
            help="Time before the second try. Default: 10s.")  # fmt: skip
    c.extra("retry_growth", options_list=["--retry-growth"], type=float, arg_group=ROLLOUT,
            help="By what the pause grows from try to try. Default: 2.")  # fmt: skip
    c.extra("retry_longest", options_list=["--retry-max-pause"], arg_group=ROLLOUT,
            help="The longest pause. Default: 10m.")  # fmt: skip


def _driver(c: Context) -> None:
    c.extra("driver_word", options_list=["--driver"], arg_type=get_enum_type(["jobs", "calls", "auto"]),
            arg_group=REACH,
            help="Who operates the devices: the hub by its jobs, this command by calls, or what is faster on the hub's "
                 "tier; the result says why. Default: auto.")  # fmt: skip


def _pace(c: Context) -> None:
    c.extra("concurrency", options_list=["--concurrency"], type=int, arg_group=REACH,
            help="Calls under way at once, 1 to 200. Default: 10.")  # fmt: skip
    c.extra("calls_a_second", options_list=["--rate"], type=float, arg_group=REACH,
            help="Calls a second at most. Default: as fast as they are answered; throttling slows all of them "
                 "down.")  # fmt: skip
    c.extra("ttl_s", options_list=["--ttl"], type=int, arg_group=REACH,
            help="Seconds that a hub job may run at most; a device that is away holds its batch for so long. Default, "
                 "and 0: what the devices of the batch can need, by their number, the timeouts and the hub's "
                 "tier.")  # fmt: skip


def _tier(c: Context) -> None:
    c.extra("hub_tier", options_list=["--sku"], arg_type=get_enum_type(TIERS), arg_group=REACH,
            help="The hub's tier, for estimates and --driver auto, where it is not known: it is of a hub that was "
                 "looked up in Azure with a key, and of a local hub.")  # fmt: skip
    c.extra("hub_units", options_list=["--units"], type=int, arg_group=REACH,
            help="Units of that tier. Default: 1.")  # fmt: skip


def _plan(c: Context) -> None:
    c.argument("only_plans", options_list=["--dry-run"], action="store_true",
               help="Show how many devices and batches there are, and how long they take by each driver; change "
                    "nothing.")  # fmt: skip


def _running(c: Context) -> None:
    c.argument("sure", options_list=["--yes", "-y"], action="store_true",
               help="Do not ask, whatever the number of devices.")  # fmt: skip
    c.argument("events_path", options_list=["--events"],
               help="File for what happens, as JSON lines, as it happens.")  # fmt: skip
    c.argument("overwrites_events", options_list=["--overwrite"], action="store_true",
               help="With --events: replace a file that is there.")  # fmt: skip
    c.argument("always_zero", options_list=["--exit-zero"], action="store_true",
               help="End with exit code 0 also when devices failed, or the run was stopped or canceled.")  # fmt: skip


def _unfinished(c: Context) -> None:
    c.argument("if_unfinished", options_list=["--if-unfinished"], arg_type=get_enum_type(["fail", "resume", "cancel"]),
               help="What to do when the run before has not ended: end with exit code 9, go on with it in place of a "
                    "new one, or cancel it and run anew. Default: fail.")  # fmt: skip


def _run_at_once(c: Context) -> None:
    c.argument("runs", options_list=["--run"], action="store_true", help="Run it, too, and wait for its end.")


def _run_number(c: Context) -> None:
    c.argument("run_number", options_list=["--run"], type=int, help="Number of the run. Default: the last one.")


def _on(c: Context) -> None:
    c.argument("chosen_words", options_list=["--on"],
               help="Which devices of the run: words out of all, pending, in-progress, completed, failed, uncertain, "
                    f"{', '.join(ERROR_CLASSES)}, with commas between them.")  # fmt: skip


def _asking(c: Context) -> None:
    c.argument("reason", options_list=["--reason"], help="Why; it is recorded.")
    c.argument("wait_limit_s", options_list=["--poll-duration", "--duration"], type=int,
               help="Seconds to wait at most until calls and hub jobs under way have ended; 0: until they "
                    "have.")  # fmt: skip


def _list(c: Context) -> None:
    c.argument("run_state", options_list=["--state"], arg_type=get_enum_type(STATES),
               help="Only those in this state, which is that of their last run.")  # fmt: skip
    c.argument("since", options_list=["--since"],
               help="Only those made, edited or run in this time, such as 30d or 12h.")  # fmt: skip
    c.argument("only_saved", options_list=["--saved"], action="store_true", help="Only those that have not run.")
    c.argument("label_pairs", options_list=["--labels", "--label"], nargs="+", action="extend",
               help="Only those with all of these labels: name=value, or a name alone for any value.")  # fmt: skip
    c.argument("text", options_list=["--contains"],
               help="Only those with this text in their id, display name, description or a label, in capitals or "
                    "not.")  # fmt: skip


def _results(c: Context) -> None:
    c.argument("device_states", options_list=["--status"], nargs="+", action="extend",
               help="Only devices in one of these states: pending, in-progress, completed, failed, uncertain, with "
                    "commas between them.")  # fmt: skip
    c.argument("error_kinds", options_list=["--error-class"], nargs="+", action="extend",
               help="Only devices that failed in one of these ways, with commas between them: "
                    f"{', '.join(ERROR_CLASSES)}.")  # fmt: skip
    c.argument("one_device", options_list=["--device-id", "-d"],
               help="Only this device; an error where the run does not have it.")  # fmt: skip
    rows("File for the rows; - is stdout.")(c)
    c.argument("asks_registry", options_list=["--check-registry"], action="store_true",
               help="Ask the hub which of the devices are gone from its registry: the column deleted.")  # fmt: skip


def _older(c: Context) -> None:
    c.argument("older_than", options_list=["--older-than"],
               help="In place of one fleet job: the runs of all that ended so long ago, with their results; 30d or "
                    "more. Fleet jobs themselves stay.")  # fmt: skip


def _sure(c: Context) -> None:
    c.argument("sure", options_list=["--yes", "-y"], action="store_true", help="Do not ask before it is deleted.")


def _group(c: Context) -> None:
    c.argument("device_group", options_list=["--group", "--group-id"], completer=completion.device_groups,
               help="Name of the device group.")  # fmt: skip


def _group_condition(c: Context) -> None:
    c.argument("condition", options_list=["--query-condition", "-q"],
               help="The WHERE part of a twin query that selects the devices, each time anew.")  # fmt: skip


_HUB = (hub, auth_type, _state)
_DELIVERY = (_driver, _pace)
_own_timeouts = _timeouts("Default: as it was saved.", REACH)
_DEFINITION = (_names, _action, _devices, _fewer, _most, _rollout, *_DELIVERY)

OPTIONS: Options = {
    "iot hub fleet-job create": (*_HUB, _new_id, *_DEFINITION, _tier, _plan, _run_at_once, _running),
    "iot hub fleet-job run": (
        *_HUB, _id, _unfinished, _narrower, _most, *_DELIVERY, _own_timeouts, _tier, _plan, _running,
    ),
    "iot hub fleet-job resume": (*_HUB, _id, _pace, _own_timeouts, _running),
    "iot hub fleet-job rerun": (
        *_HUB, _id, _other_id("its own, and -r1, -r2, …"), _run_number, _on, _fewer, _most, _names, _rollout,
        *_DELIVERY, _own_timeouts, _tier, _plan, _running,
    ),
    "iot hub fleet-job stop": (*_HUB, _id, _asking),
    "iot hub fleet-job cancel": (*_HUB, _id, _asking),
    "iot hub fleet-job show": (*_HUB, _id, _run_number),
    "iot hub fleet-job list": (*_HUB, _list),
    "iot hub fleet-job list-runs": (*_HUB, _id),
    "iot hub fleet-job results": (*_HUB, _id, _run_number, _results),
    "iot hub fleet-job copy": (*_HUB, _id, _other_id("its own, and -copy"), *_DEFINITION),
    "iot hub fleet-job update": (*_HUB, _id, *_DEFINITION),
    "iot hub fleet-job delete": (*_HUB, _id, _older, _sure),
    "iot hub fleet-job group create": (*_HUB, _group, _group_condition),
    "iot hub fleet-job group show": (*_HUB, _group),
    "iot hub fleet-job group list": _HUB,
    "iot hub fleet-job group update": (*_HUB, _group, _group_condition),
    "iot hub fleet-job group delete": (*_HUB, _group, _sure),
}  # fmt: skip
