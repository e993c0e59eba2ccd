"""Options of a fleet job's definition: what is done, to which devices, in which batches, past which gates.

They are extras: the fields of DefinitionOptions and of the groups in it have their names.
"""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.fleet_job import completers
from azext_iotjobs.cli.fleet_job.gate_params import GATES
from azext_iotjobs.cli.input.options import Group, extra
from azext_iotjobs.cli.input.row_params import RUN_ERROR_CLASSES
from azext_iotjobs.cli.input.shared_params import (
    JSON_FORMS,
    PATCH_FORMS,
    TAG_FORMS,
    device_ids,
    devices_file,
    exclude,
    verification,
)
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS

# Headings in the help.
ON_ACTION, ON_DEVICES, ON_ROLLOUT, ON_DELIVERY = "Action", "Devices", "Rollout", "Delivery"


def timeouts(default: str, group: str) -> Group:
    return (
        extra(
            "our_method_connect_timeout",
            "--method-connect-timeout --mct",
            f"Seconds that the hub waits for a device to connect, 0 to 300. {default}",
            group=group,
            type=int,
        ),
        extra(
            "our_method_response_timeout",
            "--method-response-timeout --mrt",
            f"Seconds that the hub waits for a device's answer, connecting included, 5 to 300. {default}",
            group=group,
            type=int,
        ),
    )


NARROWER: Group = (
    extra(
        "limit",
        "--limit",
        "Use only the first N of them, in the order in which they are named or, for a condition, in the order of "
        "their ids. 0 removes a limit.",
        group=ON_DEVICES,
        type=int,
    ),
    extra(
        "sample", "--sample", "Use only a random sample of this percentage, such as 5%, rounded up.", group=ON_DEVICES
    ),
    extra(
        "seed",
        "--seed",
        "With --sample: the seed. Another number gives another sample. Default: 0.",
        group=ON_DEVICES,
        type=int,
    ),
)


ACTION: Group = (
    extra(
        "our_twin_patch",
        "--twin-patch --patch",
        f"What to merge into each twin (tags, properties.desired): {PATCH_FORMS}.",
        group=ON_ACTION,
        nargs="+",
    ),
    extra(
        "our_desired",
        "--desired",
        f"Desired properties alone, in place of --twin-patch: {JSON_FORMS}.",
        group=ON_ACTION,
        nargs="+",
    ),
    extra("our_tags", "--tags", f"Tags alone, or with --desired: {TAG_FORMS}.", group=ON_ACTION, nargs="+"),
    extra("our_method_name", "--method-name --mn", "Name of the direct method that is called.", group=ON_ACTION),
    extra(
        "our_method_payload",
        "--method-payload --mp",
        f"Payload of the method: {JSON_FORMS}. Default: null.",
        group=ON_ACTION,
        nargs="+",
    ),
    *timeouts("Default: 30.", ON_ACTION),
    extra(
        "our_content",
        "--content -k",
        "Configuration content that is applied to edge devices, with modulesContent: JSON or `@file`.",
        group=ON_ACTION,
        nargs="+",
    ),
    extra(
        "success_status",
        "--success-status",
        f"Method statuses with which a device has succeeded: numbers and ranges. Default: {DEFAULT_SUCCESS_STATUS}.",
        group=ON_ACTION,
    ),
)


NAMES: Group = (
    extra("display_name", "--display-name", "What the fleet job is called, at most 148 characters. Default: its id."),
    extra("description", "--description", "What it is for."),
    extra("our_labels", "--labels", 'Labels, as name=value with spaces between them. "" removes all.', nargs="*"),
)


DEVICES: Group = (
    extra(
        "our_query_condition",
        "--query-condition -q",
        "The WHERE part of a twin query that selects the devices when a run starts, for example "
        "\"tags.site = 'north'\". All devices: *.",
        group=ON_DEVICES,
    ),
    *device_ids(ON_DEVICES),
    *devices_file(ON_DEVICES),
    extra(
        "group",
        "--group --group-id",
        "Name of a device group, as `fleet-job group create` saved it.",
        group=ON_DEVICES,
        completer=completers.device_groups,
    ),
)


FEWER: Group = (
    *exclude(ON_DEVICES),
    *NARROWER,
)


