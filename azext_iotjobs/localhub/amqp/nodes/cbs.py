"""`$cbs`: where clients put tokens. Source: AMQP claims-based security 1.0, working draft; IoT Hub "AMQP support"."""

from azext_iotjobs.localhub.amqp.nodes.base import (
    ConnectionContext,
    Direction,
    InAmqpLink,
    Match,
    OutAmqpLink,
    Route,
    Side,
)
from azext_iotjobs.localhub.amqp.nodes.request_reply import Exchange, ReplyNode, RequestNode
from azext_iotjobs.localhub.amqp.peer import Peer
from azext_iotjobs.localhub.amqp.refusals import REFUSALS, hub_error
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError

ADDRESS = "$cbs"
PUT_TOKEN = "put-token"
OK = 200  # the Node.js SDK takes no other one


def _exchange(context: ConnectionContext) -> Exchange:
    exchange: Exchange = context.shared.setdefault(ADDRESS, Exchange(lambda request: answer(context.peer, request)))
    return exchange


def open_requests(context: ConnectionContext, link: InAmqpLink, _match: Match) -> RequestNode:
    """The node for tokens."""
    return RequestNode(_exchange(context), link)


def open_replies(context: ConnectionContext, link: OutAmqpLink, _match: Match) -> ReplyNode:
    """The node for what became of them."""
    return ReplyNode(_exchange(context), link)


def answer(peer: Peer, request: Message) -> Message:
    """Take the token that a message puts; the reply says what became of it."""
    try:
        _put_token(peer, request)
    except REFUSALS as err:
        refusal = hub_error(err)
        return _reply(refusal.fault.http_status, refusal.text)
    return _reply(OK, "OK")


def _put_token(peer: Peer, request: Message) -> None:
    given = request.application_properties
    if given.get("operation") != PUT_TOKEN:
        raise HubError(ARGUMENT_INVALID, f"The operation of a request to {ADDRESS} must be {PUT_TOKEN}.")
    try:
        token = request.body.decode()
    except UnicodeDecodeError:
        raise HubError(ARGUMENT_INVALID, "The token is not a text.") from None
    peer.put_token(str(given.get("type")), token)


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
