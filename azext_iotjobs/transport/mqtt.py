"""MQTT connections of any number of devices over paho, driven by one selector; paho's own threads are never used.

Strategy: one thread does everything, and nothing blocks it: TCP, TLS and WebSocket handshakes are steps that the
selector wakes too, and paho is given a connection that is ready. Callbacks only append to the inbox that `receive`
gives: no rule runs inside paho. Nothing is done for all devices at once: keep-alives are checked a few at a time.
"""

import ssl
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import BadValue, CannotConnect, LinkError
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.connector import Connector, Endpoint
from azext_iotjobs.transport.handshake import READ, WRITE, Handshake
from azext_iotjobs.transport.mqtt_events import (
    Acknowledged,
    Arrived,
    Connected,
    Event,
    Failed,
    Lost,
    MqttLogin,
    Refused,
)
from azext_iotjobs.transport.mqtt_tls import TlsContexts
from azext_iotjobs.transport.own_import import import_own
from azext_iotjobs.transport.retry import keep_alive_s
from azext_iotjobs.transport.selector import Link, LinkSelector
from azext_iotjobs.transport.websocket import WebSocketStream

if TYPE_CHECKING:
    import paho.mqtt.client as paho

LEAST_PAHO = (2, 1)  # the wheel takes older ones too: azure-iot-device pins one, for environments that have both
CONNECT_TIMEOUT_S = 15.0
ROUND_S = 2.0  # in which the keep-alive of each device is checked once
OUTBOX_LIMIT = 100  # messages of one device that the hub has not acknowledged; paho keeps them over reconnects
MAX_SHOWN = 200  # characters of a topic in an error
PAHO_ERRORS = (ValueError, LookupError, TypeError, struct.error)  # UnicodeError is a ValueError
CONNACK_CODES = {0x84: 1, 0x85: 2, 0x88: 3, 0x86: 4, 0x87: 5}  # paho gives MQTT 5's reason for 3.1.1's code


class MqttProtocol(Enum):
    """What devices speak."""

    TLS = "tls"  # MQTT over TLS
    WEBSOCKET = "websocket"  # MQTT over WebSocket, within HTTPS: for where the MQTT port is closed


