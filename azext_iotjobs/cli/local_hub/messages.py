"""Handlers of az iot local-hub events | send, which stand for the AMQP that services use in Azure."""

import json
import sys
from datetime import datetime, timezone
from typing import Any, NamedTuple

from azext_iotjobs.cli.hub_access.running_hubs import pick_typed
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import at_least, bytes_of_file, key_values
from azext_iotjobs.cli.local_hub.command import client_of
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.model.clock import SystemClock, parse_instant
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.message import Ack, HubEvent, NewC2dMessage
from azext_iotjobs.operations.message import device_messages as operation


class MessageOptions(NamedTuple):
    """The properties of a cloud-to-device message."""

    our_message_id: str | None = None
    our_correlation_id: str | None = None
    our_user_id: str | None = None
    our_content_type: str | None = None
    our_content_encoding: str = "utf-8"
    our_expiry_time_utc: str | None = None
    our_ack: str | None = None


def events(
    our_hub_name: str | None = None,
    https_port: int | None = None,
    our_device_id: str | None = None,
    our_msg_count: int | None = None,
    our_timeout: int = 0,
) -> None:
    """Print the messages of devices, one JSON document a line, until Ctrl-C, a count or a silence."""
    client = client_of(pick_typed(our_hub_name, https_port))
    count = None if our_msg_count is None else at_least(our_msg_count, 1, "--msg-count")
    silence = float(at_least(our_timeout, 0, "--timeout")) or None
    try:
        for event in operation.follow(client, SystemClock(), device_id=our_device_id, count=count, silence_s=silence):
            # ASCII alone: control characters from a device never reach the terminal raw.
            if not wrote(sys.stdout, json.dumps(_document(event)) + "\n"):
                return  # the reader of the pipe has ended
    except KeyboardInterrupt:
        return


@takes_option_groups
def send(
    our_device_id: str,
    our_hub_name: str | None = None,
    https_port: int | None = None,
    our_data: str = "Ping from Az CLI IoT Extension",
    our_data_file_path: str | None = None,
    our_properties: str | None = None,
    *,
    options: MessageOptions,
) -> dict[str, Any]:
    """Send a cloud-to-device message through a running local hub."""
    message = NewC2dMessage(
        body=our_data.encode() if our_data_file_path is None else bytes_of_file(our_data_file_path, "--data-file-path"),
        properties={} if our_properties is None else key_values(our_properties, "--properties"),
        message_id=options.our_message_id,
        correlation_id=options.our_correlation_id,
        user_id=options.our_user_id,
        content_type=options.our_content_type,
        content_encoding=options.our_content_encoding,
        expires_at=None if options.our_expiry_time_utc is None else _expiry(options.our_expiry_time_utc),
        ack=None if options.our_ack is None else Ack(options.our_ack),
    )
    sent: dict[str, Any] = client_of(pick_typed(our_hub_name, https_port)).send(our_device_id, message)
    return sent


def _document(event: HubEvent) -> dict[str, Any]:
    """An event with its body as JSON or text if it is that, else as `bodyBase64`."""
    try:
        text = event.body.decode()
    except UnicodeDecodeError:
        import base64

        return {**event.document, "bodyBase64": base64.b64encode(event.body).decode()}
    try:
        return {**event.document, "body": json.loads(text)}
    except (ValueError, RecursionError):
        return {**event.document, "body": text}


def _expiry(text: str) -> datetime:
    """An instant; also milliseconds since 1970, as in azure-iot."""
    if not text.strip().isdecimal():
        return parse_instant(text, "--expiry-time-utc").at
    try:
        return datetime.fromtimestamp(int(text) / 1000, tz=timezone.utc)
    except (ValueError, OverflowError, OSError) as err:
        raise BadValue(f"--expiry-time-utc {text[:40]}: this is not a time.") from err
