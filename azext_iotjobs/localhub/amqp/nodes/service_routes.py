"""The addresses of services, and what stands behind them."""

from collections.abc import Callable
from typing import Any

from azext_iotjobs.localhub.amqp.nodes.base import (
    ConnectionContext,
    Direction,
    InAmqpLink,
    InNode,
    Match,
    OutAmqpLink,
    OutNode,
    Route,
    Side,
)
from azext_iotjobs.localhub.amqp.nodes.c2d_sender import C2dSender
from azext_iotjobs.localhub.amqp.nodes.queue_receiver import QueueReceiver
from azext_iotjobs.localhub.amqp.nodes.redirect import ADDRESS, send_on


def open_c2d(context: ConnectionContext, link: InAmqpLink, _match: Match) -> C2dSender:
    """The node for messages to devices."""
    return C2dSender(link, context.hub)


def open_feedback(context: ConnectionContext, link: OutAmqpLink, _match: Match) -> QueueReceiver:
    """The node for feedback on them."""
    return QueueReceiver(link, context.hub.feedback, context.hub.loop)


def open_file_notifications(context: ConnectionContext, link: OutAmqpLink, _match: Match) -> QueueReceiver:
    """The node for notifications of uploaded files."""
    return QueueReceiver(link, context.hub.file_notifications, context.hub.loop)


_Row = tuple[
    str, Direction, Callable[[ConnectionContext, Any, Match], InNode | OutNode], str
]  # address, direction, opens, purpose
_ROWS: tuple[_Row, ...] = (
    ("/messages/devicebound", Direction.IN, open_c2d, "send cloud-to-device messages"),
    ("/messages/serviceBound/feedback", Direction.OUT, open_feedback, "receive feedback on them, locked for 60 s"),
    # SDKs use the first, the documentation has the second.
    *(
        (f"/messages/serviceBound/{name}", Direction.OUT, open_file_notifications, "receive notifications of files")
        for name in ("filenotifications", "fileuploadnotifications")
    ),
    *((ADDRESS, direction, send_on, "redirected to the Event Hubs endpoint") for direction in Direction),
)
ROUTES = tuple(
    Route(side=Side.SERVICE, address=address, direction=direction, opens=opens, purpose=purpose)
    for address, direction, opens, purpose in _ROWS
)
