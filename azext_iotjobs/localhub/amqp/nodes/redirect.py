"""/messages/events: not here, but at the Event Hubs endpoint, to which clients are sent on.

Source: how the reference's monitor-events finds a hub's Event Hubs endpoint; AMQP 2.8.18, link redirect.
"""

from typing import NoReturn
from urllib.parse import quote

from azext_iotjobs.localhub.amqp.nodes.base import AmqpLink, ConnectionContext, EventHubEndpoint, Match
from azext_iotjobs.localhub.amqp.refusals import LinkError
from azext_iotjobs.localhub.amqp.wire.conditions import LINK_REDIRECT
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError
from azext_iotjobs.localhub.amqp.wire.types import Symbol

ADDRESS = "/messages/events/{*rest}"


def send_on(context: ConnectionContext, _link: AmqpLink, match: Match) -> NoReturn:
    """Raise the LinkError that says where the client finds what it wants."""
    host = context.hub.host_names.known_to(context.peer.host)
    raise LinkError(redirect(host, context.hub.event_hub, match.segments[2:]))


def redirect(host: str, endpoint: EventHubEndpoint, rest: tuple[str, ...]) -> AmqpError:
    """What a client is told.

    host: of the endpoint, as this client knows it.  rest: the segments of its address after /messages/events.
    """
    port = endpoint.port
    path = "/".join((endpoint.name, *(quote(each, safe="$") for each in rest)))
    info = {
        "hostname": host,
        "network-host": host,
        "port": port,
        "address": f"amqps://{host}:{port}/{path}",
    }
    return AmqpError(
        LINK_REDIRECT,
        f"Events are read at {host}:{port}, from the event hub {endpoint.name}.",
        {Symbol(name): value for name, value in info.items()},
    )
