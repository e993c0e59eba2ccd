"""The table of links: address and direction -> node. A new address is a new row, of its node's file; the docs are made
from it.
"""

from azext_iotjobs.localhub.amqp.addresses import match_pattern, segments_of
from azext_iotjobs.localhub.amqp.nodes import cbs, device_routes, event_routes, service_routes
from azext_iotjobs.localhub.amqp.nodes.base import Direction, Match, Route
from azext_iotjobs.localhub.amqp.refusals import LinkError, shown
from azext_iotjobs.localhub.amqp.wire.conditions import NOT_FOUND
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError

ROUTES: tuple[Route, ...] = (*cbs.ROUTES, *device_routes.ROUTES, *service_routes.ROUTES, *event_routes.ROUTES)


def find_route(address: str, direction: Direction) -> tuple[Route, Match]:
    """The row for an address as a client wrote it, and the address's parts. Raises LinkError if there is none."""
    segments = segments_of(address)
    matching = [(route, ids) for route in ROUTES if (ids := match_pattern(route.address, segments)) is not None]
    for route, ids in matching:
        if route.direction is direction:
            return route, Match(ids, segments)
    hint = f"; only a {matching[0][0].direction.value} may attach there" if matching else ""
    raise LinkError(AmqpError(NOT_FOUND, f"This hub has no {direction.value} at the address {shown(address)}{hint}."))
