"""Handlers of az iot device send-d2c-message and c2d-message: what a device does over HTTPS."""

from pathlib import Path
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.values import at_least, bytes_of_file, key_values
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.hints import Hint, command
from azext_iotjobs.model.message import DeviceMessage, ReceivedMessage, Settlement
from azext_iotjobs.model.target import check_key
from azext_iotjobs.operations import messages as operation

logger = get_logger(__name__)

LOCK_S = (5, 300)  # what the hub allows
READABLE = ("utf-8", "utf8", "utf-16", "utf16", "utf-32", "utf32")
NOT_READABLE = "{{non-decodable payload}}"  # the reference's words


def send_d2c(
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
) -> None:
    """Send messages as a device."""
    if model is not None or any((certificate_path, key_path, key_passphrase)):
        raise ConflictingChoice(
            "This command speaks HTTPS, which announces no model, and signs in with a key.",
            hint=Hint(
                "Over MQTT, with --model-id, --certificate-file-path and --msg-count: ", command("iot device simulate")
            ),
        )
    count = at_least(messages_to_send, 1, "--msg-count")
    properties = {} if message_properties is None else key_values(message_properties, "--properties")
    content = body.encode() if body_file is None else bytes_of_file(body_file, "--data-file-path")
    if body_file is not None:
        properties = {**_described_by(body_file), **properties}
    message = DeviceMessage(body=content, properties=properties)
    sender = client.device(device, key_of(client, device, device_key))
    for _ in range(count):
        sender.send(message)
    logger.warning("%s: %d %s sent.", device, count, "message" if count == 1 else "messages")


def receive(
    client: HubClient,
    device: str,
    lock_s: int = 60,
    completes: bool = False,
    abandons: bool = False,
    rejects: bool = False,
) -> dict[str, Any] | None:
    """Receive the oldest cloud-to-device message that waits; nothing is printed when there is none."""
    asked = [
        settlement
        for settlement, is_asked in (
            (Settlement.COMPLETE, completes), (Settlement.ABANDON, abandons), (Settlement.REJECT, rejects),
        )
        if is_asked
    ]  # fmt: skip
    if len(asked) > 1:
        raise ConflictingChoice("--complete, --abandon and --reject exclude each other: give one of them.")
    if not LOCK_S[0] <= lock_s <= LOCK_S[1]:
        raise BadValue(f"--lock-timeout {lock_s}: give {LOCK_S[0]} to {LOCK_S[1]} seconds.")
    received = operation.receive(client.device(device), lock_s, asked[0] if asked else None)
    if received is None:
        logger.warning("%s: no message waits.", device)
        return None
    ack = {} if received.settlement is None else {"ack": received.settlement.value}
    return {**message_document(received.message), **ack}


def complete(client: HubClient, device: str, lock_token: str | None = None) -> None:
    """Complete a message: it leaves the queue."""
    client.device(device).settle(_checked(lock_token), Settlement.COMPLETE)


def abandon(client: HubClient, device: str, lock_token: str | None = None) -> None:
    """Abandon a message: it waits again."""
    client.device(device).settle(_checked(lock_token), Settlement.ABANDON)


def reject(client: HubClient, device: str, lock_token: str | None = None) -> None:
    """Reject a message: it leaves the queue as one that could not be handled."""
    client.device(device).settle(_checked(lock_token), Settlement.REJECT)


def purge(client: HubClient, device: str) -> dict[str, Any]:
    """Remove all messages that wait for a device."""
    return client.messages.purge(device)


def key_of(client: HubClient, device: str, typed_key: str | None) -> str:
    """The device's key: typed, or the primary one that the registry has. Raises BadValue for a device without keys."""
    if typed_key is not None:
        check_key(typed_key, "--symmetric-key")
        return typed_key
    return client.key_of(device)


def message_document(message: ReceivedMessage) -> dict[str, Any]:
    """A received message as the reference shows it."""
    properties: dict[str, Any] = {}
    if message.properties:
        properties["app"] = dict(message.properties)
    if message.system:
        properties["system"] = dict(message.system)
    document: dict[str, Any] = {"etag": message.lock_token, "properties": properties}
    if message.body:
        document["data"] = _text(message)
    return document


def _text(message: ReceivedMessage) -> str:
    encoding = (message.content_encoding or "utf-8").lower()
    try:
        return message.body.decode(encoding) if encoding in READABLE else NOT_READABLE
    except UnicodeDecodeError:
        return NOT_READABLE


def _described_by(path: str) -> dict[str, str]:
    """What a file's name says of its content, so that the hub can route by a JSON body."""
    if Path(path).suffix.lower() == ".json":
        return {"$.ct": "application/json", "$.ce": "utf-8"}
    return {"$.ct": "text/plain", "$.ce": "utf-8"} if Path(path).suffix.lower() == ".txt" else {}


def _checked(typed: str | None) -> str:
    lock_token = (typed or "").strip('" ')
    if not lock_token:
        raise MissingChoice(
            "--etag is missing.",
            hint=Hint("Give the etag that was printed by: ", command("iot device c2d-message receive", "-d", "ID")),
        )
    return lock_token
