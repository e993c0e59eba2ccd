"""Handler of az iot device c2d-message send: a service sends a message to a device, and may wait for feedback."""

from typing import Any, NamedTuple
from uuid import uuid4

from azext_iotjobs.cli.hub_access.amqp_access import AmqpAccess
from azext_iotjobs.cli.input.c2d_options import C2dOptions
from azext_iotjobs.cli.input.json_option import json_or_file
from azext_iotjobs.cli.input.message_properties import text_bytes
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import bytes_of_file, shown
from azext_iotjobs.cli.input.strict_json import parse_json
from azext_iotjobs.cli.message.feedback import show_feedback
from azext_iotjobs.model.clock import SystemClock, render_instant
from azext_iotjobs.model.errors import BadValue, MissingChoice
from azext_iotjobs.model.message import NewC2dMessage

OTHER_ENCODINGS = ("utf-16", "utf16", "utf-32", "utf32")  # than UTF-8, in which a text is sent where none is meant
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
    path = our_data_file_path
    named = options._replace(our_message_id=options.our_message_id or str(uuid4()))
    message = named.message(
        _typed_body(our_data, options) if path is None else _file_body(path, options), our_properties
    )
    _check_expiry(message)
    hub = client.open(sending.our_transport)
    try:
        hub.send(message, our_device_id)
        if sending.our_wait:
            show_feedback(cmd, hub, our_device_id, message.message_id, exit_zero=sending.exit_zero)
    finally:
        hub.close()


def _typed_body(text: str, options: C2dOptions) -> bytes:
    """The typed text in its encoding; for a JSON content type it has to be JSON. Raises BadValue."""
    if _says(options, JSON_TYPE):
        import json

        text = json.dumps(json_or_file(text, "--data"))
    return _in_encoding(text, options, "--data")


def _file_body(path: str, options: C2dOptions) -> bytes:
    """A file's bytes if the content type says binary, else its text, in the message's encoding. Raises BadValue."""
    content = bytes_of_file(path, "--data-file-path")
    if _says(options, BINARY_TYPE):
        return content
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as err:
        raise BadValue(
            f"--data-file-path: {shown(path)} is not text in UTF-8.",
            hint=f"To send it as it is: --content-type {BINARY_TYPE}",
        ) from err
    if _says(options, JSON_TYPE):
        _check_json(text, path)
    return _in_encoding(text, options, "--data-file-path")


def _says(options: C2dOptions, content_type: str) -> bool:
    return content_type in (options.our_content_type or "").lower()


def _check_json(text: str, path: str) -> None:
    try:
        parse_json(text)
    except ValueError as err:
        raise BadValue(f"--data-file-path: {shown(path)} is not JSON, as the content type says.") from err


def _in_encoding(text: str, options: C2dOptions, option: str) -> bytes:
    encoding = options.our_content_encoding.lower()
    return text.encode(encoding) if encoding in OTHER_ENCODINGS else text_bytes(text, option)


def _check_expiry(message: NewC2dMessage) -> None:
    if message.expires_at is not None and message.expires_at <= SystemClock().now():
        raise BadValue(
            f"--expiry-time-utc: {render_instant(message.expires_at)} is past; nothing was sent.",
            hint="Give a time to come: an ISO 8601 instant, or milliseconds since 1970.",
        )
