"""Options of direct methods."""

from azext_iotjobs.cli.input.options import Group, Options, checked, option
from azext_iotjobs.cli.input.shared_params import (
    AUTH_TYPE,
    DEVICE,
    GUARDS,
    HUB,
    JSON_FORMS,
    METHOD,
    OUTCOME,
    SELECTION,
    rows,
)

INVOKE: Group = (
    option("method_json", "--method-payload --mp", f"Payload of the method: {JSON_FORMS}.", nargs="+"),
    option("timeout_s", "--timeout --to", "Seconds for the device to connect and to answer, 5 to 300.", type=int),
    option(
        "connect_limit_s",
        "--connect-timeout --ct",
        "Seconds of --timeout that the hub waits for the device to connect, 0 to 300. Default: --timeout.",
        type=int,
    ),
)


CALLING: Group = (
    option(
        "concurrency",
        "--concurrency",
        "Calls under way at once, 1 to 200. Default: 10.",
        group="Many Devices",
        type=int,
    ),
    option(
        "calls_a_second",
        "--rate",
        "Calls a second at most. Default: as fast as they are answered; throttling slows all of them down.",
        group="Many Devices",
        type=float,
    ),
    option(
        "merges_equal",
        "--group-output",
        "Show equal answers as one, with their number and the first devices.",
        group="Many Devices",
        action="store_true",
    ),
    *rows("New file for the rows, written as the devices answer; - is stdout.", "Many Devices"),
)


OPTIONAL_MODULE: Group = (
    option(
        "module",
        "--module-id -m",
        "Module id. Not needed with a --query-condition that selects modules.",
        validator=checked("module", "--module-id", "MODULE"),
    ),
)


INVOKE_DEVICE: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    METHOD,
    INVOKE,
    SELECTION,
    GUARDS,
    CALLING,
    OUTCOME,
)
INVOKE_MODULE: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    OPTIONAL_MODULE,
    METHOD,
    INVOKE,
    SELECTION,
    GUARDS,
    CALLING,
    OUTCOME,
)
