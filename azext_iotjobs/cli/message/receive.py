"""Handlers of az iot device c2d-message: a device receives and settles the messages that are sent to it, over HTTPS."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.received_message import message_document
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.ids import LOCK_TOKEN, check_id
from azext_iotjobs.model.message import Settlement
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.message import device_messages as operation

logger = get_logger(__name__)

LOCK_S = (5, 300)  # what the hub allows


def receive(
    client: HubClient,
    our_device_id: str,
    our_lock_timeout: int = 60,
    our_complete: bool = False,
    our_abandon: bool = False,
    our_reject: bool = False,
) -> dict[str, Any] | None:
    """Receive the oldest cloud-to-device message that is waiting; nothing is printed when there is none."""
    settlements = [
        settlement
        for settlement, is_typed in (
            (Settlement.COMPLETE, our_complete),
            (Settlement.ABANDON, our_abandon),
            (Settlement.REJECT, our_reject),
        )
        if is_typed
    ]
    if len(settlements) > 1:
        raise ConflictingChoice("--complete, --abandon and --reject exclude each other: give one of them.")
    if not LOCK_S[0] <= our_lock_timeout <= LOCK_S[1]:
        raise BadValue(f"--lock-timeout {our_lock_timeout}: give {LOCK_S[0]} to {LOCK_S[1]} seconds.")
    received = operation.receive(
        client.device(our_device_id), our_lock_timeout, settlements[0] if settlements else None
    )
    if received is None:
        logger.warning("%s: no message is waiting.", our_device_id)
        return None
    ack = {} if received.settlement is None else {"ack": received.settlement.value}
    return {**message_document(received.message), **ack}


def complete(client: HubClient, our_device_id: str, our_etag: str | None = None) -> None:
    """Complete a message: it leaves the queue."""
    client.device(our_device_id).settle(_checked(our_etag), Settlement.COMPLETE)


def abandon(client: HubClient, our_device_id: str, our_etag: str | None = None) -> None:
    """Abandon a message: it returns to the queue."""
    client.device(our_device_id).settle(_checked(our_etag), Settlement.ABANDON)


def reject(client: HubClient, our_device_id: str, our_etag: str | None = None) -> None:
    """Reject a message: it leaves the queue as one that could not be processed."""
    client.device(our_device_id).settle(_checked(our_etag), Settlement.REJECT)


def purge(client: HubClient, our_device_id: str) -> dict[str, Any]:
    """Remove all messages that are waiting for a device."""
    removed: dict[str, Any] = client.messages.purge(our_device_id)
    return removed


def _checked(typed: str | None) -> str:
    lock_token = (typed or "").strip('" ')
    if not lock_token:
        raise MissingChoice(
            "--etag is missing.",
            hint=Text("Give the etag that was printed by: ", command("iot device c2d-message receive", "-d", "ID")),
        )
    check_id(LOCK_TOKEN, lock_token, "--etag")
    return lock_token
