"""Handler of az iot device send-d2c-message: what a device sends over MQTT."""

from pathlib import Path

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.device_key import credential_of
from azext_iotjobs.cli.input.message_properties import read_mqtt_properties, text_bytes
from azext_iotjobs.cli.input.scalars import at_least, bytes_of_file
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.dtmi import check_dtmi
from azext_iotjobs.model.message import DeviceMessage
from azext_iotjobs.operations.simulate import send_d2c as operation
from azext_iotjobs.transport.mqtt import MqttProtocol

logger = get_logger(__name__)

# What a file's name says of its content, so that the hub can route by a JSON body.
CONTENT_TYPES = {".json": "application/json", ".txt": "text/plain"}


def send(
    client: HubClient,
    our_device_id: str,
    our_data: str = "Ping from Az CLI IoT Extension",
    our_data_file_path: str | None = None,
    messages_to_send: int = 1,
    our_properties: str | None = None,
    model: str | None = None,
    symmetric_key: str | None = None,
    certificate_file_path: str | None = None,
    key_file_path: str | None = None,
    our_passphrase: str | None = None,
    websocket: bool = False,
) -> None:
    """Send a message, or several that are the same, as a device."""
    if model is not None:
        check_dtmi(model, "--model-id")
    count = at_least(messages_to_send, 1, "--msg-count")
    message = DeviceMessage(
        body=text_bytes(our_data, "--data")
        if our_data_file_path is None
        else bytes_of_file(our_data_file_path, "--data-file-path"),
        properties=read_mqtt_properties(
            our_properties, {} if our_data_file_path is None else _described_by(our_data_file_path)
        ),
    )
    operation.check(our_device_id, message)
    credential = credential_of(
        client, our_device_id, device_key=symmetric_key, certificate_path=certificate_file_path, key_path=key_file_path,
        passphrase=our_passphrase,
    )  # fmt: skip
    sender = operation.Sender(device_id=our_device_id, credential=credential, model_id=model)
    operation.send(
        client.target, sender, message, count, SystemClock(), MqttProtocol.WEBSOCKET if websocket else MqttProtocol.TLS
    )  # fmt: skip
    logger.warning("%s: %d %s sent.", our_device_id, count, "message" if count == 1 else "messages")


def _described_by(path: str) -> dict[str, str]:
    content_type = CONTENT_TYPES.get(Path(path).suffix.lower())
    return {} if content_type is None else {"$.ct": content_type, "$.ce": "utf-8"}