MOST: Group = (
    extra(
        "max_devices",
        "--max-devices",
        "Refuse a larger number of devices before anything is sent. To save a limit: az config set "
        "iotjobs.max_devices=N.",
        group=ON_DEVICES,
        type=int,
    ),
)


ROLLOUT: Group = (
    extra(
        "batch",
        "--batch -b",
        "Devices in a batch: a number, a percentage such as 10% (rounded up), or a list such as 1,5,20% whose last "
        "size repeats. Default: one batch of all.",
        group=ON_ROLLOUT,
    ),
    extra(
        "batch_type",
        "--batch-type --bt",
        "What a number in --batch without a % sign means. Default: number.",
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
        "cancellation_threshold",
        "--cancellation-threshold --cth",
        "How many devices may fail, as a number or a percentage such as 5%; one more ends the run. `none` "
        "removes the threshold.",
        group=ON_ROLLOUT,
    ),
    extra(
        "cancellation_threshold_type",
        "--cancellation-threshold-type --ctt",
        "What --cancellation-threshold means without a % sign. Default: number.",
        group=ON_ROLLOUT,
        arg_type=get_enum_type(["number", "percentage"]),
    ),
    extra(
        "cancellation_threshold_batch",
        "--cancellation-threshold-batch --ctb",
        "The threshold applies to each batch, not to the whole run.",
        group=ON_ROLLOUT,
        arg_type=get_three_state_flag(),
    ),
    extra(
        "cancellation_threshold_min_sample",
        "--cancellation-threshold-min-sample --ctm",
        "How many devices must have ended before the threshold applies. Default: 1.",
        group=ON_ROLLOUT,
        type=int,
    ),
    extra(
        "cancellation_threshold_error_class",
        "--cancellation-threshold-error-class --cte",
        f"Failures that count, with commas between them: {', '.join(RUN_ERROR_CLASSES)}, uncertain. Default: all.",
        group=ON_ROLLOUT,
    ),
    extra(
        "cancellation_threshold_action",
        "--cancellation-threshold-action --cta",
        "What happens to the run: it is canceled for good, or stopped, so that it can be resumed. Default: cancel.",
        group=ON_ROLLOUT,
        arg_type=get_enum_type(["cancel", "stop"]),
    ),
    extra(
        "retry",
        "--retry",
        "Failures that are tried again, and how often: offline=3,timeout. Possible classes: "
        f"{', '.join(RUN_ERROR_CLASSES)}. `none` removes the retries.",
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
        "Factor by which the pause grows from try to try. Default: 2.",
        group=ON_ROLLOUT,
        type=float,
    ),
    extra("retry_max_pause", "--retry-max-pause", "The longest pause. Default: 10m.", group=ON_ROLLOUT),
)


DRIVER: Group = (
    extra(
        "driver",
        "--driver",
        "What operates the devices: the hub's jobs, calls by this command, or whichever is faster on the hub's "
        "tier; the result says why. Default: auto.",
        group=ON_DELIVERY,
        arg_type=get_enum_type(["jobs", "calls", "auto"]),
    ),
)


PACE: Group = (
    extra(
        "concurrency", "--concurrency", "Calls at the same time, 1 to 200. Default: 10.", group=ON_DELIVERY, type=int
    ),
    extra(
        "rate",
        "--rate",
        "Calls a second at most. Default: as fast as they are answered; throttling slows all of them down.",
        group=ON_DELIVERY,
        type=float,
    ),
    extra(
        "our_ttl",
        "--ttl",
        "Longest time that a hub job may run, in seconds; an offline device can delay its batch for that long. "
        "Default, and 0: calculated from the number of devices in the batch, the timeouts and the hub's tier.",
        group=ON_DELIVERY,
        type=int,
    ),
)


WHEN_ONLINE: Group = (
    extra(
        "when_online",
        "--when-online",
        "How long a device that is offline may take to connect, 10s to 30d, such as 7d. It does not fail and holds up "
        "neither its batch nor the run; it is operated when it connects. `none`: it fails; the default "
        "of a new fleet job.",
        group=ON_DELIVERY,
    ),
)


DELIVERY = (DRIVER, PACE, WHEN_ONLINE)


VERIFICATION = verification(is_removable=True)


DEFINITION = (NAMES, ACTION, DEVICES, FEWER, MOST, ROLLOUT, VERIFICATION, GATES, *DELIVERY)
