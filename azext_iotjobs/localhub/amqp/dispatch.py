"""Links and their nodes: opens one by the table of routes, and turns what a node refuses into what a client is told."""

import logging

from azext_iotjobs.localhub.amqp.nodes.base import (
    AmqpLink,
    ConnectionContext,
    Delivery,
    Direction,
    InAmqpLink,
    OutAmqpLink,
)
from azext_iotjobs.localhub.amqp.nodes.routes import find_route
from azext_iotjobs.localhub.amqp.peer import DeviceNeed, Expired, Need
from azext_iotjobs.localhub.amqp.refusals import REFUSALS, LinkError, amqp_error, hub_error
from azext_iotjobs.localhub.amqp.wire.conditions import UNAUTHORIZED_ACCESS
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError, DeliveryState, Rejected
from azext_iotjobs.localhub.process.disconnect_log import quoted

logger = logging.getLogger(__name__)

EXPIRED = AmqpError(UNAUTHORIZED_ACCESS, "The token or certificate of this connection has expired.")


def open_link(context: ConnectionContext, link: AmqpLink, direction: Direction) -> None:
    """Give a link that a client requests its node, or refuse it."""
    need: Need | None = None
    try:
        route, match = find_route(link.address, direction)
        need = route.need(match)
        if need is not None:
            context.peer.require(need)
        link.node = route.opens(context, link, match)
    except LinkError as err:
        _refuse(link, err.error)
    except REFUSALS as err:
        if isinstance(need, DeviceNeed):
            context.hub.links.observations.connections.refused(context.peer.client(need.address), hub_error(err).text)
        _refuse(link, amqp_error(err))
    else:
        if need is not None:
            context.peer.hold(link, need)


def _refuse(link: AmqpLink, error: AmqpError) -> None:
    logger.info("a link to %s is refused: %a", quoted(link.address), f"{error.condition}: {error.description}")
    link.refuse(error)


def receive(link: InAmqpLink, delivery: Delivery) -> None:
    """Give a node a message of its link."""
    try:
        link.node.receive(delivery)
    except LinkError as err:
        link.detach(err.error)
    except REFUSALS as err:
        link.settle(delivery, Rejected(amqp_error(err)))


def pull(link: OutAmqpLink) -> None:
    """Have a node send what there is."""
    try:
        link.node.pull()
    except LinkError as err:
        link.detach(err.error)
    except REFUSALS as err:
        link.detach(amqp_error(err))


def settled(link: OutAmqpLink, tag: bytes, outcome: DeliveryState | None) -> None:
    """Tell a node that the client has settled a delivery."""
    try:
        link.node.settled(tag, outcome)
    except LinkError as err:
        link.detach(err.error)
    except REFUSALS as err:
        link.detach(amqp_error(err))


def close_link(context: ConnectionContext, link: AmqpLink) -> None:
    """A link has ended, for whatever reason."""
    context.peer.let_go(link)
    node, link.node = link.node, None
    if node is not None:
        node.ended()


def end_expired(context: ConnectionContext) -> Expired:
    """Detach the links whose client's claims have expired; gives them, and whether the connection has to end."""
    expired = context.peer.drop_expired()
    for link in expired.links:
        link.detach(EXPIRED)
    return expired
