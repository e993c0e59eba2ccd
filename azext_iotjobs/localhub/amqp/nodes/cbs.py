"""`$cbs`: where clients put tokens. Source: AMQP claims-based security 1.0, working draft; IoT Hub "AMQP support"."""

from azext_iotjobs.localhub.amqp.addresses import segments_of
from azext_iotjobs.localhub.amqp.nodes.base import (
    ConnectionContext,
    Direction,
    HubParts,
    InAmqpLink,
    Match,
    OutAmqpLink,
    Route,
    Side,
)
from azext_iotjobs.localhub.amqp.nodes.event_hub import no_event_hub
from azext_iotjobs.localhub.amqp.nodes.request_reply import Exchange, ReplyNode, RequestNode
from azext_iotjobs.localhub.amqp.refusals import REFUSALS, hub_error
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message
from azext_iotjobs.localhub.auth import sas
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, NOT_FOUND, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import is_id
from azext_iotjobs.localhub.rules.observation import Client

ADDRESS = "$cbs"
PUT_TOKEN = "put-token"
MANAGEMENT = "$management"  # of the event hub, without its name
OK = 200  # the Node.js SDK takes no other one


def _exchange(context: ConnectionContext) -> Exchange:
    exchange: Exchange = context.shared.setdefault(ADDRESS, Exchange(lambda request: answer(context, request)))
    return exchange


def open_requests(context: ConnectionContext, link: InAmqpLink, _match: Match) -> RequestNode:
    """The node for tokens."""
    return RequestNode(_exchange(context), link)


def open_replies(context: ConnectionContext, link: OutAmqpLink, _match: Match) -> ReplyNode:
    """The node for what became of them."""
    return ReplyNode(_exchange(context), link)


def answer(context: ConnectionContext, request: Message) -> Message:
    """Take the token that a message puts; the reply says what became of it."""
    try:
        _put_token(context, request)
    except REFUSALS as err:
        refusal = hub_error(err)
        context.hub.links.observations.connections.refused(_client(context, request), refusal.text)
        return _reply(refusal.fault.http_status, refusal.text)
    return _reply(OK, "OK")


def _client(context: ConnectionContext, request: Message) -> Client:
    """Whose token it is, by its own word or, for one that cannot be read, by its name."""
    try:
        segments = sas.parse_token(request.body.decode()).resource
    except (ValueError, *REFUSALS):
        segments = segments_of(str(request.application_properties.get("name") or ""))
    match segments[1:]:
        case ("devices", device, "modules", module, *_) if is_id(device) and is_id(module):
            return context.peer.client(Address(device, module))
        case ("devices", device, *_) if is_id(device):
            return context.peer.client(Address(device))
    return context.peer.client()


def _put_token(context: ConnectionContext, request: Message) -> None:
    given = request.application_properties
    if given.get("operation") != PUT_TOKEN:
        raise HubError(ARGUMENT_INVALID, f"The operation of a request to {ADDRESS} must be {PUT_TOKEN}.")
    try:
        token = request.body.decode()
    except UnicodeDecodeError:
        raise HubError(ARGUMENT_INVALID, "The token is not a text.") from None
    claim = context.peer.put_token(str(given.get("type")), token)
    if claim.is_for_event_hubs:
        _check_event_hub(context.hub, str(given.get("name") or ""))


def _check_event_hub(hub: HubParts, name: str) -> None:
    """Raise HubError 404000 when a token of an Event Hubs client is for another event hub than this hub's.

    name: what the token is for, sb://host/event-hub and perhaps more, or sb://host alone.
    Source: the reply with 404, "Put token failed", as seen in microsoft/spring-cloud-azure issue 234 and others.
    """
    segments = segments_of(name)
    if segments and segments[0].lower() not in (MANAGEMENT, hub.event_hub.name):
        raise HubError(NOT_FOUND, no_event_hub(hub, segments[0]))


def _reply(status: int, description: str) -> Message:
    return Message(
        application_properties={"status-code": status, "status-description": description}, value=AmqpValue(value=None)
    )


ROUTES = (
    Route(
        side=Side.ANYONE,
        address=ADDRESS,
        direction=Direction.IN,
        opens=open_requests,
        purpose="put a SAS token, as often as it has to be renewed",
    ),
    Route(
        side=Side.ANYONE, address=ADDRESS, direction=Direction.OUT, opens=open_replies, purpose="what became of tokens"
    ),
)
