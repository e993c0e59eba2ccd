"""One AMQP connection: an asyncio.Protocol that feeds the protocol, writes its output, and has nodes called.

A connection has one timer and no task. It works in turns: some frames, the events that follow from them, what is to be
written; what is left is for a turn later, so that others are served. A client that does not read what it is sent is not
read either, and its links have no credit meanwhile.
"""

import asyncio
import logging

from azext_iotjobs.localhub.amqp import dispatch
from azext_iotjobs.localhub.amqp.nodes.base import ConnectionContext, Direction, HubParts
from azext_iotjobs.localhub.amqp.peer import Peer
from azext_iotjobs.localhub.amqp.protocol import events
from azext_iotjobs.localhub.amqp.protocol.connection import AmqpConnection, State
from azext_iotjobs.localhub.amqp.protocol.in_link import InLink
from azext_iotjobs.localhub.amqp.protocol.lifetime import Lifetime
from azext_iotjobs.localhub.amqp.protocol.out_link import OutLink
from azext_iotjobs.localhub.amqp.refusals import REFUSALS, LinkError, amqp_error
from azext_iotjobs.localhub.amqp.wire.conditions import CONNECTION_FORCED, NOT_FOUND, RESOURCE_LIMIT_EXCEEDED
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError
from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.clock import LONGEST_TIMER_S
from azext_iotjobs.localhub.errors import HubError, StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.disconnect_log import quoted
from azext_iotjobs.localhub.rules.observation import IS_WEBSOCKET, ClientProtocol
from azext_iotjobs.localhub.tls.context import peer_certificates

logger = logging.getLogger(__name__)

CONTAINER_ID = "local-hub"
FRAMES_AT_ONCE = 32  # then other connections are served
MAX_UNSENT_BYTES, FEW_UNSENT_BYTES = 1024 * 1024, 256 * 1024  # above the one it is not read, until below the other
CLOSE_LIMIT_S = 5.0  # for the last bytes, and the client's Close


