"""Every option once: its spelling, type, choices, default and one line of help.

The names behind the options (`dest`) are our own words on purpose: where Microsoft's azure-iot extension is installed
too, az lays its options, groups and validators over every dest of the same name in the same command.
"""

import argparse
import itertools
from collections.abc import Callable
from typing import Any

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

Context = Any  # azure.cli.core.commands.AzArgumentContext

JOB_TYPES = ("scheduleDeviceMethod", "scheduleUpdateTwin")
LISTED_JOB_TYPES = ("scheduleDeviceMethod", "scheduleUpdateTwin", "export", "import")
JOB_STATUSES = ("unknown", "enqueued", "running", "completed", "failed", "cancelled", "scheduled", "queued")
SIGN_IN_METHODS = ("shared_private_key", "x509_thumbprint", "x509_ca")
JSON_FORMS = "inline JSON, or the path of a file that holds it"

_edit_number = itertools.count()


class EditAction(argparse.Action):
    """Keeps the order in which --set, --add and --remove were typed: the edits are carried out in that order."""

    def __call__(self, _parser: Any, namespace: Any, values: Any, _option: str | None = None) -> None:
        edits = [*(getattr(namespace, self.dest) or []), (next(_edit_number), values)]
        setattr(namespace, self.dest, edits)


def load_arguments(loader: Any, command: str) -> None:
    """Register the options of `command`, the one that was typed (or of all, when az wants everything)."""
    names = [command] if command in OPTIONS else list(OPTIONS)
    for name in names:
        with loader.argument_context(name) as context:
            for add_options in OPTIONS[name]:
                add_options(context)


def _hub(c: Context) -> None:
    group = "IoT Hub Identifier"
    c.extra("hub", options_list=["--hub-name", "-n"], arg_group=group,
            help="The hub's host name, or localhost[:PORT] for a running local hub.")  # fmt: skip
    c.extra("hub_login", options_list=["--login", "-l"], arg_group=group,
            help="The hub's connection string with a policy key. `-l @file` reads it from a file and keeps it out of "
                 "the process list. When no hub is typed, IOTJOBS_CONNECTION_STRING is used.")  # fmt: skip
    c.extra("hub_group", options_list=["--resource-group", "-g"], arg_group=group,
            help="Resource group, to narrow the look-up of a bare hub name.")  # fmt: skip


def _auth_type(c: Context) -> None:
    c.extra("hub_auth", options_list=["--auth-type"], arg_type=get_enum_type(["key", "login"]),
            arg_group="Access Control",
            help="`key` uses a policy's key; `login` (Microsoft Entra) is not in this version. "
                 "Default: key.")  # fmt: skip


def _device(c: Context) -> None:
    c.argument("device", options_list=["--device-id", "-d"], help="Device id.")


def _if_match(c: Context) -> None:
    c.argument("if_match", options_list=["--etag", "-e"],
               help="Go on only if the hub's copy still has this etag. Default: whatever is there.")  # fmt: skip


def _edits(c: Context) -> None:
    for dest, option, text in (
        ("set_edits", "--set", "Set a property: `--set path.to.property=value`."),
        ("add_edits", "--add", "Append to a list: `--add path.to.list value`."),
        ("remove_edits", "--remove", "Remove a property or list item: `--remove path.to.property`."),
    ):
        c.argument(dest, options_list=[option], nargs="+", action=EditAction, arg_group="Generic Update", help=text)
    c.argument("as_string", options_list=["--force-string"], action="store_true", arg_group="Generic Update",
               help="With --set and --add, keep values as text instead of reading them as JSON.")  # fmt: skip


def _top(default: int | None) -> Callable[[Context], None]:
    def add(c: Context) -> None:
        c.argument("limit", options_list=["--top"], type=int, default=default,
                   help="At most so many items." + (" Default: all." if default is None else ""))  # fmt: skip

    return add


def _job_id(c: Context) -> None:
    c.argument("job", options_list=["--job-id"], help="Job id: at most 64 of a-z, 0-9 and dash.")


def _method(c: Context) -> None:
    c.argument("method", options_list=["--method-name", "--mn"], help="Name of the direct method.")


