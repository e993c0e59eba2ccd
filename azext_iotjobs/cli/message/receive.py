"""Handlers of az iot device c2d-message: what a device does with the messages that are sent to it, over HTTPS."""

from collections.abc import Mapping
from typing import Any

from knack.log import get_logger

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.ids import LOCK_TOKEN, check_id
from azext_iotjobs.model.message import ReceivedMessage, Settlement
from azext_iotjobs.model.target import check_key
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.message import device_messages as operation

logger = get_logger(__name__)

LOCK_S = (5, 300)  # what the hub allows
READABLE = ("utf-8", "utf8", "utf-16", "utf16", "utf-32", "utf32")
NAMED_TODAY = {"ContentType": "content-type", "ContentEncoding": "content-encoding"}
NOT_READABLE = "{{non-decodable payload}}"  # the reference's words


def receive(
    client: HubClient,
    our_device_id: str,
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
    received = operation.receive(client.device(our_device_id), lock_s, asked[0] if asked else None)
    if received is None:
        logger.warning("%s: no message waits.", our_device_id)
        return None
    ack = {} if received.settlement is None else {"ack": received.settlement.value}
    return {**message_document(received.message), **ack}


def complete(client: HubClient, our_device_id: str, lock_token: str | None = None) -> None:
    """Complete a message: it leaves the queue."""
    client.device(our_device_id).settle(_checked(lock_token), Settlement.COMPLETE)


def abandon(client: HubClient, our_device_id: str, lock_token: str | None = None) -> None:
    """Abandon a message: it waits again."""
    client.device(our_device_id).settle(_checked(lock_token), Settlement.ABANDON)


def reject(client: HubClient, our_device_id: str, lock_token: str | None = None) -> None:
    """Reject a message: it leaves the queue as one that could not be handled."""
    client.device(our_device_id).settle(_checked(lock_token), Settlement.REJECT)


def purge(client: HubClient, our_device_id: str) -> dict[str, Any]:
    """Remove all messages that wait for a device."""
    return client.messages.purge(our_device_id)


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
        properties["system"] = _named_as_today(message.system)
    document: dict[str, Any] = {"etag": message.lock_token, "properties": properties}
    if message.body:
        document["data"] = _text(message)
    return document


def _named_as_today(system: Mapping[str, str]) -> dict[str, str]:
    """System properties by the names that the reference prints since 0.26, whichever the hub sent."""
    renamed = {NAMED_TODAY.get(name, name): value for name, value in system.items()}
    return {**renamed, **{name: value for name, value in system.items() if name not in NAMED_TODAY}}


def _text(message: ReceivedMessage) -> str:
    encoding = (message.content_encoding or "utf-8").lower()
    try:
        return message.body.decode(encoding) if encoding in READABLE else NOT_READABLE
    except UnicodeDecodeError:
        return NOT_READABLE


def _checked(typed: str | None) -> str:
    lock_token = (typed or "").strip('" ')
    if not lock_token:
        raise MissingChoice(
            "--etag is missing.",
            hint=Text("Give the etag that was printed by: ", command("iot device c2d-message receive", "-d", "ID")),
        )
    check_id(LOCK_TOKEN, lock_token, "--etag")
    return lock_token