class MqttTransport:
    """The connections of one hub's devices. Not thread-safe: one loop calls everything."""

    def __init__(
        self,
        target: HubTarget,
        clock: Clock,
        protocol: MqttProtocol = MqttProtocol.TLS,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        takes_messages: bool = True,
    ) -> None:
        """connect_timeout_s: for each connection, from its first packet to CONNACK.

        takes_messages: False leaves what arrives at QoS 1 unacknowledged, so that the hub keeps it for another.
        Raises OldDependency when paho-mqtt is missing or older than LEAST_PAHO.
        """
        self._paho = import_own("paho.mqtt.client", version_of="paho.mqtt", at_least=LEAST_PAHO)
        target = target.for_devices  # nobody else speaks MQTT
        self._clock = clock
        self._takes_messages = takes_messages
        is_websocket = protocol is MqttProtocol.WEBSOCKET
        self._endpoint = Endpoint(target.host, target.https_port if is_websocket else target.mqtt_port, is_websocket)
        self._contexts = TlsContexts(target.ca_file)
        self._links: dict[str, Link] = {}
        self._in_turn: deque[Link] = deque()  # whose keep-alive is checked next
        self._checked_at = clock.monotonic()
        self._inbox: list[Event] = []
        self._selector = LinkSelector()
        self._connector = Connector(
            self._endpoint,
            clock,
            self._selector,
            self._contexts,
            timeout_s=connect_timeout_s,
            on_ready=self._hand_over,
            on_failed=self._fail,
        )

    def connect(self, device: str, login: MqttLogin) -> None:
        """Begin to connect a device, or connect it again; its end is a Connected, Refused or Failed event.

        Raises BadValue when its certificate cannot be used.
        """
        link = self._links.get(device) or self._new_link(device, login)
        if link.is_under_way:
            return  # that attempt ends with an event
        if link.client.socket() is not None:
            self.drop(device)
        link.client.username_pw_set(login.username, login.password)
        self._connector.connect(link)

    def subscribe(self, device: str, filters: Sequence[str]) -> int:
        """Ask for the topics of `filters`, at QoS 1; gives the number that an Acknowledged event will carry.

        Raises BadValue for what MQTT cannot carry.
        """
        link = self._links[device]
        with _bad_value_of(f"a subscription to {', '.join(filters)}"):
            _, number = link.client.subscribe([(each, 1) for each in filters])
        self._watch_for_more(link)
        return number or 0

    def publish(self, device: str, topic: str, payload: bytes, *, qos: int) -> int | None:
        """Send a message; one of QoS 1 is kept and sent again until its Acknowledged event, over reconnects too.

        Gives its number; None: it was not taken, as OUTBOX_LIMIT messages wait already.
        Raises BadValue for what MQTT cannot carry.
        """
        link = self._links[device]
        with _bad_value_of(f"a message of {len(payload)} bytes to {topic}"):
            info = link.client.publish(topic, payload, qos=qos)
        self._watch_for_more(link)
        return None if info.rc == self._paho.MQTT_ERR_QUEUE_SIZE else info.mid

    def drop(self, device: str) -> None:
        """Say DISCONNECT and close, but remember what is not yet acknowledged; for a reconnect with a new token."""
        link = self._links.get(device)
        if link is None:
            return
        self._connector.abandon(link)
        client = link.client
        if client.socket() is None:
            return
        on_disconnect, client.on_disconnect = client.on_disconnect, None  # it is our own wish: no event
        client.disconnect()
        # paho waits for the peer to close; the loop must not.
        client._sock_close()  # type: ignore[no-untyped-call,unused-ignore]
        client.on_disconnect = on_disconnect

    def receive(self, timeout_s: float) -> list[Event]:
        """Move bytes for at most `timeout_s` (>= 0) seconds, or until something happened; give what happened."""
        deadline = self._connector.next_at()
        if self._inbox:
            timeout_s = 0.0
        elif deadline is not None:
            timeout_s = min(timeout_s, max(0.0, deadline - self._clock.monotonic()))
        for link, ready in self._selector.select(timeout_s):
            if link is None:
                self._selector.clear_wake()
                self._connector.addresses_came()
            elif link.handshake is not None:
                self._connector.advance(link)
            else:
                self._move(link, ready)
        self._connector.end_overdue()
        self._check_some_keep_alives()
        events, self._inbox = self._inbox, []
        return events

    def close(self) -> None:
        """End every connection cleanly."""
        for device in self._links:
            self.drop(device)
        self._connector.close()
        self._selector.close()

    def _new_link(self, device: str, login: MqttLogin) -> Link:
        self._contexts.fitting(login.certificate)  # a file that cannot be used is said now
        client: paho.Client = self._paho.Client(
            self._paho.CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            clean_session=False,  # the hub keeps subscriptions and cloud-to-device messages, as for the official SDKs
            protocol=self._paho.MQTTv311,
            reconnect_on_failure=False,  # else paho tries again by itself, in our loop, blocking it
        )
        link = Link(device, client, login.certificate)
        client.user_data_set(link)
        client.max_queued_messages_set(OUTBOX_LIMIT)
        client.manual_ack_set(not self._takes_messages)
        client._create_socket = partial(_take, link)  # type: ignore[method-assign]  # paho's own blocks
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = client.on_subscribe = self._on_acknowledged
        client.on_socket_close = self._on_close
        self._links[device] = link
        self._in_turn.append(link)
        return link

    # --- what paho calls: these only append to the inbox

    def _on_connect(self, _client: Any, link: Link, _flags: Any, code: Any, _properties: Any) -> None:
        link.is_under_way = False
        if code.is_failure:
            self._inbox.append(Refused(link.device, CONNACK_CODES.get(code.value, 0)))
        else:
            self._inbox.append(Connected(link.device))

    def _on_disconnect(self, _client: Any, link: Link, _flags: Any, code: Any, _properties: Any) -> None:
        if link.is_under_way:
            link.is_under_way = False
            text = f"{self._endpoint} ended the connection of {link.device} without an answer."
            self._inbox.append(Failed(link.device, CannotConnect(text)))
        elif code.is_failure:
            self._inbox.append(Lost(link.device))

    def _on_message(self, _client: Any, link: Link, message: Any) -> None:
        self._inbox.append(Arrived(link.device, message.topic, bytes(message.payload)))

    def _on_acknowledged(self, _client: Any, link: Link, number: int, _reason: Any, _properties: Any) -> None:
        self._inbox.append(Acknowledged(link.device, number))

    def _on_close(self, _client: Any, link: Link, _sock: Any) -> None:
        self._selector.forget(link)

    def _hand_over(self, link: Link, _handshake: Handshake) -> None:
        """The connection is paho's from now on; CONNACK is still to come."""
        self._selector.set(link, link.number, READ)
        chance = zlib.crc32(link.device.encode()) / (1 << 32)
        try:
            link.client.connect(self._endpoint.host, self._endpoint.port, keepalive=keep_alive_s(chance))
        except PAHO_ERRORS as err:
            self._fail(link, CannotConnect(f"{link.device}: MQTT cannot carry what it connects with ({err})."))
            return
        link.handshake = None
        self._watch_for_more(link)

    def _fail(self, link: Link, error: LinkError) -> None:
        """No connection, or no CONNACK."""
        self.drop(link.device)
        self._inbox.append(Failed(link.device, error))

    # --- moving bytes

    def _move(self, link: Link, ready: int) -> None:
        try:
            self._move_bytes(link, ready)
        except PAHO_ERRORS:  # a packet that is none: whoever sends such has not understood ours either
            link.client._loop_rc_handle(self._paho.MQTT_ERR_PROTOCOL)
        self._watch_for_more(link)

    def _move_bytes(self, link: Link, ready: int) -> None:
        client = link.client
        if ready & READ:
            _read_all(client)
        if ready & WRITE and client.socket() is not None:
            stream: Any = client.socket()
            if isinstance(stream, WebSocketStream) and not _flushed(stream):
                client._loop_rc_handle(self._paho.MQTT_ERR_CONN_LOST)
            client.loop_write()

    def _check_some_keep_alives(self) -> None:
        """Keep-alives: each device once in ROUND_S, a few in each turn, so that no turn is long."""
        now = self._clock.monotonic()
        count = min(len(self._in_turn), int(len(self._in_turn) * (now - self._checked_at) / ROUND_S))
        if count == 0 and now - self._checked_at < ROUND_S:
            return
        self._checked_at = now
        for _ in range(count):
            link = self._in_turn[0]
            self._in_turn.rotate(-1)
            if link.handshake is None and link.client.socket() is not None:
                link.client.loop_misc()
                self._watch_for_more(link)

    def _watch_for_more(self, link: Link) -> None:
        """Ask the selector for writability exactly while there is something to write; paho writes the rest at once."""
        stream: Any = link.client.socket()
        if stream is None or link.handshake is not None:
            return
        wants_write = link.client.want_write() or (isinstance(stream, WebSocketStream) and stream.wants_write)
        self._selector.set(link, link.number, READ | WRITE if wants_write else READ)


@contextmanager
def _bad_value_of(what: str) -> Iterator[None]:
    """Raise BadValue where paho does not take `what`."""
    try:
        yield
    except PAHO_ERRORS as err:
        shown = what if len(what) <= MAX_SHOWN else f"{what[:MAX_SHOWN]}…"
        raise BadValue(f"MQTT cannot carry {ascii(shown)[1:-1]} ({err}).") from err


def _take(link: Link) -> "ssl.SSLSocket | WebSocketStream":
    """The connection that paho takes instead of making one."""
    assert link.handshake is not None
    return link.handshake.take()


def _flushed(stream: WebSocketStream) -> bool:
    try:
        stream.flush()
    except OSError:
        return False
    return True


def _read_all(client: "paho.Client") -> None:
    """Read until nothing is left, also of what TLS has decrypted ahead: the selector cannot see that."""
    while True:
        client.loop_read()
        sock: Any = client.socket()
        if sock is None or not sock.pending():
            return