def _job_create(c: Context) -> None:
    c.argument("job_kind", options_list=["--job-type", "--jt"], arg_type=get_enum_type(JOB_TYPES),
               help="What the job does to each device.")  # fmt: skip
    c.argument("condition", options_list=["--query-condition", "-q"],
               help="The WHERE part of a twin query that selects the devices, for example "
                    "\"deviceId IN ['a','b']\". All devices: *.")  # fmt: skip
    c.argument("method_json", options_list=["--method-payload", "--mp"],
               help=f"Payload of the method: {JSON_FORMS}. Default: null.")  # fmt: skip
    c.argument("connect_timeout", options_list=["--method-connect-timeout", "--mct"], type=int,
               help="Seconds that the hub waits for a device to connect, 0 to 300.")  # fmt: skip
    c.argument("response_timeout", options_list=["--method-response-timeout", "--mrt"], type=int,
               help="Seconds that the hub waits for a device's answer, connecting included, 5 to 300.")  # fmt: skip
    c.argument("patch", options_list=["--twin-patch", "--patch"],
               help=f"What to merge into each twin (tags, properties.desired): {JSON_FORMS}.")  # fmt: skip
    c.argument("start_at", options_list=["--start-time", "--start"],
               help="ISO 8601 instant at which the job starts, at most 7 days ahead; without an offset it is UTC. "
                    "Default: now.")  # fmt: skip
    c.argument("ttl_s", options_list=["--ttl"], type=int, help="Seconds that the job may run at most.")
    c.argument("wait_for_end", options_list=["--wait", "-w"], arg_type=get_three_state_flag(),
               help="Wait until the job has ended, or until --poll-duration is over.")  # fmt: skip
    c.argument("waits_for_slot", options_list=["--queue"], action="store_true",
               help="When the hub runs as many jobs as its tier allows, wait until one of them has ended.")  # fmt: skip


def _polling(c: Context) -> None:
    c.argument("poll_every_s", options_list=["--poll-interval", "--interval"], type=int,
               help="Waiting: seconds between two looks at most; the first ones come sooner.")  # fmt: skip
    c.argument("poll_limit_s", options_list=["--poll-duration", "--duration"], type=int,
               help="Waiting: seconds to wait at most; 0: until the job's own deadline.")  # fmt: skip


def _success(c: Context) -> None:
    c.argument("success", options_list=["--success-status"],
               help="Method statuses with which a device has succeeded: numbers and ranges.")  # fmt: skip


def _summary(c: Context) -> None:
    c.argument("with_summary", options_list=["--summary"], action="store_true",
               help="Add `summary`: devices by status and by error class, and equal answers as one.")  # fmt: skip


def _results(c: Context) -> None:
    c.argument("device_state", options_list=["--status"],
               arg_type=get_enum_type(["pending", "scheduled", "running", "completed", "failed", "canceled"]),
               help="Only devices in this state.")  # fmt: skip
    c.argument("error_kind", options_list=["--error-class"],
               arg_type=get_enum_type(["offline", "timeout", "throttled", "not-found", "rejected", "other"]),
               help="Only devices that failed in this way.")  # fmt: skip
    c.argument("shown_columns", options_list=["--columns"],
               help="Columns to show, with commas between them. `az config set iotjobs.columns=…` keeps a choice. "
                    "Default: all.")  # fmt: skip
    c.argument("rows_file", options_list=["--output-file"],
               help="File for the rows, written as they come; - is stdout. One that broke off goes on.")  # fmt: skip
    c.argument("rows_form", options_list=["--format"], arg_type=get_enum_type(["csv", "jsonl", "json"]),
               help="Form of --output-file. Default: csv.")  # fmt: skip
    c.argument("overwrites", options_list=["--overwrite"], action="store_true",
               help="Write --output-file anew, whatever is in it.")  # fmt: skip
    c.argument("skips_registry", options_list=["--skip-registry"], action="store_true",
               help="Do not look which devices are gone from the registry; halves the number of queries.")  # fmt: skip


