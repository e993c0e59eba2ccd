"""$management of the event hub: clients ask which partitions there are, and what each holds.

Source: the requests of Microsoft's Event Hubs SDKs, which read the status of a reply by either of two names.
"""

from collections.abc import Callable
from typing import Any

from azext_iotjobs.localhub.amqp.nodes.base import (
    ConnectionContext,
    Direction,
    HubParts,
    InAmqpLink,
    InNode,
    Match,
    OutAmqpLink,
    OutNode,
)
from azext_iotjobs.localhub.amqp.nodes.event_hub import check_event_hub, no_partition, partition_number
from azext_iotjobs.localhub.amqp.nodes.request_reply import Exchange, ReplyNode, RequestNode
from azext_iotjobs.localhub.amqp.nodes.values import timestamp
from azext_iotjobs.localhub.amqp.refusals import shown
from azext_iotjobs.localhub.amqp.wire.conditions import ARGUMENT_ERROR, NOT_FOUND, NOT_IMPLEMENTED
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message
from azext_iotjobs.localhub.amqp.wire.types import Array, Long

EVENT_HUB, PARTITION = "com.microsoft:eventhub", "com.microsoft:partition"
_STATUS = {NOT_FOUND: 404, ARGUMENT_ERROR: 400, NOT_IMPLEMENTED: 501}


class _Refused(Exception):
    """A request cannot be answered. condition: its AMQP condition."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(text)
        self.condition = condition


class Management:
    """Answers requests about the event hub."""

    def __init__(self, hub: HubParts) -> None:
        self._hub = hub

    def answer(self, request: Message) -> Message:
        """The reply to a request."""
        given = request.application_properties
        try:
            return _reply(200, "OK", value=self._read(given))
        except _Refused as err:
            return _reply(_STATUS[err.condition], str(err), condition=err.condition)

    def _read(self, given: Any) -> dict[str, Any]:
        if given.get("operation") != "READ":
            raise _Refused(NOT_IMPLEMENTED, f"The operation {shown(given.get('operation'))} is not READ.")
        kind, name = given.get("type"), given.get("name")
        if kind not in (EVENT_HUB, PARTITION):
            raise _Refused(ARGUMENT_ERROR, f"The type {shown(kind)} is neither {EVENT_HUB} nor {PARTITION}.")
        if not isinstance(name, str) or name.lower() != self._hub.event_hub.name:
            known = self._hub.event_hub.name
            raise _Refused(NOT_FOUND, f"The messaging entity {shown(name)} could not be found; there is {known}.")
        return self._event_hub() if kind == EVENT_HUB else self._partition(given.get("partition"))

    def _event_hub(self) -> dict[str, Any]:
        log = self._hub.event_log
        return {
            "name": self._hub.event_hub.name,
            "type": EVENT_HUB,
            "created_at": timestamp(log.created_at),
            "partition_count": log.partition_count,
            "partition_ids": Array(str(number) for number in range(log.partition_count)),
        }

    def _partition(self, given: Any) -> dict[str, Any]:
        log = self._hub.event_log
        number = partition_number(str(given), log.partition_count)
        if number is None:
            raise _Refused(ARGUMENT_ERROR, no_partition(given, log.partition_count))
        state = log.state(number)
        return {
            "name": self._hub.event_hub.name,
            "type": PARTITION,
            "partition": str(number),
            "begin_sequence_number": Long(state.begin),
            "last_enqueued_sequence_number": Long(state.last),
            "last_enqueued_offset": state.last_offset,
            "last_enqueued_time_utc": timestamp(state.last_enqueued_at),
            "is_partition_empty": state.is_empty,
        }


def open_requests(context: ConnectionContext, link: InAmqpLink, match: Match) -> RequestNode:
    """The node for requests."""
    return RequestNode(_exchange(context, match), link)


def open_replies(context: ConnectionContext, link: OutAmqpLink, match: Match) -> ReplyNode:
    """The node for the replies to them."""
    return ReplyNode(_exchange(context, match), link)


OPENS: dict[Direction, Callable[[ConnectionContext, Any, Match], InNode | OutNode]] = {
    Direction.IN: open_requests,
    Direction.OUT: open_replies,
}


def _exchange(context: ConnectionContext, match: Match) -> Exchange:
    """The connection's own, one for both spellings of the address. Raises LinkError for another event hub."""
    check_event_hub(context.hub, match.ids.get("hub", context.hub.event_hub.name))
    exchange: Exchange = context.shared.setdefault("$management", Exchange(Management(context.hub).answer))
    return exchange


def _reply(status: int, text: str, *, value: Any = None, condition: str | None = None) -> Message:
    named = {
        "status-code": status,
        "statusCode": status,
        "status-description": text,
        "statusDescription": text,
        "error-condition": condition,
        "errorCondition": condition,
    }
    given = {name: each for name, each in named.items() if each is not None}
    return Message(application_properties=given, value=AmqpValue(value=value or {}))