class Connection(asyncio.Protocol):
    """One client's connection.

    connections: it is in this set while it lives.
    """

    def __init__(
        self,
        hub: HubParts,
        authenticator: Authenticator,
        connections: "set[Connection]",
    ) -> None:
        self._hub = hub
        self._loop = hub.loop
        self._connections = connections
        self._protocol = AmqpConnection(CONTAINER_ID, self._wake)
        self._lifetime = Lifetime(hub.loop.time())
        peer = Peer(authenticator, hub.clock, lambda: peer_certificates(self._transport))
        self._context = ConnectionContext(hub=hub, peer=peer, drop=self._drop)
        self._context.peer.on_change = self._check_time
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._client: str | None = None  # its container id; None before it has opened the connection
        self._is_working = self._is_scheduled = False
        self._is_writable = self._is_reading = True
        self._is_closed = False

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        if transport.get_extra_info(IS_WEBSOCKET):
            self._context.peer.protocol = ClientProtocol.AMQP_WEBSOCKET
        self._hub.clock.subscribe(self._check_time)
        transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES, low=FEW_UNSENT_BYTES)
        self._check_time()

    def data_received(self, data: bytes) -> None:
        self._lifetime.last_received_s = self._loop.time()
        self._work(data)

    def pause_writing(self) -> None:
        self._is_writable = False
        self._protocol.set_writable(False)

    def resume_writing(self) -> None:
        self._is_writable = True
        self._protocol.set_writable(True)
        self._wake()

    def report_client_error(self, reason: str) -> None:
        """The transport is about to end the connection because of its client's error."""
        self._note(reason)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None  # the two refer to each other
        self._context.peer.will_end("connection lost")
        self._protocol.set_writable(False)
        self._finish_work()
        self._protocol.lost()
        self._finish_work()
        self._stop_timer()
        self._hub.clock.unsubscribe(self._check_time)
        self._connections.discard(self)

    # --- for the hub

    def close(self, reason: str) -> None:
        """The hub ends it. reason: for the client."""
        self._close(AmqpError(CONNECTION_FORCED, reason))

    # --- turns

    def _wake(self) -> None:
        """There is something to do, in a turn of its own."""
        if not self._is_working and not self._is_scheduled and self._transport is not None:
            self._is_scheduled = True
            self._loop.call_soon(self._continue)

    def _continue(self) -> None:
        self._is_scheduled = False
        self._work()

    def _finish_work(self) -> None:
        while self._protocol.has_more:
            self._work()

    def _work(self, data: bytes = b"") -> None:
        """Take a turn: some frames, each with what follows from it before the next."""
        self._is_working = True
        try:
            self._process(data)
        finally:
            self._is_working = False
        self._write()
        if self._protocol.has_more:
            self._wake()
        self._choose_reading()

    def _process(self, data: bytes) -> None:
        for _ in range(FRAMES_AT_ONCE):
            for event in self._protocol.receive(data, max_frames=1):
                self._dispatch(event)
            data = b""
            if not self._protocol.has_more:
                break

    def _write(self) -> None:
        output = self._protocol.take_output()
        if self._transport is None:
            return
        if output:
            self._transport.write(output)
            self._lifetime.last_sent_s = self._loop.time()
        if self._protocol.state is State.OVER and not self._protocol.has_more:
            self._transport.close()

    def _choose_reading(self) -> None:
        wants_reading = self._is_writable and not self._protocol.has_more
        if self._transport is None or self._is_reading == wants_reading:
            return
        self._is_reading = wants_reading
        if wants_reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # --- events

    def _dispatch(self, event: events.Event) -> None:
        match event:
            case events.MessageReceived(link, delivery):
                if link.node is not None:
                    dispatch.receive(link, delivery)
            case events.CreditChanged(link):
                if link.node is not None:
                    dispatch.pull(link)
            case events.DeliverySettled(link, tag, outcome, is_settled):
                if link.node is not None:
                    dispatch.settled(link, tag, outcome)
                    if not is_settled:
                        link.confirm(tag, outcome)
            case events.LinkRequested(link):
                if link.is_open:
                    dispatch.open_link(
                        self._context, link, Direction.OUT if isinstance(link, OutLink) else Direction.IN
                    )
            case events.LinkDetached(link, error):
                if self._protocol.state is not State.OPEN:
                    self._will_close(error)
                self._end_link(link)
            case events.SaslReceived():
                self._sign_in(event)
            case events.Opened():
                self._open(event)
            case events.Closed():
                self._note_closed(event)

    def _sign_in(self, received: events.SaslReceived) -> None:
        try:
            self._context.peer.sign_in(received.mechanism, received.response)
        except HubError as err:
            self._note(f"it was not let in: {err.text}")
            self._protocol.finish_sasl(False)
        except (StoreUnavailable, StoreDamaged) as err:
            # The store logs itself, once, that it is not available.
            reason = f"the hub could not let it in: {err.text}"
            self._close(amqp_error(err), reason if isinstance(err, StoreDamaged) else None)
        else:
            self._protocol.finish_sasl(True)

    def _end_link(self, link: OutLink | InLink) -> None:
        try:
            dispatch.close_link(self._context, link)
        except (LinkError, *REFUSALS) as err:  # what it could not store is as if the link had not been
            logger.debug("the end of link %r of %r: %s", link.name, self._client, err)

    def _open(self, opened: events.Opened) -> None:
        self._client = opened.container_id
        self._lifetime.is_open = True
        self._context.peer.host = opened.hostname or None
        if opened.hostname and opened.hostname.lower() not in self._hub.host_names:
            text = f"This hub has not the name {quoted(opened.hostname)}."
            self._close(AmqpError(NOT_FOUND, text), "it asks for another hub")
        else:
            self._check_time()

    # --- time

    def _check_time(self) -> None:
        """End the connection if its time is up, send what is due; otherwise check again when that may be."""
        self._stop_timer()
        if self._is_closed or self._transport is None:
            return
        now_s, timeout_s = self._loop.time(), self._protocol.client.idle_timeout_s
        reason = self._lifetime.ended_because(now_s)
        if reason is not None:
            self._close(AmqpError(RESOURCE_LIMIT_EXCEEDED, f"The connection ends: {reason}."), reason)
            return
        if self._lifetime.wants_heartbeat(timeout_s, now_s):
            self._protocol.heartbeat()
            self._lifetime.last_sent_s = now_s
        left_s = min(self._lifetime.left_s(timeout_s, now_s), self._claims_left_s(), LONGEST_TIMER_S)
        if not self._is_closed:
            self._timer = self._loop.call_later(left_s, self._check_time)

    def _claims_left_s(self) -> float:
        """Seconds until the next claim expires; ends what depends on those that have."""
        expires_at = self._context.peer.next_expiry
        if expires_at is not None and expires_at <= self._hub.clock.session_now():
            if dispatch.end_expired(self._context).ends_connection:
                self._close(dispatch.EXPIRED, "its token or certificate has expired")
            expires_at = self._context.peer.next_expiry
        return LONGEST_TIMER_S if expires_at is None else (expires_at - self._hub.clock.session_now()).total_seconds()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- the end

    def _close(self, error: AmqpError, client_error: str | None = None) -> None:
        """End it. client_error: what the client did wrong, if that is the reason, for the log."""
        if client_error is not None:
            self._note(client_error)
        self._will_close(error)
        self._is_closed = True
        self._protocol.close(error)
        self._wake()

    def _will_close(self, error: AmqpError | None) -> None:
        """The connection is closed, or about to be; error: None when the client closes it and says no more."""
        reason = "it closed the connection" if error is None else error.description or error.condition
        self._context.peer.will_end(str(reason))

    def _drop(self) -> None:
        """End it as a network does."""
        if self._transport is not None:
            self._transport.abort()

    def _note_closed(self, closed: events.Closed) -> None:
        if not self._is_closed and not closed.is_by_client and closed.error is not None:
            self._note(str(closed.error.description))
        self._will_close(closed.error)
        self._is_closed = True
        self._stop_timer()
        if self._transport is not None:
            self._timer = self._loop.call_later(CLOSE_LIMIT_S, self._transport.abort)

    def _note(self, reason: str) -> None:
        """The client has made an error, which ends the connection."""
        if self._is_closed:
            return
        peer, connections = self._context.peer, self._hub.links.observations.connections
        peer.will_end(reason)
        client = peer.client(other_name=self._client)
        if peer.online_count:
            connections.write_line(client.name, reason)
        elif self._client is None:
            connections.refused(client, reason, is_logged=True)
        else:
            connections.ended(client, reason, is_logged=True)
