"""Options of the local hub."""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.hub_access.completers import device_ids, hub_names
from azext_iotjobs.cli.input.options import Group, Options, checked, option
from azext_iotjobs.cli.input.shared_params import BODY, DEVICE
from azext_iotjobs.cli.local_hub.completers import https_ports

HUB_EVENTS: Group = (
    option(
        "our_device_id",
        "--device-id -d",
        "Only this device's messages.",
        completer=device_ids,
        validator=checked("our_device_id", "--device-id", "DEVICE"),
    ),
    option("messages_to_read", "--msg-count --mc", "End after so many messages.", type=int),
    option("silence_s", "--timeout -t", "End when nothing has come for so many seconds; 0: never.", type=int),
)


HUB_SEND: Group = (
    option("message_key", "--message-id --mid", "The message's id. Default: a new one."),
    option("correlation", "--correlation-id --cid", "Its correlation id."),
    option("user", "--user-id --uid", "Who sends it."),
    option("media_type", "--content-type --ct", "Media type of its body."),
    option("text_encoding", "--content-encoding --ce", "Encoding of its body."),
    option(
        "expires",
        "--expiry-time-utc --expiry",
        "When it is no longer delivered, within two days: an ISO 8601 instant, or milliseconds since 1970. "
        "Default: in an hour.",
    ),
    option(
        "wanted_feedback",
        "--ack",
        "Which outcomes its sender wants to hear of.",
        arg_type=get_enum_type(["positive", "negative", "full"]),
    ),
)


HUB_FOLDER: Group = (
    option(
        "data_folder",
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
        "secure_port",
        "--https-port",
        "Which running hub, by its HTTPS port alone; where several have it, use --hub-name.",
        type=int,
        completer=https_ports,
    ),
)


STOPPED_HUB: Group = (
    option(
        "data_folder",
        "--data-dir",
        "In place of --hub-name: the folder of a hub that does not run, such as one whose database is "
        "damaged. What was there is set aside in a file beside it.",
    ),
)


HUB_START: Group = (
    option("secure_port", "--https-port", "Port of the REST API; 0: any free one.", type=int),
    option("mqtt_port", "--mqtt-port", "Port for devices; 0: any free one.", type=int),
    option("bind_address", "--bind", "Loopback address 127.0.0.N, so that hubs with fixed ports can run side by side."),
    option("in_memory", "--in-memory", "Forget devices, twins and jobs when the hub ends.", action="store_true"),
    option(
        "tier",
        "--sku",
        "Tier whose job slots and throttles the hub keeps to.",
        arg_type=get_enum_type(["F1", "S1", "S2", "S3", "unlimited"]),
    ),
    option("tier_units", "--units", "Units of that tier: 1 in F1, up to 200 in S1 and S2, up to 10 in S3.", type=int),
    option(
        "in_background", "--detach", "Run in the background; without it the hub runs until Ctrl-C.", action="store_true"
    ),
)


CA_NAME: Group = (
    option(
        "ca_name",
        "--name",
        "Name of the certificate at the hub: 1 to 64 of A-Z, a-z, 0-9, dot, dash and underscore.",
        validator=checked("ca_name", "--name", "CERTIFICATE"),
    ),
)


CA_FILE: Group = (option("ca_path", "--path -p", "PEM file with the CA's certificate, root or intermediate."),)


SURE: Group = (option("sure", "--yes -y", "Do not ask.", action="store_true"),)


START: Options = (HUB_START, HUB_FOLDER)
STOP: Options = (WHICH_HUB,)
SHOW: Options = (WHICH_HUB,)
RESET: Options = (WHICH_HUB, STOPPED_HUB, SURE)
EVENTS: Options = (WHICH_HUB, HUB_EVENTS)
SEND: Options = (WHICH_HUB, DEVICE, BODY, HUB_SEND)
CREATE_CERTIFICATE: Options = (WHICH_HUB, CA_NAME, CA_FILE)
LIST_CERTIFICATE: Options = (WHICH_HUB,)
DELETE_CERTIFICATE: Options = (WHICH_HUB, CA_NAME)
