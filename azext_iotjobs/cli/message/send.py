"""Handler of az iot device send-d2c-message: a device sends messages over MQTT."""

from pathlib import Path
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.device_key import SignInOptions
from azext_iotjobs.cli.input.message_properties import read_mqtt_properties, text_bytes
from azext_iotjobs.cli.input.option_groups import take_group
from azext_iotjobs.cli.input.scalars import at_least, bytes_of_file
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.dtmi import check_dtmi
from azext_iotjobs.model.message import DeviceMessage
from azext_iotjobs.operations.message import send_d2c as operation
from azext_iotjobs.transport.mqtt import Way

logger = get_logger(__name__)

# The content type that a file's name stands for, so that the hub can route by a JSON body.
CONTENT_TYPES = {".json": "application/json", ".txt": "text/plain"}


def send(
    client: HubClient,
    device: str,
    body: str = "Ping from Az CLI IoT Extension",
    body_file: str | None = None,
    message_properties: str | None = None,
    our_msg_count: int = 1,
    our_model_id: str | None = None,
    **kwargs: Any,
) -> None:
    """Send a message as a device, once or several times. kwargs: what SignInOptions names, and `websocket`."""
    sign_in = take_group(SignInOptions, kwargs)
    if our_model_id is not None:
        check_dtmi(our_model_id, "--model-id")
    count = at_least(our_msg_count, 1, "--msg-count")
    message = DeviceMessage(
        body=text_bytes(body, "--data") if body_file is None else bytes_of_file(body_file, "--data-file-path"),
        properties=read_mqtt_properties(message_properties, {} if body_file is None else _properties_of(body_file)),
    )
    operation.check(device, message)
    credential = sign_in.credential(client, device)
    sender = operation.Sender(device_id=device, credential=credential, model_id=our_model_id)
    way = Way.WEBSOCKET if kwargs.pop("websocket", False) else Way.TLS
    operation.send(client.target, sender, message, count, SystemClock(), way)
    logger.warning("%s: %d %s sent.", device, count, "message" if count == 1 else "messages")


def _properties_of(path: str) -> dict[str, str]:
    content_type = CONTENT_TYPES.get(Path(path).suffix.lower())
    return {} if content_type is None else {"$.ct": content_type, "$.ce": "utf-8"}
