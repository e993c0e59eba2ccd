"""Handler of az iot device c2d-message send: a service sends a message to a device, and may wait for feedback."""

from typing import Any, NamedTuple
from uuid import uuid4

from azext_iotjobs.cli.hub_access.amqp_access import AmqpAccess
from azext_iotjobs.cli.input.c2d_options import C2dOptions
from azext_iotjobs.cli.input.json_option import json_or_file
from azext_iotjobs.cli.input.message_properties import text_bytes
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import bytes_of_file, shown
from azext_iotjobs.cli.message.feedback import show_feedback
from azext_iotjobs.clients.service_messages import ServiceMessagesClient
from azext_iotjobs.model.clock import SystemClock, render_instant
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.message import NewC2dMessage

READABLE = ("utf-8", "utf8", "utf-16", "utf16", "utf-32", "utf32")
JSON_TYPE, BINARY_TYPE = "application/json", "application/octet-stream"


class SendOptions(NamedTuple):
    """How a message is sent and waited for, as typed."""

    our_transport: str | None = None
    our_wait: bool = False
    exit_zero: bool = False
    our_repair: bool = False  # of earlier versions of the reference; without effect
    our_yes: bool = False  # the same


@takes_option_groups
def send_c2d(
    cmd: Any,
    client: AmqpAccess,
    our_device_id: str,
    our_data: str = "Ping from Az CLI IoT Extension",
    our_data_file_path: str | None = None,
    our_properties: str | None = None,
    *,
    options: C2dOptions,
    sending: SendOptions,
) -> None:
    """Send a message to a device."""
    if sending.our_wait and options.our_ack is None:
        raise MissingChoice("--wait needs --ack: without it the hub gives no feedback.", hint="Add --ack full.")
    named = options._replace(our_message_id=options.our_message_id or str(uuid4()))
    body = _file_body(our_data_file_path, options) if our_data_file_path is not None else _body(our_data, options)
    message = named.message(body, our_properties)
    clock = SystemClock()
    _check_expiry(message, clock)
    hub = ServiceMessagesClient(client.over(sending.our_transport), client.credential, clock)
    try:
        hub.send(message, our_device_id)
        if sending.our_wait:
            show_feedback(cmd, hub, our_device_id, message.message_id, exit_zero=sending.exit_zero)
    finally:
        hub.close()


def _body(data: str, options: C2dOptions) -> bytes:
    """The typed text in its encoding; for a JSON content type it has to be JSON. Raises BadValue."""
    if JSON_TYPE in (options.our_content_type or "").lower():
        import json

        data = json.dumps(json_or_file(data, "--data"))
    encoding = options.our_content_encoding.lower()
    return (
        data.encode(encoding) if encoding in READABLE and encoding not in READABLE[:2] else text_bytes(data, "--data")
    )


def _file_body(path: str, options: C2dOptions) -> bytes:
    """A file's bytes if the content type says binary, else its text, in the message's encoding. Raises BadValue."""
    content = bytes_of_file(path, "--data-file-path")
    if BINARY_TYPE in (options.our_content_type or "").lower():
        return content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as err:
        raise BadValue(
            f"--data-file-path: {shown(path)} is not text in UTF-8.",
            hint=f"To send it as it is: --content-type {BINARY_TYPE}",
        ) from err
    return _body(text, options)


def _check_expiry(message: NewC2dMessage, clock: SystemClock) -> None:
    if message.expires_at is not None and message.expires_at <= clock.now():
        raise BadValue(
            f"--expiry-time-utc: {render_instant(message.expires_at)} is past; nothing was sent.",
            hint="Give a time to come: an ISO 8601 instant, or milliseconds since 1970.",
        )
