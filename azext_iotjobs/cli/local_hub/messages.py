"""Handlers of az iot local-hub events | send, which need neither AMQP nor a key."""

import json
import sys
from typing import Any

from azext_iotjobs.cli.hub_access.running_hubs import pick_typed
from azext_iotjobs.cli.input.c2d_options import C2dOptions
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import at_least, bytes_of_file
from azext_iotjobs.cli.local_hub.command import client_of
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.message import HubEvent
from azext_iotjobs.operations.message import device_messages as operation


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
    options: C2dOptions,
) -> dict[str, Any]:
    """Send a cloud-to-device message through a running local hub."""
    body = our_data.encode() if our_data_file_path is None else bytes_of_file(our_data_file_path, "--data-file-path")
    message = options.message(body, our_properties)
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
