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
from azext_iotjobs.operations.message import send_d2c as operation
from azext_iotjobs.transport.mqtt import Way

logger = get_logger(__name__)

# What a file's name says of its content, so that the hub can route by a JSON body.
CONTENT_TYPES = {".json": "application/json", ".txt": "text/plain"}


def send(
    client: HubClient,
    device: str,
    body: str = "Ping from Az CLI IoT Extension",
    body_file: str | None = None,
    messages_to_send: int = 1,
    message_properties: str | None = None,
    model: str | None = None,
    device_key: str | None = None,
    certificate_path: str | None = None,
    key_path: str | None = None,
    key_passphrase: str | None = None,
    over_websocket: bool = False,
) -> None:
    """Send a message, or several that are the same, as a device."""
    if model is not None:
        check_dtmi(model, "--model-id")
    count = at_least(messages_to_send, 1, "--msg-count")
    message = DeviceMessage(
        body=text_bytes(body, "--data") if body_file is None else bytes_of_file(body_file, "--data-file-path"),
        properties=read_mqtt_properties(message_properties, {} if body_file is None else _described_by(body_file)),
    )
    operation.check(device, message)
    credential = credential_of(
        client, device, device_key=device_key, certificate_path=certificate_path, key_path=key_path,
        passphrase=key_passphrase,
    )  # fmt: skip
    sender = operation.Sender(device_id=device, credential=credential, model_id=model)
    operation.send(
        client.target, sender, message, count, SystemClock(), Way.WEBSOCKET if over_websocket else Way.TLS
    )  # fmt: skip
    logger.warning("%s: %d %s sent.", device, count, "message" if count == 1 else "messages")


def _described_by(path: str) -> dict[str, str]:
    content_type = CONTENT_TYPES.get(Path(path).suffix.lower())
    return {} if content_type is None else {"$.ct": content_type, "$.ce": "utf-8"}
