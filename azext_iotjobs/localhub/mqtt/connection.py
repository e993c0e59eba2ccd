"""One MQTT connection: an asyncio.Protocol that feeds a session and carries out its effects.

A connection has one timer and no task: what must happen at some time (CONNECT is late, the client is silent, its token
expires) is one `call_later` that checks the clock again when it is due.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from azext_iotjobs.localhub.auth.sas import auth_method
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.device_backend import DeviceBackend
from azext_iotjobs.localhub.engine.event_log import StoreError
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import HubError, StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.mqtt import codec, effects, faults, packets, session, topics
from azext_iotjobs.localhub.mqtt.connect_fields import parse_client_id
from azext_iotjobs.localhub.mqtt.incoming import IncomingPackets
from azext_iotjobs.localhub.mqtt.lifetime import CONNECT_LIMIT_S, Expired, Lifetime
from azext_iotjobs.localhub.mqtt.replies import THROTTLES, refused, reply, take_telemetry, take_will
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import Sender
from azext_iotjobs.localhub.rules.fault import InjectedFault, Kind, Operation
from azext_iotjobs.localhub.rules.json_values import Json, dump_json
from azext_iotjobs.localhub.rules.observation import IS_WEBSOCKET, Client, ClientProtocol
from azext_iotjobs.localhub.rules.quota import Throttle
from azext_iotjobs.localhub.store.messages import Message
from azext_iotjobs.localhub.tls.context import peer_certificates

logger = logging.getLogger(__name__)

MAX_PACKET_BYTES = session.MAX_MESSAGE_BYTES + packets.MAX_TEXT_BYTES + 16  # a message, its topic and the fields
CLOSE_LIMIT_S = 5.0  # for the last bytes; a client that does not read would keep its connection forever
MAX_UNSENT_BYTES = 4 * 1024 * 1024  # a device that does not read is dropped; 10 methods of 128 KB must fit
PACKETS_AT_ONCE = 4  # then other connections are served: a TLS record may hold eight thousand packets


class Connection(asyncio.Protocol):
    """One device's connection; also the Link through which the hub reaches it."""

    __slots__ = tuple(
        "_clock _connections _delay _hub _incoming _is_attached _is_closed _lifetime _links _loop _protocol _sender "
        "_session _timer _transport address".split()
    )

    def __init__(
        self,
        hub: DeviceBackend,
        links: Links,
        clock: HubClock,
        loop: asyncio.AbstractEventLoop,
        connections: "set[Connection]",
    ) -> None:
        """connections: those that are there; this one adds itself, and removes itself at its end."""
        self._connections = connections
        self._hub = hub
        self._links = links
        self._clock = clock
        self._loop = loop
        self._protocol = ClientProtocol.MQTT
        self._session = session.Session()
        self._incoming = IncomingPackets(MAX_PACKET_BYTES)
        self._lifetime = Lifetime(loop.time())
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._delay: asyncio.TimerHandle | None = None  # while a packet, and all after it, waits for the hub's quotas
        self._is_attached = False
        self._is_closed = False
        self.address = Address("")  # until CONNECT
        self._sender: Sender | None = None  # until then too

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        if transport.get_extra_info(IS_WEBSOCKET):
            self._protocol = ClientProtocol.MQTT_WEBSOCKET
        transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        self._timer = self._loop.call_later(CONNECT_LIMIT_S, self._check_lifetime)

    def data_received(self, data: bytes) -> None:
        if self._is_closed:
            return
        self._lifetime.last_packet_s = self._loop.time()
        is_idle = not self._incoming
        self._incoming.feed(data)
        if is_idle:
            self._process()

    def pause_writing(self) -> None:
        self._close(f"it leaves more than {MAX_UNSENT_BYTES} bytes unread", at_once=True)

    def report_client_error(self, reason: str) -> None:
        """The transport is about to end the connection because of its client's error."""
        self._end_session(reason, is_client_error=True)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None  # the two refer to each other
        self._connections.discard(self)
        self._process_packets(len(self._incoming))
        self._end_session("connection lost", is_client_error=False)
        self._stop_timer()

    # --- Link

    @property
    def accepts_methods(self) -> bool:
        return self._session.accepts_methods

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        return self._send_if_subscribed(packets.Publish(topics.method_topic(rid, name), payload.encode()))

    def notify_desired(self, patch: Json, version: int) -> None:
        topic = topics.desired_topic(version)
        if self._session.qos_of(topic) is not None:
            self._send(packets.Publish(topic, dump_json({**patch, "$version": version}).encode()))

    @property
    def accepts_messages(self) -> bool:
        return self._session.accepts_messages

    def deliver(self, message: Message) -> None:
        assert message.lock_token is not None  # it was locked for this connection
        topic = topics.message_topic(message)
        self._carry_out(self._session.deliver(topic, message.sent.body, message.lock_token))

    def close(self, client_error: str | None = None) -> None:
        self._close(client_error or "the hub ended it", is_client_error=client_error is not None)

    # --- packets and effects

    def _process(self) -> None:
        """Process some of the received packets, and read on when there are no more."""
        self._process_packets(PACKETS_AT_ONCE)
        if self._is_closed or self._transport is None or self._delay is not None:
            return
        if self._incoming:
            self._transport.pause_reading()
            self._loop.call_soon(self._process)
        elif self._incoming.error is not None:
            self._close(f"what it sent is not MQTT: {self._incoming.error}")
        else:
            self._transport.resume_reading()

    def _process_packets(self, count: int) -> None:
        for _ in range(min(count, len(self._incoming))):
            if self._delay is not None:
                break
            self._carry_out(self._session.on_packet(self._incoming.next()))

    def _carry_out(self, listed: list[effects.Effect]) -> None:
        try:
            for effect in listed:
                self._carry_out_one(effect)
        except (StoreUnavailable, StoreDamaged) as err:
            self._fail(err)

    def _carry_out_one(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Send(packet):
                self._send(packet)
            case effects.Authenticate():
                self._try_to_authenticate(effect)
            case effects.SubscriptionsChanged():
                self._store_session()
                self._links.subscriptions_changed(self)
                self._hub.subscriptions_changed(self.address)
            case effects.Received():
                self._receive(effect)
            case effects.Acknowledged(token):
                self._hub.message_acknowledged(self.address, token)
            case effects.Close(reason, is_client_error):
                self._close(reason, is_client_error=is_client_error)

    def _is_delayed(self, throttle: Throttle, then: Callable[[], None]) -> bool:
        """Consult the hub's quotas; when they delay this packet, `then` is called after that. Raises HubError 429."""
        assert self._hub.quotas is not None
        wait_s = self._hub.quotas.wait_s(throttle)
        if not wait_s or self._transport is None:  # what a device sent before it went need not wait
            return False
        self._delay_by(wait_s, then)
        return True

    def _delay_by(self, wait_s: float, then: Callable[[], None]) -> None:
        assert self._transport is not None
        self._transport.pause_reading()
        self._delay = self._loop.call_later(wait_s, self._end_delay, then)

    def _hinder(self, operation: Operation, device: Address, then: Callable[[InjectedFault | None], None]) -> None:
        """Call `then` with the fault that happens to an operation, if there is one, after its delay."""
        effect = self._links.faults.effect(operation, device.device_id)
        fault = None if effect is None else effect.fault
        if effect is None or not effect.delay_s or self._transport is None:
            then(fault)
        else:
            self._delay_by(effect.delay_s, partial(then, fault))

    def _end_delay(self, then: Callable[[], None]) -> None:
        self._delay = None
        self._lifetime.last_packet_s = self._loop.time()  # meanwhile nothing was read
        try:
            then()
        except (StoreUnavailable, StoreDamaged) as err:
            self._fail(err)
        self._process()
        if not self._is_closed:
            self._check_lifetime()

    def _try_to_authenticate(
        self, request: effects.Authenticate, *, is_hindered: bool = False, is_counted: bool = False
    ) -> None:
        try:
            self._authenticate(request, is_hindered=is_hindered or is_counted, is_counted=is_counted)
        except StoreUnavailable as err:
            if self._session.state is not session.State.AUTHENTICATING:  # CONNACK was sent
                raise
            self._carry_out(self._session.defer(f"the hub could not do it: {err.text}", is_client_error=False))

    def _authenticate(self, request: effects.Authenticate, *, is_hindered: bool, is_counted: bool) -> None:
        """is_hindered: faults have been considered.  is_counted: the hub's quotas have counted it already."""
        try:
            certificates = peer_certificates(self._transport)
            expire_at = self._hub.authenticate(request.address, request.host, request.token, certificates)
            method = auth_method(request.token)
            self._sender = self._hub.sender(request.address, method, request.model_id)
        except HubError as err:
            self._carry_out(self._session.refuse(err.text))
            return
        if self._links.faults.active and not is_hindered:
            self._hinder(Operation.CONNECT, request.address, partial(self._go_on_authenticating, request))
            return
        self._lifetime.credentials_expire_at = expire_at
        if self._hub.quotas is not None and not is_counted:
            try:
                if self._is_delayed(Throttle.CONNECTIONS, partial(self._try_to_authenticate, request, is_counted=True)):
                    return
            except HubError:
                reason = "throttled: too many new connections at once"
                self._carry_out(self._session.defer(reason, is_client_error=True))
                return
        self.address = request.address
        # CONNACK has to be the first packet: once attached, a method call may follow at once.
        stored = self._hub.stored_filters(self.address)
        self._carry_out(self._session.accept(stored))
        if self._session.clean_session and stored is not None:
            self._hub.store_filters(self.address, None)
        elif stored != self._session.filters():
            self._store_session()
        self._is_attached = True
        self._clock.subscribe(self._check_soon)
        self._links.attach(self)
        self._links.observations.connections.connected(self._client())
        self._hub.connected(self.address, request.model_id)
        self._check_lifetime()

    def _go_on_authenticating(self, request: effects.Authenticate, fault: InjectedFault | None) -> None:
        if fault is None:
            self._try_to_authenticate(request, is_hindered=True)
        else:
            self._carry_out(faults.not_let_in(self._session, fault))

    def _store_session(self) -> None:
        if not self._session.clean_session:
            self._hub.store_filters(self.address, self._session.filters())

    def _receive(self, received: effects.Received, *, is_hindered: bool = False, is_counted: bool = False) -> None:
        """is_hindered: faults have been considered.  is_counted: the hub's quotas have counted it already."""
        if self._links.faults.active and not is_hindered and not is_counted:
            operation = faults.OPERATIONS.get(type(received.topic))
            if operation is not None:
                self._hinder(operation, self.address, partial(self._go_on_receiving, received))
                return
        throttle = None if self._hub.quotas is None or is_counted else THROTTLES.get(type(received.topic))
        try:
            if throttle and self._is_delayed(throttle, partial(self._receive, received, is_counted=True)):
                return
        except HubError as err:
            response = refused(received, err)
            if response is None:
                self._close(f"its message was refused: {err.text}")
                return
        else:
            if isinstance(received.topic, topics.Telemetry):
                self._take_telemetry(received.topic, received.publish)
                return
            response = reply(self._hub, self._links, self.address, received)
        if response is not None:
            self._send_if_subscribed(response)
        self._carry_out(self._session.acknowledge(received.publish))

    def _go_on_receiving(self, received: effects.Received, fault: InjectedFault | None) -> None:
        if fault is None:
            self._receive(received, is_hindered=True)
        elif fault.kind is Kind.NO_ACK and isinstance(received.topic, topics.Telemetry):
            self._take_telemetry(received.topic, replace(received.publish, qos=0, dup=False, packet_id=None))
        else:
            self._carry_out(faults.not_processed(self._session, received, fault))

    def _take_telemetry(self, topic: topics.Telemetry, publish: packets.Publish) -> None:
        assert self._sender is not None
        try:
            take_telemetry(self._hub, self._sender, topic, publish, partial(self._end_telemetry, publish))
        except HubError as err:  # MQTT 3.1.1 has no other way to refuse a message
            self._close(f"its message was refused: {err.text}")

    def _end_telemetry(self, publish: packets.Publish, error: StoreError | None) -> None:
        """Acknowledge a message, now that it is stored; error: why it is not."""
        if error is None:
            self._carry_out(self._session.acknowledge(publish))
        elif not self._is_closed:
            self._fail(error)

    def _send_if_subscribed(self, publish: packets.Publish) -> bool:
        """Send a message that is not acknowledged; gives whether the device has subscribed to its topic."""
        is_subscribed = self._session.qos_of(publish.topic) is not None
        if is_subscribed:
            self._send(publish)
        return is_subscribed

    def _send(self, packet: packets.Packet) -> None:
        if self._transport is not None and not self._is_closed:
            self._transport.write(codec.encode(packet))

    # --- the end

    def _fail(self, err: StoreUnavailable | StoreDamaged) -> None:
        """Close it, and acknowledge nothing that is not stored: the device tries again."""
        is_logged = isinstance(err, StoreDamaged)  # the other is logged by the store, once
        self._close(f"the hub could not do it: {err.text}", is_client_error=is_logged)

    def _close(self, reason: str, *, at_once: bool = False, is_client_error: bool = True) -> None:
        """End session and transport. at_once: without sending what is still unsent."""
        self._end_session(reason, is_client_error=is_client_error)
        if self._transport is None:
            return
        if at_once:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.close()
            self._stop_timer()
            self._timer = self._loop.call_later(CLOSE_LIMIT_S, self._transport.abort)

    def _end_session(self, reason: str, *, is_client_error: bool) -> None:
        """End what the hub knows of the connection; the transport is the caller's task."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._delay is not None:
            self._delay.cancel()  # and is not reset: no packet is processed any more
        self._session.state = session.State.CLOSED
        logger.debug("connection of %r ends: %s", self._session.client_id, reason)
        connections = self._links.observations.connections
        if not self._is_attached:
            if is_client_error or self._session.client_id is not None:  # else somebody only tried the port
                connections.refused(self._client(), reason, is_logged=is_client_error)
            return
        self._clock.unsubscribe(self._check_soon)
        connections.ended(self._client(), reason, is_logged=is_client_error)
        if self._links.detach(self):
            self._hub.disconnected(self.address)
        self._publish_will()

    def _client(self) -> Client:
        name = self._session.client_id
        address = self.address if self._is_attached or name is None else parse_client_id(name)
        return Client(self._protocol, name, address if name else None)

    def _publish_will(self) -> None:
        if self._session.will is None or self._sender is None:
            return
        try:
            take_will(self._hub, self._sender, self._session.will)
        except HubError as err:
            self._close(f"its will was refused: {err.text}")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_soon(self) -> None:
        """The hub's clock was moved; what fails here is not to keep others from being told."""
        self._loop.call_soon(self._check_lifetime)

    def _check_lifetime(self) -> None:
        """Close the connection if its time is up; otherwise check again when it may be."""
        if self._is_closed:
            return
        self._stop_timer()
        if self._delay is not None:
            return
        try:
            left_s = self._lifetime.left_s(self._session.keep_alive_s, self._loop.time(), self._clock.session_now())
        except Expired as err:
            self._close(err.reason, at_once=err.is_silent)
        else:
            self._timer = self._loop.call_later(left_s, self._check_lifetime)
