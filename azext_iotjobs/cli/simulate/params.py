"""Options of az iot device simulate."""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.input.options import Group, Options, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, DEVICE, DEVICE_KEY, HUB, JSON_FORMS, WEBSOCKET, certificate
from azext_iotjobs.cli.simulate.behaviour.params import BEHAVIOUR
from azext_iotjobs.cli.simulate.many_devices_params import MEMBERS, SIGHT, SIGN_IN

SIMULATE: Group = (
    option(
        "wire",
        "--protocol --proto",
        "How the device speaks. Over `http` it sends messages and fetches those sent to it; it is not "
        "called and has no twin.",
        arg_type=get_enum_type(["mqtt", "http"]),
    ),
    option(
        "settle",
        "--receive-settle --rs",
        "What becomes of a cloud-to-device message; over MQTT always `complete`.",
        arg_type=get_enum_type(["complete", "abandon", "reject"]),
    ),
    option("body", "--data --da", "Text of each message; a counter is added."),
    option("messages_to_send", "--msg-count --mc", "Messages to send, 1 or more.", type=int),
    option("message_interval_s", "--msg-interval --mi", "Seconds between two messages, 1 or more.", type=int),
    option(
        "message_properties",
        "--properties --props -p",
        "Properties of each message: `key=value;key=value`; system ones are $.ct, $.mid, … Over `http` the "
        "hub's headers are those headers: iothub-messageid, content-type, iothub-app-NAME.",
    ),
    option(
        "answer_status",
        "--method-response-code --mrc",
        "Status with which every method call is answered, a whole number. Default: 200.",
    ),
    option(
        "answer_payload",
        "--method-response-payload --mrp",
        f"Payload with which every method call is answered: {JSON_FORMS}. Default: the call's name, id and payload.",
        nargs="+",
    ),
    option(
        "first_reported",
        "--init-reported-properties --irp",
        f"Reported properties to set at the start: {JSON_FORMS}.",
        nargs="+",
    ),
    option("model", "--model-id --dtmi", "DTMI of the model that the device announces."),
)


SIMULATE_DEVICES: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    SIMULATE,
    DEVICE_KEY,
    certificate(", for MQTT"),
    WEBSOCKET,
    MEMBERS,
    SIGN_IN,
    SIGHT,
    BEHAVIOUR,
)
