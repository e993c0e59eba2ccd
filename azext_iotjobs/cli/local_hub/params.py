"""Options of the local hub."""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.hub_access.completers import device_ids, hub_names
from azext_iotjobs.cli.input.message_params import BODY, C2D_PROPERTIES
from azext_iotjobs.cli.input.options import Group, Options, extra, option, positional
from azext_iotjobs.cli.input.shared_params import DEVICE
from azext_iotjobs.cli.local_hub.completers import https_ports

HUB_EVENTS: Group = (
    option(
        "our_device_id",
        "--device-id -d",
        "Only this device's messages.",
        completer=device_ids,
        id_kind="DEVICE",
    ),
    option("our_msg_count", "--msg-count --mc", "End after this many messages.", type=int),
    option("our_timeout", "--timeout -t", "End when no message has come for this many seconds; 0: never.", type=int),
)

HUB_FOLDER: Group = (
    extra(
        "data_dir",
        "--data-dir",
        "Folder of the hub's state, keys and certificates. Default: iotjobs/local-hub in az's configuration folder.",
    ),
)

WHICH_HUB: Group = (
    option(
        "our_hub_name",
        "--hub-name -n",
        "Which running hub: localhost[:PORT], or the address it was bound to, 127.0.0.N[:PORT]. Needed "
        "only where several run.",
        completer=hub_names,
    ),
    option(
        "https_port",
        "--https-port",
        "Which running hub, by its HTTPS port alone; where several have it, use --hub-name.",
        type=int,
        completer=https_ports,
    ),
)

STOPPED_HUB: Group = (
    option(
        "data_dir",
        "--data-dir",
        "In place of --hub-name: the folder of a hub that is not running, such as one whose database is damaged. The "
        "old database is kept in a file beside it.",
    ),
)

HUB_START: Group = (
    extra("https_port", "--https-port", "Port of the REST API; 0: any free one.", type=int, default=8443),
    extra("mqtt_port", "--mqtt-port", "Port for devices; 0: any free one.", type=int, default=8883),
    extra(
        "amqp_port",
        "--amqp-port",
        "Port for AMQP; 0: any free one. Default: 5671, or any free one where that is taken.",
        type=int,
    ),
    extra(
        "amqp_plain_port",
        "--amqp-plain-port",
        "Port for AMQP without TLS, for Event Hubs clients that take the hub for an emulator; 0: any free one. "
        "Default: none.",
        type=int,
    ),
    extra(
        "bind",
        "--bind",
        "Loopback address 127.0.0.N, so that hubs with fixed ports can run side by side. With --dns-name also another "
        "address of this machine, or 0.0.0.0 for all: whoever reaches it is then kept out by the hub's keys alone.",
        default="127.0.0.1",
    ),
    extra(
        "dns_names",
        "--dns-name",
        "Another name that the hub has, in its certificate, in tokens and for clients: one without a dot, such as that "
        "of a service in Compose, or one below .local, .internal, .test, .example or .home.arpa. Can be given several "
        "times. Where the hub's CA may not certify it, there is a new one, which clients have to trust.",
        action="append",
    ),
    extra(
        "ready_file",
        "--ready-file",
        "File that is there while the hub serves clients, with what this command prints: names, ports, connection "
        "strings. Only its owner can read it, and the hub removes it when it ends.",
    ),
    extra(
        "seed",
        "--seed",
        "File of YAML or JSON with devices, modules, twins, CA certificates and configurations to begin with. What is "
        "there already stays as it is.",
    ),
    extra("in_memory", "--in-memory", "Forget devices, twins and jobs when the hub ends.", action="store_true"),
    extra(
        "upload_folder",
        "--upload-folder",
        "Folder that stands for a storage account: `uploads` in it has the files that devices upload, `registry` those "
        "of imports and exports. Default: storage in the data folder; with --in-memory it is emptied.",
    ),
    extra(
        "sku",
        "--sku",
        "Tier whose job slots and throttles the hub has.",
        default="unlimited",
        arg_type=get_enum_type(["F1", "S1", "S2", "S3", "unlimited"]),
    ),
    extra(
        "units", "--units", "Units of that tier: 1 in F1, up to 200 in S1 and S2, up to 10 in S3.", type=int, default=1
    ),
    extra(
        "time_scale",
        "--time-scale",
        "How many seconds of the hub's clock pass in one second, up to 1000: with 60, what would take an hour takes a "
        "minute.",
        type=float,
        default=1.0,
    ),
    extra(
        "keep_events",
        "--keep-events",
        "Store on disk what devices send, for this many days, 1 to 7, so that consumers continue where they were after "
        "a restart of the hub. Without it events are in memory only. Days by default: 1.",
        type=int,
        nargs="?",
        const=1,
    ),
    extra("partitions", "--partitions", "Partitions of events, 2 to 32. Default: 4.", type=int),
    extra(
        "consumer_groups",
        "--consumer-groups",
        "Space-separated names of consumer groups of events, beside $Default.",
        nargs="+",
    ),
    option("detach", "--detach", "Run in the background; without it the hub runs until Ctrl-C.", action="store_true"),
    option(
        "console",
        "--console",
        "Serve the hub's console, too, as `az iot hub console` does, for as long as this command runs.",
        action="store_true",
    ),
)

CA_NAME: Group = (
    option(
        "name",
        "--name",
        "Name of the certificate at the hub: 1 to 64 of A-Z, a-z, 0-9, dot, dash and underscore.",
        id_kind="CERTIFICATE",
    ),
)

CA_FILE: Group = (option("path", "--path -p", "PEM file with the CA's certificate, root or intermediate."),)

SEED_FILE: Group = (option("file", "--file -f", "File of YAML or JSON, as `export` writes it; - for standard input."),)

