"""Options of the local hub."""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli import completion
from azext_iotjobs.cli.input.shared_params import Context, Options, body, checked, device


def _hub_events(c: Context) -> None:
    c.argument("device", options_list=["--device-id", "-d"], completer=completion.device_ids,
               help="Only this device's messages.", validator=checked("device", "--device-id", "DEVICE"))  # fmt: skip
    c.argument("messages_to_read", options_list=["--msg-count", "--mc"], type=int, help="End after so many messages.")
    c.argument("silence_s", options_list=["--timeout", "-t"], type=int,
               help="End when nothing has come for so many seconds; 0: never.")  # fmt: skip


def _hub_send(c: Context) -> None:
    c.argument("message_key", options_list=["--message-id", "--mid"], help="The message's id. Default: a new one.")
    c.argument("correlation", options_list=["--correlation-id", "--cid"], help="Its correlation id.")
    c.argument("user", options_list=["--user-id", "--uid"], help="Who sends it.")
    c.argument("media_type", options_list=["--content-type", "--ct"], help="Media type of its body.")
    c.argument("text_encoding", options_list=["--content-encoding", "--ce"], help="Encoding of its body.")
    c.argument("expires", options_list=["--expiry-time-utc", "--expiry"],
               help="When it is no longer delivered, within two days: an ISO 8601 instant, or milliseconds since 1970. "
                    "Default: in an hour.")  # fmt: skip
    c.argument("wanted_feedback", options_list=["--ack"], arg_type=get_enum_type(["positive", "negative", "full"]),
               help="Which outcomes its sender wants to hear of.")  # fmt: skip


def _hub_folder(c: Context) -> None:
    c.argument("data_folder", options_list=["--data-dir"],
               help="Folder of the hub's state, keys and certificates. Default: iotjobs/local-hub in az's "
                    "configuration folder.")  # fmt: skip


def _which_hub(c: Context) -> None:
    c.argument("hub", options_list=["--hub-name", "-n"], completer=completion.hub_names,
               help="Which running hub: localhost[:PORT], or the address it was bound to, 127.0.0.N[:PORT]. Needed "
                    "only where several run.")  # fmt: skip
    c.argument("secure_port", options_list=["--https-port"], type=int, completer=completion.https_ports,
               help="Which running hub, by its HTTPS port alone; where several have it, use --hub-name.")  # fmt: skip


def _stopped_hub(c: Context) -> None:
    c.argument("data_folder", options_list=["--data-dir"],
               help="In place of --hub-name: the folder of a hub that does not run, such as one whose database is "
                    "damaged. What was there is set aside in a file beside it.")  # fmt: skip


def _hub_start(c: Context) -> None:
    c.argument("secure_port", options_list=["--https-port"], type=int, help="Port of the REST API; 0: any free one.")
    c.argument("mqtt_port", options_list=["--mqtt-port"], type=int, help="Port for devices; 0: any free one.")
    c.argument("bind_address", options_list=["--bind"],
               help="Loopback address 127.0.0.N, so that hubs with fixed ports can run side by side.")  # fmt: skip
    c.argument("in_memory", options_list=["--in-memory"], action="store_true",
               help="Forget devices, twins and jobs when the hub ends.")  # fmt: skip
    c.argument("tier", options_list=["--sku"], arg_type=get_enum_type(["F1", "S1", "S2", "S3", "unlimited"]),
               help="Tier whose job slots and throttles the hub keeps to.")  # fmt: skip
    c.argument("tier_units", options_list=["--units"], type=int,
               help="Units of that tier: 1 in F1, up to 200 in S1 and S2, up to 10 in S3.")  # fmt: skip
    c.argument("in_background", options_list=["--detach"], action="store_true",
               help="Run in the background; without it the hub runs until Ctrl-C.")  # fmt: skip


def _ca_name(c: Context) -> None:
    c.argument("ca_name", options_list=["--name"], help="Name of the certificate at the hub: 1 to 64 of A-Z, a-z, "
               "0-9, dot, dash and underscore.", validator=checked("ca_name", "--name", "CERTIFICATE"))  # fmt: skip


def _ca_file(c: Context) -> None:
    c.argument("ca_path", options_list=["--path", "-p"],
               help="PEM file with the CA's certificate, root or intermediate.")  # fmt: skip


def _sure(c: Context) -> None:
    c.argument("sure", options_list=["--yes", "-y"], action="store_true", help="Do not ask.")


OPTIONS: Options = {
    "iot local-hub start": (_hub_start, _hub_folder),
    "iot local-hub stop": (_which_hub,),
    "iot local-hub show": (_which_hub,),
    "iot local-hub reset": (_which_hub, _stopped_hub, _sure),
    "iot local-hub events": (_which_hub, _hub_events),
    "iot local-hub send": (_which_hub, device, body, _hub_send),
    "iot local-hub certificate create": (_which_hub, _ca_name, _ca_file),
    "iot local-hub certificate list": (_which_hub,),
    "iot local-hub certificate delete": (_which_hub, _ca_name),
}  # fmt: skip
