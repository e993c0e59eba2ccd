"""Handlers of az iot local-hub events | send: ours, in place of the AMQP that services use in Azure."""

import json
import sys
from datetime import datetime, timezone
from typing import Any

from azext_iotjobs.cli.hub_access.running_hubs import pick_typed
from azext_iotjobs.cli.input.scalars import at_least, bytes_of_file, key_values
from azext_iotjobs.cli.local_hub.command import client_of
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.model.clock import SystemClock, parse_instant
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.message import Ack, HubEvent, NewC2dMessage
from azext_iotjobs.operations.message import device_messages as operation


def events(
    our_hub_name: str | None = None,
    secure_port: int | None = None,
    our_device_id: str | None = None,
    messages_to_read: int | None = None,
    silence_s: int = 0,
) -> None:
    """Print what devices sent and send, one JSON document a line, until Ctrl-C or as asked."""
    client = client_of(pick_typed(our_hub_name, secure_port))
    count = None if messages_to_read is None else at_least(messages_to_read, 1, "--msg-count")
    silence = float(at_least(silence_s, 0, "--timeout")) or None
    try:
        for event in operation.follow(client, SystemClock(), device_id=our_device_id, count=count, silence_s=silence):
            # ASCII alone: control characters from a device never reach the terminal raw.
            if not wrote(sys.stdout, json.dumps(_document(event)) + "\n"):
                return  # whoever read has had enough
    except KeyboardInterrupt:
        return


def send(
    our_device_id: str,
    our_hub_name: str | None = None,
    secure_port: int | None = None,
    our_data: str = "Ping from Az CLI IoT Extension",
    our_data_file_path: str | None = None,
    our_properties: str | None = None,
    message_key: str | None = None,
    correlation: str | None = None,
    user: str | None = None,
    media_type: str | None = None,
    text_encoding: str = "utf-8",
    expires: str | None = None,
    wanted_feedback: str | None = None,
) -> dict[str, Any]:
    """Send a cloud-to-device message through a running local hub."""
    message = NewC2dMessage(
        body=our_data.encode() if our_data_file_path is None else bytes_of_file(our_data_file_path, "--data-file-path"),
        properties={} if our_properties is None else key_values(our_properties, "--properties"),
        message_id=message_key,
        correlation_id=correlation,
        user_id=user,
        content_type=media_type,
        content_encoding=text_encoding,
        expires_at=None if expires is None else _expiry(expires),
        ack=None if wanted_feedback is None else Ack(wanted_feedback),
    )
    return client_of(pick_typed(our_hub_name, secure_port)).send(our_device_id, message)


def _document(event: HubEvent) -> dict[str, Any]:
    """An event with its body as JSON or text where it is that, else in base64 under another name."""
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
    """An instant, or milliseconds since 1970 as the reference has it."""
    if not text.strip().isdecimal():
        return parse_instant(text, "--expiry-time-utc").at
    try:
        return datetime.fromtimestamp(int(text) / 1000, tz=timezone.utc)
    except (ValueError, OverflowError, OSError) as err:
        raise BadValue(f"--expiry-time-utc {text[:40]}: this is no time.") from err
