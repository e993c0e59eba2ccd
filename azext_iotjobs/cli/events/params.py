"""Options of events."""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.hub_access.completers import device_ids
from azext_iotjobs.cli.input.message_params import AMQP_TRANSPORT, WITHOUT_EFFECT
from azext_iotjobs.cli.input.options import Group, Options, extra
from azext_iotjobs.cli.input.shared_params import HUB

EVENTS_HUB: Group = (
    *HUB,
    extra(
        "our_login",
        "--login -l",
        "The hub's connection string with a policy key, or that of its built-in endpoint, Endpoint=sb://…. "
        "`-l @file` reads it from a file and keeps it out of the process list.",
        group="IoT Hub Identifier",
    ),
)

FILTER: Group = (
    extra(
        "our_device_id",
        "--device-id -d",
        "Only events of this device. With * for any characters and ? for one: of all devices whose id fits.",
        completer=device_ids,
    ),
    extra("our_module_id", "--module-id -m", "Only events of this module; * and ? as for --device-id."),
    extra("our_interface", "--interface -i", "Only events whose interface, or model id, is this one."),
    extra(
        "our_device_query",
        "--device-query -q",
        'Only events of the devices that this query finds when the command begins, for example "SELECT * FROM devices '
        "WHERE tags.site = 'north'\".",
    ),
)

READING: Group = (
    extra("our_consumer_group", "--consumer-group --cg -c", "Consumer group to read with.", default="$Default"),
    extra(
        "our_enqueued_time",
        "--enqueued-time --et -e",
        "Begin with events that the hub got after this time: milliseconds since 1970, or an ISO 8601 instant. Default: "
        "what comes from now on.",
    ),
    extra(
        "our_timeout",
        "--timeout --to -t",
        "End after this many seconds, also while events come; 0: no limit. It is not a time of silence.",
        type=int,
        default=300,
    ),
    extra("our_message_count", "--message-count --mc", "End after this many events that were shown.", type=int),
    *AMQP_TRANSPORT,
)

SHOWN: Group = (
    extra(
        "our_properties",
        "--properties --props -p",
        "Also show: `sys`, the message's own properties; `app`, the application's; `anno`, what the hub adds; `all`.",
        arg_type=get_enum_type(["sys", "app", "anno", "all"]),
        nargs="*",
    ),
    extra(
        "our_content_type",
        "--content-type --ct",
        "Content type to read bodies by, in place of what each message says; for example application/json.",
    ),
    extra(
        "output_file",
        "--output-file",
        "File to write events to instead of stdout, as JSON lines; what is in it stays, and each event is written at "
        "once. --query applies to them, --output does not.",
    ),
    extra(
        "exit_zero",
        "--exit-zero",
        "End with exit code 0 even if nothing came, or not enough, before the time was over.",
        action="store_true",
    ),
)

MONITOR: Options = (EVENTS_HUB, FILTER, READING, SHOWN, WITHOUT_EFFECT)
