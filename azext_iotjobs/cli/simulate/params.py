"""Options of the commands that act as a device."""

from azure.cli.core.commands.parameters import get_enum_type, get_three_state_flag

from azext_iotjobs.cli.input.shared_params import JSON_FORMS, AddOptions, Context, Options, auth_type, body, device, hub
from azext_iotjobs.cli.simulate.behaviour.params import behaviour
from azext_iotjobs.cli.simulate.many_devices_params import members, sight, sign_in


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
               help="Properties of each message: `key=value;key=value`; system ones are $.ct, $.mid, … Over `http` the "
                    "hub's headers are those headers: iothub-messageid, content-type, iothub-app-NAME.")  # fmt: skip
    c.argument("answer_status", options_list=["--method-response-code", "--mrc"],
               help="Status with which every method call is answered, a whole number. Default: 200.")  # fmt: skip
    c.argument("answer_payload", options_list=["--method-response-payload", "--mrp"], nargs="+",
               help=f"Payload with which every method call is answered: {JSON_FORMS}. "
                    "Default: the call's name, id and payload.")  # fmt: skip
    c.argument("first_reported", options_list=["--init-reported-properties", "--irp"], nargs="+",
               help=f"Reported properties to set at the start: {JSON_FORMS}.")  # fmt: skip
    c.argument("model", options_list=["--model-id", "--dtmi"], help="DTMI of the model that the device announces.")


def _send_d2c(c: Context) -> None:
    c.argument("messages_to_send", options_list=["--msg-count", "--mc"], type=int, help="How often to send it.")
    c.argument("model", options_list=["--model-id", "--dtmi"], help="DTMI of the model that the device announces.")


def _device_key(c: Context) -> None:
    c.argument("device_key", options_list=["--symmetric-key", "--key"],
               help="The device's key. Default: read from the hub.")  # fmt: skip


def _certificate(note: str = "") -> AddOptions:
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


OPTIONS: Options = {
    "iot device simulate": (
        hub, auth_type, device, _simulate, _device_key, _certificate(", for MQTT"), _websocket, members, sign_in,
        sight, behaviour,
    ),
    "iot device send-d2c-message": (
        hub, auth_type, device, body, _send_d2c, _device_key, _certificate(), _websocket,
    ),
    "iot device c2d-message receive": (hub, auth_type, device, _receive),
    "iot device c2d-message complete": (hub, auth_type, device, _lock_token),
    "iot device c2d-message abandon": (hub, auth_type, device, _lock_token),
    "iot device c2d-message reject": (hub, auth_type, device, _lock_token),
    "iot device c2d-message purge": (hub, auth_type, device),
}  # fmt: skip