def _outcome(c: Context) -> None:
    _success(c)
    c.argument("always_zero", options_list=["--exit-zero"], action="store_true",
               help="End with exit code 0 also when devices or the job failed, or waiting ran out.")  # fmt: skip


def _job_list(c: Context) -> None:
    c.argument("job_kind", options_list=["--job-type", "--jt"], arg_type=get_enum_type(LISTED_JOB_TYPES),
               help="Only jobs of this type.")  # fmt: skip
    c.argument("job_state", options_list=["--job-status", "--js"], arg_type=get_enum_type(JOB_STATUSES),
               help="Only jobs in this status.")  # fmt: skip


def _invoke(c: Context) -> None:
    c.argument("method_json", options_list=["--method-payload", "--mp"],
               help=f"Payload of the method: {JSON_FORMS}.")  # fmt: skip
    c.argument("timeout_s", options_list=["--timeout", "--to"], type=int,
               help="Seconds for the device to connect and to answer, 5 to 300.")  # fmt: skip


def _query(c: Context) -> None:
    c.argument("query_text", options_list=["--query-command", "-q"], help="The query, in IoT Hub's query language.")


def _edge(help_text: str) -> Callable[[Context], None]:
    def add(c: Context) -> None:
        c.argument("edge", options_list=["--edge-enabled", "--ee"], arg_type=get_three_state_flag(), help=help_text)

    return add


def _identity(c: Context) -> None:
    c.argument("sign_in", options_list=["--auth-method", "--am"], arg_type=get_enum_type(SIGN_IN_METHODS),
               help="How the device signs in.")  # fmt: skip
    c.argument("first_key", options_list=["--primary-key", "--pk"], help="Primary key, base64 of 16 to 64 bytes.")
    c.argument("second_key", options_list=["--secondary-key", "--sk"], help="Secondary key, base64 of 16 to 64 bytes.")
    c.argument("first_thumbprint", options_list=["--primary-thumbprint", "--ptp"],
               help="Primary certificate thumbprint, hexadecimal.")  # fmt: skip
    c.argument("second_thumbprint", options_list=["--secondary-thumbprint", "--stp"],
               help="Secondary certificate thumbprint, hexadecimal.")  # fmt: skip
    c.argument("device_status", options_list=["--status", "--sta"], arg_type=get_enum_type(["enabled", "disabled"]),
               help="A disabled device cannot connect.")  # fmt: skip
    c.argument("device_status_reason", options_list=["--status-reason", "--star"], help="Why it has that status.")


def _identity_create(c: Context) -> None:
    c.argument("parent_scope", options_list=["--device-scope"], help="Scope of the parent edge device.")
    c.argument("valid_for_days", options_list=["--valid-days", "--vd"], type=int,
               help="Make a self-signed certificate that is valid for so many days (default 365) and use its "
                    "thumbprint.")  # fmt: skip
    c.argument("certificate_dir", options_list=["--output-dir", "--od"],
               help="Existing folder for the self-signed certificate and its key.")  # fmt: skip


def _which_key(c: Context) -> None:
    c.argument("which_key", options_list=["--key-type", "--kt"], arg_type=get_enum_type(["primary", "secondary"]),
               help="Which of the device's keys.")  # fmt: skip


def _twin_update(c: Context) -> None:
    c.argument("desired_patch", options_list=["--desired"], help=f"Desired properties to merge: {JSON_FORMS}.")
    c.argument("tags_patch", options_list=["--tags"], help=f"Tags to merge: {JSON_FORMS}.")


