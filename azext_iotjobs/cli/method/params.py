"""Options of direct methods."""

from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.row_params import rows
from azext_iotjobs.cli.input.shared_params import (
    AUTH_TYPE,
    DEVICE,
    GUARDS,
    HUB,
    JSON_FORMS,
    OUTCOME,
    SELECTION,
    verification,
)

CALL: Group = (
    extra("our_method_name", "--method-name --mn", "Name of the direct method.", required=True),
    extra(
        "our_method_payload", "--method-payload --mp", f"Payload of the method: {JSON_FORMS}.", nargs="+", default="{}"
    ),
    extra(
        "our_timeout",
        "--timeout --to",
        "Seconds for the device to connect and to answer, 5 to 300.",
        type=int,
        default=30,
    ),
    extra(
        "connect_timeout",
        "--connect-timeout --ct",
        "Seconds of --timeout that the hub waits for the device to connect, 0 to 300. Default: --timeout.",
        type=int,
    ),
)


MANY_CALLS: Group = (
    extra(
        "concurrency",
        "--concurrency",
        "Calls under way at once, 1 to 200. Default: 10.",
        group="Many Devices",
        type=int,
    ),
    extra(
        "rate",
        "--rate",
        "Calls a second at most. Default: as fast as they are answered; throttling slows all of them down.",
        group="Many Devices",
        type=float,
    ),
    extra(
        "group_output",
        "--group-output",
        "Show equal answers as one, with their number and the first devices.",
        group="Many Devices",
        action="store_true",
    ),
    *rows("New file for the rows, written as the devices answer; - is stdout.", "Many Devices"),
)


OPTIONAL_MODULE: Group = (
    option(
        "our_module_id",
        "--module-id -m",
        "Module id. Not needed with a --query-condition that selects modules.",
        id_kind="MODULE",
    ),
)


_MANY = (SELECTION, GUARDS, MANY_CALLS, OUTCOME, verification(is_removable=False))

INVOKE_DEVICE: Options = (HUB, AUTH_TYPE, DEVICE, CALL, *_MANY)
INVOKE_MODULE: Options = (HUB, AUTH_TYPE, DEVICE, OPTIONAL_MODULE, CALL, *_MANY)
