"""Handlers of az iot device c2d-message: what a device does with the messages that are sent to it, over HTTPS."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.received_message import message_document
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.hints import Hint, command
from azext_iotjobs.model.ids import LOCK_TOKEN, check_id
from azext_iotjobs.model.message import Settlement
from azext_iotjobs.operations.message import device_messages as operation

logger = get_logger(__name__)

LOCK_S = (5, 300)  # what the hub allows


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


def _checked(typed: str | None) -> str:
    lock_token = (typed or "").strip('" ')
    if not lock_token:
        raise MissingChoice(
            "--etag is missing.",
            hint=Hint("Give the etag that was printed by: ", command("iot device c2d-message receive", "-d", "ID")),
        )
    check_id(LOCK_TOKEN, lock_token, "--etag")
    return lock_token
