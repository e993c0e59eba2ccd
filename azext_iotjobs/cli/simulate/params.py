"""Options of az iot device simulate."""

from azure.cli.core.commands.parameters import get_enum_type

from azext_iotjobs.cli.input.options import Group, Options, extra, option
from azext_iotjobs.cli.input.shared_params import AUTH_TYPE, DEVICE, DEVICE_KEY, HUB, JSON_FORMS, WEBSOCKET, certificate
from azext_iotjobs.cli.simulate.behaviour.params import BEHAVIOUR
from azext_iotjobs.cli.simulate.many_devices_params import CERTIFICATES, CLUSTER, MONITORING, WHICH_DEVICES

DEFAULT_DATA = "Ping from Az CLI IoT Extension"  # the reference's

ONE_DEVICE: Group = (
    extra(
        "protocol",
        "--protocol --proto",
        "The protocol. Over `http` a device sends messages and receives those sent to it; it has no methods and no "
        "twin.",
        default="mqtt",
        arg_type=get_enum_type(["mqtt", "http"]),
    ),
    extra(
        "our_receive_settle",
        "--receive-settle --rs",
        "How a cloud-to-device message is settled; over MQTT always `complete`.",
        default="complete",
        arg_type=get_enum_type(["complete", "abandon", "reject"]),
    ),
    extra("our_data", "--data --da", "Text of each message; a counter is added.", default=DEFAULT_DATA),
    extra("our_msg_count", "--msg-count --mc", "Messages to send, 1 or more.", type=int, default=100),
    extra("our_msg_interval", "--msg-interval --mi", "Seconds between two messages, 1 or more.", type=int, default=3),
    extra(
        "our_properties",
        "--properties --props -p",
        "Properties of each message: `key=value;key=value`; system ones are $.ct, $.mid, … With `http`, names of the "
        "hub's headers are sent as headers: iothub-messageid, content-type, iothub-app-NAME.",
    ),
    extra(
        "our_method_response_code",
        "--method-response-code --mrc",
        "Status with which every method call is answered, a whole number. Default: 200.",
    ),
    extra(
        "our_method_response_payload",
        "--method-response-payload --mrp",
        f"Payload with which every method call is answered: {JSON_FORMS}. Default: the call's name, id and payload.",
        nargs="+",
    ),
    extra(
        "our_init_reported_properties",
        "--init-reported-properties --irp",
        f"Reported properties to set at the start: {JSON_FORMS}.",
        nargs="+",
    ),
    extra("our_model_id", "--model-id --dtmi", "DTMI of the model that the device announces."),
)


# All of them but --device-id are extras: fields of the option groups that the handler takes.
SIMULATE_DEVICES: Options = (
    HUB,
    AUTH_TYPE,
    DEVICE,
    ONE_DEVICE,
    DEVICE_KEY,
    certificate(", for MQTT"),
    WEBSOCKET,
    WHICH_DEVICES,
    CLUSTER,
    CERTIFICATES,
    MONITORING,
    BEHAVIOUR,
)

LIST_SIMULATIONS: Options = ()

SIMULATION: Options = ((option("simulation_id", "--simulation-id", "Id of the simulation, as `list` shows it."),),)
