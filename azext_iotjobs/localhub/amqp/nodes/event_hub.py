"""What requests to the event hub name: the event hub itself, and its partitions."""

from azext_iotjobs.localhub.amqp.nodes.base import HubParts
from azext_iotjobs.localhub.amqp.refusals import LinkError, shown
from azext_iotjobs.localhub.amqp.wire.conditions import NOT_FOUND
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError


def check_event_hub(hub: HubParts, name: str) -> None:
    """Raise LinkError unless an event hub is this hub's."""
    if name.lower() != hub.event_hub.name:
        raise LinkError(AmqpError(NOT_FOUND, no_event_hub(hub, name)))


def no_event_hub(hub: HubParts, name: str) -> str:
    """What is said of an event hub that there is not."""
    return f"The messaging entity {shown(name)} could not be found; the event hub is {hub.event_hub.name}."


def partition_number(text: str, count: int) -> int | None:
    """The number of a partition from its id; None when none of `count` has it."""
    is_number = text.isascii() and text.isdecimal() and len(text) < 5
    return int(text) if is_number and int(text) < count else None


def no_partition(given: object, count: int) -> str:
    """What a client is told that names no partition."""
    return f"The partition {shown(given)} is invalid: it is one of 0 to {count - 1}."