def _simulate(c: Context) -> None:
    c.argument("wire", options_list=["--protocol", "--proto"], arg_type=get_enum_type(["mqtt", "http"]),
               help="How the device speaks. Over `http` it sends messages and fetches those sent to it; it is not "
                    "called and has no twin.")  # fmt: skip
    c.argument("settle", options_list=["--receive-settle", "--rs"],
               arg_type=get_enum_type(["complete", "abandon", "reject"]),
               help="What becomes of a cloud-to-device message; over MQTT always `complete`.")  # fmt: skip
    c.argument("body", options_list=["--data", "--da"], help="Text of each message; a counter is added.")
    c.argument("messages_to_send", options_list=["--msg-count", "--mc"], type=int, help="Messages to send, 1 or more.")
    c.argument("message_interval_s", options_list=["--msg-interval", "--mi"], type=int,
               help="Seconds between two messages, 1 or more.")  # fmt: skip
    c.argument("message_properties", options_list=["--properties", "--props", "-p"],
               help="Properties of each message: `key=value;key=value`; system ones are $.ct, $.mid, …")  # fmt: skip
    c.argument("answer_status", options_list=["--method-response-code", "--mrc"],
               help="Status with which every method call is answered, a whole number. Default: 200.")  # fmt: skip
    c.argument("answer_payload", options_list=["--method-response-payload", "--mrp"],
               help=f"Payload with which every method call is answered: {JSON_FORMS}. "
                    "Default: the call's name, id and payload.")  # fmt: skip
    c.argument("first_reported", options_list=["--init-reported-properties", "--irp"],
               help=f"Reported properties to set at the start: {JSON_FORMS}.")  # fmt: skip
    c.argument("model", options_list=["--model-id", "--dtmi"], help="DTMI of the model that the device announces.")


def _body(c: Context) -> None:
    c.argument("body", options_list=["--data", "--da"], help="The message's body, as text.")
    c.argument("body_file", options_list=["--data-file-path", "--dfp"],
               help="File whose content is the message's body; it wins over --data.")  # fmt: skip
    c.argument("message_properties", options_list=["--properties", "--props", "-p"],
               help="Properties of the message: `key=value;key=value`.")  # fmt: skip


def _send_d2c(c: Context) -> None:
    c.argument("messages_to_send", options_list=["--msg-count", "--mc"], type=int, help="How often to send it.")
    c.argument("model", options_list=["--model-id", "--dtmi"],
               help="Not over HTTPS, which this command speaks: see `az iot device simulate`.")  # fmt: skip


def _device_key(c: Context) -> None:
    c.argument("device_key", options_list=["--symmetric-key", "--key"],
               help="The device's key. Default: read from the hub.")  # fmt: skip


def _certificate(note: str) -> Callable[[Context], None]:
    def add(c: Context) -> None:
        for dest, options, text in (
            ("certificate_path", ["--certificate-file-path", "--cp"], "PEM file with the certificate"),
            ("key_path", ["--key-file-path", "--kp"], "PEM file with the private key"),
            ("key_passphrase", ["--passphrase", "--pass"], "Passphrase of the private key"),
        ):
            c.argument(dest, options_list=options, help=f"{text} of an X.509 device{note}.")

    return add


def _websocket(c: Context) -> None:
    c.argument("over_websocket", options_list=["--websocket"], action="store_true",
               help="MQTT over WebSocket: port 443, or a local hub's HTTPS port, instead of 8883.")  # fmt: skip


def _receive(c: Context) -> None:
    c.argument("lock_s", options_list=["--lock-timeout", "--lt"], type=int,
               help="Seconds for which the message is kept from others, 5 to 300.")  # fmt: skip
    for dest, option, text in (
        ("completes", "--complete", "Complete the message once it is received."),
        ("abandons", "--abandon", "Abandon the message once it is received: it waits again."),
        ("rejects", "--reject", "Reject the message once it is received."),
    ):
        c.argument(dest, options_list=[option], arg_type=get_three_state_flag(), help=text)


def _lock_token(c: Context) -> None:
    c.argument("lock_token", options_list=["--etag", "-e"], help="The etag that `receive` printed.")


def _hub_events(c: Context) -> None:
    c.argument("device", options_list=["--device-id", "-d"], help="Only this device's messages.")
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


def _hub_port(c: Context) -> None:
    c.argument("secure_port", options_list=["--https-port"], type=int,
               help="Which running hub, by its HTTPS port; needed only where several run.")  # fmt: skip