WITH_KEYS: Group = (
    option(
        "keys",
        "--keys",
        "With the keys of devices and modules. Without it, a hub that begins with the export makes new ones.",
        action="store_true",
    ),
)

MOVE: Group = (
    option("our_by", "--by", "How far: seconds, or with a unit, such as 30s, 5m, 2h or 7d; at most 3650d in all."),
)

FAULT_KIND: Group = (
    option(
        "our_kind",
        "--kind",
        "What goes wrong: it takes longer (--delay), is refused (--status) or has its connection dropped; a device is "
        "not let in (connack, --code), its messages have no acknowledgement, its methods no answer; tokens are judged "
        "by a clock that is wrong (--skew).",
        arg_type=get_enum_type(["latency", "status", "drop", "connack", "no-ack", "no-answer", "clock-skew"]),
    ),
)

FAULT: Group = (
    extra(
        "our_operation",
        "--operation",
        "Where it goes wrong: request of the REST API; connect, telemetry or twin of a device; method call; token. "
        "Default: the one that --route or --method-name belongs to, or else the first that the kind has.",
        arg_type=get_enum_type(["request", "connect", "telemetry", "twin", "method", "token"]),
    ),
    extra("our_device_id", "--device-id -d", "Only for this device and its modules, or, as pump-*, all that begin so."),
    extra(
        "our_route",
        "--route",
        "Only for these requests: a verb or none, and a path, such as 'GET /twins/{id}'. {id} is any part, * any "
        "characters of one, ** at the end all that follows.",
    ),
    extra("our_method_name", "--method-name --mn", "Only for calls of this method."),
    extra("our_times", "--times", "How often it happens. Default: until it is cleared.", type=int),
    extra("our_percent", "--percent", "Which share of the operations goes wrong, chosen at random.", type=float),
    extra("our_seed", "--seed", "Seed of that choice, which is the same each time. Default: 0.", type=int),
    extra("our_for", "--for", "For how many seconds from now. Default: until it is cleared.", type=float),
    extra("our_delay", "--delay", "Of latency: how many seconds longer it takes.", type=float),
    extra("our_status", "--status", "Of status: 429, 500, 502, 503 or 504.", type=int),
    extra("our_retry_after", "--retry-after", "Of status: seconds in a Retry-After header. Default: none.", type=int),
    extra("our_code", "--code", "Of connack: 3, unavailable, or 5, not authorized. Default: 3.", type=int),
    extra("our_skew", "--skew", "Of clock-skew: how many seconds the clock is ahead; below 0: behind.", type=float),
)

FAULT_ID: Group = (option("our_fault_id", "--fault-id --id", "Which one. Default: all.", id_kind="FAULT"),)

EXEC_HUB: Group = (
    extra("seed", "--seed", "File of YAML or JSON with what the hub begins with, as for `start`."),
    extra("data_dir", "--data-dir", "Folder of the hub's state, which is kept. Default: in memory."),
    extra("bind", "--bind", "Loopback address, 127.0.0.N. Default: 127.0.0.1."),
    extra("https_port", "--https-port", "Port of the REST API. Default: any free one.", type=int),
    extra("mqtt_port", "--mqtt-port", "Port for devices. Default: any free one.", type=int),
    extra("amqp_port", "--amqp-port", "Port for AMQP. Default: any free one.", type=int),
    extra(
        "sku",
        "--sku",
        "Tier whose job slots and throttles the hub has. Default: unlimited.",
        arg_type=get_enum_type(["F1", "S1", "S2", "S3", "unlimited"]),
    ),
    extra("units", "--units", "Units of that tier. Default: 1.", type=int),
)

EXEC_COMMAND: Group = (
    positional(
        "our_command",
        "COMMAND",
        "The command and its arguments, after --, so that az does not take its options for its own.",
        nargs="+",
    ),
)

SNAPSHOT_FILE: Group = (option("file", "--file -f", "The snapshot's file."),)

OVERWRITE: Group = (option("our_overwrite", "--overwrite", "Replace --file if it exists.", action="store_true"),)

YES: Group = (option("our_yes", "--yes -y", "Do not ask for confirmation.", action="store_true"),)


START: Options = (HUB_START, HUB_FOLDER)
STOP: Options = (WHICH_HUB,)
SHOW: Options = (WHICH_HUB,)
RESET: Options = (WHICH_HUB, STOPPED_HUB, YES)
SEED: Options = (WHICH_HUB, SEED_FILE)
EXPORT: Options = (WHICH_HUB, WITH_KEYS)
EXEC: Options = (EXEC_HUB, EXEC_COMMAND)
CREATE_SNAPSHOT: Options = (WHICH_HUB, SNAPSHOT_FILE, OVERWRITE)
RESTORE_SNAPSHOT: Options = (WHICH_HUB, SNAPSHOT_FILE, YES)
EVENTS: Options = (WHICH_HUB, HUB_EVENTS)
SEND: Options = (WHICH_HUB, DEVICE, BODY, C2D_PROPERTIES)
SHOW_CLOCK: Options = (WHICH_HUB,)
ADVANCE_CLOCK: Options = (WHICH_HUB, MOVE)
ADD_FAULT: Options = (WHICH_HUB, FAULT_KIND, FAULT)
LIST_FAULTS: Options = (WHICH_HUB,)
CLEAR_FAULTS: Options = (WHICH_HUB, FAULT_ID)
CREATE_CERTIFICATE: Options = (WHICH_HUB, CA_NAME, CA_FILE)
LIST_CERTIFICATE: Options = (WHICH_HUB,)
DELETE_CERTIFICATE: Options = (WHICH_HUB, CA_NAME)
