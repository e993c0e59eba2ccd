"""Handler of az iot device send-d2c-message: a device sends messages over MQTT."""

from pathlib import Path

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.input.message_properties import read_mqtt_properties, text_bytes
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import at_least, bytes_of_file
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.dtmi import check_dtmi
from azext_iotjobs.model.message import DeviceMessage
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.message import send_d2c as operation
from azext_iotjobs.transport.mqtt import MqttProtocol

logger = get_logger(__name__)

# The content type that a file's name stands for, so that the hub can route by a JSON body.
CONTENT_TYPES = {".json": "application/json", ".txt": "text/plain"}


@takes_option_groups
def send(
    client: HubClient,
    our_device_id: str,
    our_data: str = "Ping from Az CLI IoT Extension",
    our_data_file_path: str | None = None,
    our_properties: str | None = None,
    our_msg_count: int = 1,
    our_model_id: str | None = None,
    *,
    sign_in: SignInOptions,
) -> None:
    """Send a message as a device, once or several times."""
    if our_model_id is not None:
        check_dtmi(our_model_id, "--model-id")
    count = at_least(our_msg_count, 1, "--msg-count")
    path = our_data_file_path
    message = DeviceMessage(
        body=text_bytes(our_data, "--data") if path is None else bytes_of_file(path, "--data-file-path"),
        properties=read_mqtt_properties(our_properties, {} if path is None else _properties_of(path)),
    )
    operation.check(our_device_id, message)
    credential = sign_in.credential(client, our_device_id)
    sender = operation.Sender(device_id=our_device_id, credential=credential, model_id=our_model_id)
    way = MqttProtocol.WEBSOCKET if sign_in.websocket else MqttProtocol.TLS
    operation.send(client.target, sender, message, count, SystemClock(), way)
    logger.warning("%s: %s sent.", our_device_id, counted(count, "message"))


def _properties_of(path: str) -> dict[str, str]:
    content_type = CONTENT_TYPES.get(Path(path).suffix.lower())
    return {} if content_type is None else {"$.ct": content_type, "$.ce": "utf-8"}