def _hub_start(c: Context) -> None:
    c.argument("secure_port", options_list=["--https-port"], type=int, help="Port of the REST API; 0: any free one.")
    c.argument("mqtt_port", options_list=["--mqtt-port"], type=int, help="Port for devices; 0: any free one.")
    c.argument("bind_address", options_list=["--bind"],
               help="Loopback address 127.0.0.N, so that hubs with fixed ports can run side by side.")  # fmt: skip
    c.argument("in_memory", options_list=["--in-memory"], action="store_true",
               help="Forget devices, twins and jobs when the hub ends.")  # fmt: skip
    c.argument("in_background", options_list=["--detach"], action="store_true",
               help="Run in the background; without it the hub runs until Ctrl-C.")  # fmt: skip


def _ca_name(c: Context) -> None:
    c.argument("ca_name", options_list=["--name"], help="Name of the certificate at the hub: 1 to 64 of A-Z, a-z, "
               "0-9, dot, dash and underscore.")  # fmt: skip


def _ca_file(c: Context) -> None:
    c.argument("ca_path", options_list=["--path", "-p"],
               help="PEM file with the CA's certificate, root or intermediate.")  # fmt: skip


def _sure(c: Context) -> None:
    c.argument("sure", options_list=["--yes", "-y"], action="store_true", help="Do not ask.")


OPTIONS: dict[str, tuple[Callable[[Context], None], ...]] = {
    "iot hub job create": (_hub, _auth_type, _job_id, _method, _job_create, _polling, _outcome),
    "iot hub job wait": (_hub, _auth_type, _job_id, _polling, _outcome),
    "iot hub job results": (_hub, _auth_type, _job_id, _results, _success),
    "iot hub job show": (_hub, _auth_type, _job_id, _summary, _success),
    "iot hub job list": (_hub, _auth_type, _job_list, _top(None)),
    "iot hub job cancel": (_hub, _auth_type, _job_id),
    "iot hub invoke-device-method": (_hub, _auth_type, _device, _method, _invoke, _outcome),
    "iot hub query": (_hub, _auth_type, _query, _top(None)),
    "iot hub device-identity create": (
        _hub, _auth_type, _device, _identity, _identity_create, _edge("Make it an IoT Edge device."),
    ),
    "iot hub device-identity show": (_hub, _auth_type, _device),
    "iot hub device-identity list": (_hub, _auth_type, _edge("Only IoT Edge devices."), _top(1000)),
    "iot hub device-identity update": (
        _hub, _auth_type, _device, _identity, _edge("Whether it is an IoT Edge device."), _if_match, _edits,
    ),
    "iot hub device-identity delete": (_hub, _auth_type, _device, _if_match),
    "iot hub device-identity connection-string show": (_hub, _auth_type, _device, _which_key),
    "iot hub device-twin show": (_hub, _auth_type, _device),
    "iot hub device-twin update": (_hub, _auth_type, _device, _twin_update, _if_match, _edits),
    "iot hub device-twin list": (_hub, _auth_type, _edge("Only IoT Edge devices."), _top(1000)),
    "iot device simulate": (
        _hub, _device, _simulate, _device_key, _certificate(", for MQTT"), _websocket,
    ),
    "iot device send-d2c-message": (
        _hub, _device, _body, _send_d2c, _device_key, _certificate(": not over HTTPS, see `az iot device simulate`"),
    ),
    "iot device c2d-message receive": (_hub, _device, _receive),
    "iot device c2d-message complete": (_hub, _device, _lock_token),
    "iot device c2d-message abandon": (_hub, _device, _lock_token),
    "iot device c2d-message reject": (_hub, _device, _lock_token),
    "iot device c2d-message purge": (_hub, _device),
    "iot local-hub start": (_hub_start, _hub_folder),
    "iot local-hub stop": (_hub_port,),
    "iot local-hub show": (_hub_port,),
    "iot local-hub reset": (_hub_port, _sure),
    "iot local-hub events": (_hub_port, _hub_events),
    "iot local-hub send": (_hub_port, _device, _body, _hub_send),
    "iot local-hub certificate create": (_hub_port, _ca_name, _ca_file),
    "iot local-hub certificate list": (_hub_port,),
    "iot local-hub certificate delete": (_hub_port, _ca_name),
}  # fmt: skip
