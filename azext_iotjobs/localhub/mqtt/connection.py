"""Bytes <-> sessions: one asyncio.Protocol a connection, which carries out what its session says.

No task and no timer a connection beyond one: what must end some time (waiting for CONNECT, silence, a token's life) is
one `call_later` that looks at the clock again when it is up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import HubError, StoreDamaged, StoreTrouble
from azext_iotjobs.localhub.mqtt import codec, packets, session, topics
from azext_iotjobs.localhub.mqtt.backend import DeviceSide
from azext_iotjobs.localhub.mqtt.disconnect_log import EndLog
from azext_iotjobs.localhub.mqtt.replies import reply, take_will, twin_error
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import Json, dump_json
from azext_iotjobs.localhub.rules.quota import Throttle
from azext_iotjobs.localhub.store.messages import Message
from azext_iotjobs.localhub.tls.context import peer_certificates

logger = logging.getLogger(__name__)

MAX_PACKET_BYTES = session.MAX_MESSAGE_BYTES + packets.MAX_TEXT_BYTES + 16  # a message, its topic, what is around them
CONNECT_LIMIT_S = 30.0  # a connection that says nothing is not kept
CLOSE_LIMIT_S = 5.0  # for the last bytes; one that does not read would hold its connection for ever
MAX_UNSENT_BYTES = 4 * 1024 * 1024  # a device that does not read is let go; it may have 10 methods of 128 KB to read
PACKETS_AT_ONCE = 4  # then the others have their turn: a TLS record may hold eight thousand packets
THROTTLES = {
    topics.Telemetry: Throttle.SENDS,
    topics.TwinGet: Throttle.TWIN_READS,
    topics.ReportedPatch: Throttle.TWIN_UPDATES,
}


class Connection(asyncio.Protocol):
    """One device's connection; also the Link through which the hub reaches it."""

    __slots__ = (
        "_arrived", "_clock", "_decoder", "_ends", "_held", "_hub", "_is_attached", "_is_over", "_last_heard", "_links",
        "_loop", "_malformed", "_session", "_token_ends", "_transport", "_watch", "address",
    )  # fmt: skip

    def __init__(
        self, hub: DeviceSide, links: Links, clock: HubClock, loop: asyncio.AbstractEventLoop, ends: EndLog
    ) -> None:  # fmt: skip
        self._hub = hub
        self._links = links
        self._clock = clock
        self._loop = loop
        self._ends = ends
        self._session = session.Session()
        self._decoder = codec.Decoder(MAX_PACKET_BYTES)
        self._arrived: deque[packets.Packet] | None = None  # what waits for its turn; an empty deque has 760 bytes
        self._malformed: packets.MalformedPacket | None = None  # what came behind that
        self._transport: asyncio.Transport | None = None
        self._last_heard = loop.time()
        self._token_ends: datetime | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._held: asyncio.TimerHandle | None = None  # while a packet, and all behind it, waits for the hub's quotas
        self._is_attached = False
        self._is_over = False
        self.address = Address("")  # until CONNECT

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        self._watch = self._loop.call_later(CONNECT_LIMIT_S, self._look)

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        self._last_heard = self._loop.time()
        has_turn, arrived = self._arrived is None, self._arrived or deque()
        try:
            arrived.extend(self._decoder.feed(data))
        except packets.MalformedPacket as err:
            arrived.extend(err.before)
            self._malformed = err
        self._arrived = arrived or None
        if has_turn:
            self._take_turn()

    def pause_writing(self) -> None:
        self._end(f"it leaves more than {MAX_UNSENT_BYTES} bytes unread", at_once=True)

    def blame(self, reason: str) -> None:
        """The connection is about to end by its client's mistake."""
        self._leave(reason, is_mistake=True)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None  # the two hold each other
        self._take(len(self._arrived or ()))
        self._leave("connection lost", is_mistake=False)
        self._stop_watching()

    # --- Link

    @property
    def answers_methods(self) -> bool:
        return self._session.answers_methods

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        return self._send_if_heard(packets.Publish(topics.method_topic(rid, name), payload.encode()))

    def notify_desired(self, patch: Json, version: int) -> None:
        topic = topics.desired_topic(version)
        if self._session.qos_of(topic) is not None:
            self._send(packets.Publish(topic, dump_json({**patch, "$version": version}).encode()))

    @property
    def accepts_messages(self) -> bool:
        return self._session.hears_messages

    def deliver(self, message: Message) -> None:
        assert message.lock_token is not None  # it was taken for this connection
        topic = topics.message_topic(message)
        self._carry_out(self._session.deliver(topic, message.sent.body, message.lock_token))

    def close(self, mistake: str | None = None) -> None:
        self._end(mistake or "the hub ended it", is_mistake=mistake is not None)

    # --- carrying out

    def _take_turn(self) -> None:
        """Carry out some of what has arrived, and read on when there is no more."""
        self._take(PACKETS_AT_ONCE)
        if self._is_over or self._transport is None or self._held is not None:
            return
        if self._arrived:
            self._transport.pause_reading()
            self._loop.call_soon(self._take_turn)
        elif self._malformed is not None:
            self._end(f"what it sent is no MQTT: {self._malformed}")
        else:
            self._transport.resume_reading()

    def _take(self, count: int) -> None:
        arrived = self._arrived or deque()
        for _ in range(min(count, len(arrived))):
            if self._held is not None:
                break
            self._carry_out(self._session.on_packet(arrived.popleft()))
        self._arrived = arrived or None

    def _carry_out(self, effects: list[session.Effect]) -> None:
        try:
            for effect in effects:
                self._carry_out_one(effect)
        except (StoreTrouble, StoreDamaged) as err:
            self._fail(err)

    def _carry_out_one(self, effect: session.Effect) -> None:
        match effect:
            case session.Send(packet):
                self._send(packet)
            case session.Admit():
                self._try_to_admit(effect)
            case session.SubscriptionsChanged():
                self._keep_session()
                self._links.listens(self)
                self._hub.listens(self.address)
            case session.Received():
                self._receive(effect)
            case session.Taken(token):
                self._hub.message_taken(self.address, token)
            case session.Close(reason, is_mistake):
                self._end(reason, is_mistake=is_mistake)

    def _waits(self, throttle: Throttle, then: Callable[[], None]) -> bool:
        """Ask the hub's quotas; when it is not this packet's turn, `then` follows once it is. Raises HubError 429."""
        assert self._hub.quotas is not None
        wait_s = self._hub.quotas.wait_s(throttle)
        if not wait_s or self._transport is None:  # what a device that is gone had sent need not wait
            return False
        self._transport.pause_reading()
        self._held = self._loop.call_later(wait_s, self._go_on, then)
        return True

    def _go_on(self, then: Callable[[], None]) -> None:
        self._held = None
        self._last_heard = self._loop.time()  # it was not listened to
        try:
            then()
        except (StoreTrouble, StoreDamaged) as err:
            self._fail(err)
        self._take_turn()
        if not self._is_over:
            self._look()

    def _try_to_admit(self, asked: session.Admit, *, is_counted: bool = False) -> None:
        try:
            self._admit(asked, is_counted=is_counted)
        except StoreTrouble as err:
            if self._session.state is not session.State.ADMITTING:  # CONNACK is out
                raise
            self._carry_out(self._session.put_off(f"the hub could not do it: {err.text}", is_mistake=False))

    def _admit(self, asked: session.Admit, *, is_counted: bool) -> None:
        try:
            shown = peer_certificates(self._transport)
            self._token_ends = self._hub.admit(asked.address, asked.host, asked.token, shown)
        except HubError as err:
            self._carry_out(self._session.refuse(err.text))
            return
        if self._hub.quotas is not None and not is_counted:
            try:
                if self._waits(Throttle.CONNECTIONS, partial(self._try_to_admit, asked, is_counted=True)):
                    return
            except HubError:
                reason = "throttled: too many new connections at once"
                self._carry_out(self._session.put_off(reason, is_mistake=True))
                return
        self.address = asked.address
        # CONNACK has to be the first packet: once attached, a method may follow at once.
        kept = self._hub.kept_filters(self.address)
        self._carry_out(self._session.accept(kept))
        if self._session.clean_session and kept is not None:
            self._hub.keep_filters(self.address, None)
        elif kept != self._session.filters():
            self._keep_session()
        self._is_attached = True
        self._links.attach(self)
        self._hub.connected(self.address, asked.model_id)
        self._look()

    def _keep_session(self) -> None:
        if not self._session.clean_session:
            self._hub.keep_filters(self.address, self._session.filters())

    def _receive(self, received: session.Received, *, is_counted: bool = False) -> None:
        throttle = None if self._hub.quotas is None or is_counted else THROTTLES.get(type(received.meaning))
        if throttle is not None:
            try:
                if self._waits(throttle, partial(self._receive, received, is_counted=True)):
                    return
            except HubError as err:
                self._refuse(received, err)
                return
        try:
            answer = reply(self._hub, self._links, self.address, received)
        except HubError as err:  # MQTT 3.1.1 has no other way to refuse a message
            self._end(f"its message was refused: {err.text}")
        else:
            if answer is not None:
                self._send_if_heard(answer)
        self._carry_out(self._session.acknowledge(received.publish))

    def _refuse(self, received: session.Received, err: HubError) -> None:
        """Too much at once: a question has an answer; for a message MQTT 3.1.1 has none, and it is not acknowledged."""
        match received.meaning:
            case topics.TwinGet(rid) | topics.ReportedPatch(rid):
                self._send_if_heard(twin_error(rid, err))
                self._carry_out(self._session.acknowledge(received.publish))
            case _:
                self._end(f"its message was refused: {err.text}")

    def _send_if_heard(self, publish: packets.Publish) -> bool:
        """Send a message that is not acknowledged; gives whether the device listens for it."""
        is_heard = self._session.qos_of(publish.topic) is not None
        if is_heard:
            self._send(publish)
        return is_heard

    def _send(self, packet: packets.Packet) -> None:
        if self._transport is not None and not self._is_over:
            self._transport.write(codec.encode(packet))

    def _fail(self, err: StoreTrouble | StoreDamaged) -> None:
        """End it, and acknowledge nothing that is not stored: the device tries again."""
        reason = f"the hub could not do it: {err.text}"
        if isinstance(err, StoreDamaged):  # of the other the store itself tells, once
            self._ends.note(self._session.client_id, reason)
        self._end(reason, is_mistake=False)

    def _end(self, reason: str, *, at_once: bool = False, is_mistake: bool = True) -> None:
        self._leave(reason, is_mistake=is_mistake)
        if self._transport is None:
            return
        if at_once:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.close()
            self._stop_watching()
            self._watch = self._loop.call_later(CLOSE_LIMIT_S, self._transport.abort)

    def _leave(self, reason: str, *, is_mistake: bool) -> None:
        """What the end of a connection means for the hub; what it means for the transport is the caller's.

        is_mistake: of the client's; then the log says so.
        """
        if self._is_over:
            return
        self._is_over = True
        if self._held is not None:
            self._held.cancel()  # and stays: nothing more is taken
        self._session.state = session.State.CLOSED
        if is_mistake:
            self._ends.note(self._session.client_id, reason)
        else:
            logger.debug("connection of %r ends: %s", self._session.client_id, reason)
        if not self._is_attached:
            return
        if self._links.detach(self):
            self._hub.disconnected(self.address)
        self._publish_will()

    def _publish_will(self) -> None:
        if self._session.will is None:
            return
        try:
            take_will(self._hub, self.address, self._session.will)
        except HubError as err:
            self._end(f"its will was refused: {err.text}")

    def _stop_watching(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self) -> None:
        """End the connection if its time is up; otherwise look again when it may be."""
        self._stop_watching()
        if self._held is not None:
            return
        if self._session.keep_alive_s is None or self._token_ends is None:
            self._end(f"no CONNECT came within {CONNECT_LIMIT_S:g} s", at_once=True)
            return
        silence_left_s = self._last_heard + self._session.keep_alive_s - self._loop.time()
        token_left_s = (self._token_ends - self._clock.now()).total_seconds()
        if silence_left_s <= 0:
            limit_s = self._session.keep_alive_s
            self._end(f"keep-alive: nothing came for {limit_s:g} s, half as long again as it promised", at_once=True)
        elif token_left_s <= 0:
            self._end("its token or certificate has expired")
        else:
            # One timer never sleeps longer than asyncio's clock is good for, nor than a moved clock would bear.
            self._watch = self._loop.call_later(min(silence_left_s, token_left_s, 3600.0), self._look)
