"""MQTT connections of any number of devices over paho, driven by one selector; paho's own threads are never used.

Strategy: one thread does everything, and nothing blocks it: TCP, TLS and WebSocket handshakes are steps that the
selector wakes too, and paho is given a connection that is ready. Callbacks only append to the inbox that `receive`
gives: no rule runs inside paho. Nothing is done "for all devices" at once: who is looked at is looked at in turn.
"""

import heapq
import selectors
import socket
import ssl
import zlib
from collections import deque
from collections.abc import Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import CannotConnect, LinkError
from azext_iotjobs.model.target import DeviceCertificate, HubTarget
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
from azext_iotjobs.transport.mqtt_tls import tls_context
from azext_iotjobs.transport.names import HostAddresses
from azext_iotjobs.transport.own_import import import_own
from azext_iotjobs.transport.retry import keep_alive_s
from azext_iotjobs.transport.trust import untrusted
from azext_iotjobs.transport.websocket import WebSocketStream

if TYPE_CHECKING:
    import paho.mqtt.client as paho

CONNECT_TIMEOUT_S = 15.0
ADDRESS_TIMEOUT_S = 5.0  # until TCP is there, while the host has another address to try
ROUND_S = 2.0  # in which every device's keep-alive is looked at once
OUTBOX_LIMIT = 100  # messages of one device that the hub has not acknowledged; paho keeps them over reconnects
CONNACK_CODES = {0x84: 1, 0x85: 2, 0x88: 3, 0x86: 4, 0x87: 5}  # paho gives MQTT 5's reason for 3.1.1's code
LINE_WAKE = b"\0"


class Way(Enum):
    """What carries MQTT."""

    TLS = "tls"
    WEBSOCKET = "websocket"  # within HTTPS, where the MQTT port is closed


class MqttTransport:
    """The connections of one hub's devices. Not thread-safe: one loop calls everything."""

    def __init__(
        self, target: HubTarget, clock: Clock, way: Way = Way.TLS, *, connect_timeout_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        """connect_timeout_s: for each connection, from its first packet to CONNACK."""
        self._paho = import_own("paho.mqtt.client", version_of="paho.mqtt", at_least=(2, 0))
        self._target = target
        self._clock = clock
        self._way = way
        self._connect_timeout_s = connect_timeout_s
        self._port = target.mqtt_port if way is Way.TLS else target.https_port
        self._tls: dict[DeviceCertificate | None, ssl.SSLContext] = {None: tls_context(target.ca_file)}
        self._links: dict[str, _Link] = {}
        self._nameless: list[_Link] = []  # wait for the host's addresses
        self._deadlines: list[tuple[float, str]] = []  # a heap; outdated entries do no harm
        self._in_turn: deque[_Link] = deque()  # whose keep-alive is looked at next
        self._looked_at = clock.monotonic()
        self._inbox: list[Event] = []
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._selector.register(self._wake_reader, READ)
        self._names = HostAddresses(target.host, self._port, clock, self._wake)

    def connect(self, device: str, login: MqttLogin) -> None:
        """Begin to connect a device, or connect it again; its end is a Connected, Refused or Failed event.

        Raises BadValue when its certificate cannot be used.
        """
        link = self._links.get(device) or self._new_link(device, login)
        if link.is_under_way:
            return  # that attempt's end will be told
        if link.client.socket() is not None:
            self.drop(device)
        link.client.username_pw_set(login.username, login.password)
        link.is_under_way = True
        if self._names.known():
            self._begin(link)
        else:
            self._nameless.append(link)

    def subscribe(self, device: str, filters: Sequence[str]) -> int:
        """Ask for the topics of `filters`, at QoS 1; gives the number that an Acknowledged event will carry."""
        link = self._links[device]
        _, number = link.client.subscribe([(each, 1) for each in filters])
        self._watch(link)
        return number or 0

    def publish(self, device: str, topic: str, payload: bytes, *, qos: int) -> int | None:
        """Send a message; one of QoS 1 is kept and sent again until its Acknowledged event, over reconnects too.

        Gives its number; None: it was not taken, as OUTBOX_LIMIT messages wait already.
        """
        link = self._links[device]
        info = link.client.publish(topic, payload, qos=qos)
        self._watch(link)
        return None if info.rc == self._paho.MQTT_ERR_QUEUE_SIZE else info.mid

    def drop(self, device: str) -> None:
        """Say DISCONNECT and close, but remember what is not yet acknowledged; for a reconnect with a new token."""
        link = self._links.get(device)
        if link is None:
            return
        self._abandon(link)
        client = link.client
        if client.socket() is None:
            return
        told, client.on_disconnect = client.on_disconnect, None  # it is our own wish: nothing to tell
        client.disconnect()
        # paho waits for the peer to close; the loop must not.
        client._sock_close()  # type: ignore[no-untyped-call,unused-ignore]
        client.on_disconnect = told

    def receive(self, timeout_s: float) -> list[Event]:
        """Move bytes for at most `timeout_s` (>= 0) seconds, or until something happened; give what happened."""
        now = self._clock.monotonic()
        if self._deadlines:
            timeout_s = min(timeout_s, max(0.0, self._deadlines[0][0] - now))
        for key, ready in self._selector.select(0.0 if self._inbox else timeout_s):
            link: _Link | None = key.data
            if link is None:
                self._awake()
            elif link.handshake is not None:
                self._advance(link)
            else:
                self._move(link, ready)
        self._end_overdue()
        self._look_at_some()
        events, self._inbox = self._inbox, []
        return events

    def close(self) -> None:
        """End every connection cleanly. A look-up of the host's name that still hangs ends by itself."""
        for device in self._links:
            self.drop(device)
        self._selector.close()
        self._names.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _new_link(self, device: str, login: MqttLogin) -> "_Link":
        if login.certificate not in self._tls:
            self._tls[login.certificate] = tls_context(self._target.ca_file, login.certificate)
        client: paho.Client = self._paho.Client(
            self._paho.CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            clean_session=False,  # the hub keeps subscriptions and cloud-to-device messages, as for the official SDKs
            protocol=self._paho.MQTTv311,
            reconnect_on_failure=False,  # else paho tries again by itself, in our loop, blocking it
        )
        link = _Link(device, client, self._tls[login.certificate])
        client.user_data_set(link)
        client.max_queued_messages_set(OUTBOX_LIMIT)
        client._create_socket = partial(_take, link)  # type: ignore[method-assign]  # paho's own blocks
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = client.on_subscribe = self._on_acknowledged
        client.on_socket_close = self._on_close
        self._links[device] = link
        self._in_turn.append(link)
        return link

    # --- what paho calls: only notes are taken

    def _on_connect(self, _client: Any, link: "_Link", _flags: Any, code: Any, _properties: Any) -> None:
        link.is_under_way = False
        if code.is_failure:
            self._inbox.append(Refused(link.device, CONNACK_CODES.get(code.value, 0)))
        else:
            self._inbox.append(Connected(link.device))

    def _on_disconnect(self, _client: Any, link: "_Link", _flags: Any, code: Any, _properties: Any) -> None:
        if link.is_under_way:
            link.is_under_way = False
            text = f"{self._where} ended the connection of {link.device} without an answer."
            self._inbox.append(Failed(link.device, CannotConnect(text)))
        elif code.is_failure:
            self._inbox.append(Lost(link.device))

    def _on_message(self, _client: Any, link: "_Link", message: Any) -> None:
        self._inbox.append(Arrived(link.device, message.topic, bytes(message.payload)))

    def _on_acknowledged(self, _client: Any, link: "_Link", number: int, _reason: Any, _properties: Any) -> None:
        self._inbox.append(Acknowledged(link.device, number))

    def _on_close(self, _client: Any, link: "_Link", _sock: Any) -> None:
        self._unwatch(link)

    # --- making connections

    def _begin(self, link: "_Link") -> None:
        port = None if self._way is Way.TLS else self._port
        link.handshake = Handshake(self._names.known(), link.context, self._target.host, port)
        link.ends_at = self._clock.monotonic() + self._connect_timeout_s
        heapq.heappush(self._deadlines, (link.ends_at, link.device))
        self._try_address(link)

    def _try_address(self, link: "_Link") -> None:
        handshake = link.handshake
        assert handshake is not None
        self._unwatch(link)
        try:
            number = handshake.begin()
        except OSError as err:
            self._fail(link, self._unreached(err))
            return
        self._set_watch(link, number, WRITE)
        if handshake.can_try_next:
            heapq.heappush(self._deadlines, (self._clock.monotonic() + ADDRESS_TIMEOUT_S, link.device))

    def _advance(self, link: "_Link") -> None:
        handshake = link.handshake
        assert handshake is not None
        try:
            wanted = handshake.advance()
        except ssl.SSLCertVerificationError as err:
            self._fail(link, untrusted(self._where, err))
        except (OSError, ValueError) as err:  # ValueError: a host that can be no certificate's name
            if isinstance(err, OSError) and handshake.can_try_next:
                self._try_address(link)
            else:
                self._fail(link, self._unreached(err))
        else:
            if wanted:
                self._set_watch(link, link.number, wanted)
            else:
                self._hand_over(link, handshake)

    def _hand_over(self, link: "_Link", handshake: Handshake) -> None:
        """The connection is paho's from now on; CONNACK is still to come."""
        self._names.prefer(handshake.address)
        self._set_watch(link, link.number, READ)
        chance = zlib.crc32(link.device.encode()) / (1 << 32)
        link.client.connect(self._target.host, self._port, keepalive=keep_alive_s(chance))
        link.handshake = None
        self._watch(link)

    def _fail(self, link: "_Link", error: LinkError) -> None:
        self._abandon(link)
        self._names.doubt()
        self._inbox.append(Failed(link.device, error))

    def _abandon(self, link: "_Link") -> None:
        """No longer on its way."""
        link.is_under_way = False
        if link.handshake is not None:
            self._unwatch(link)
            link.handshake.close()
            link.handshake = None

    def _end_overdue(self) -> None:
        now = self._clock.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, device = heapq.heappop(self._deadlines)
            link = self._links[device]
            if not link.is_under_way:
                continue
            if link.ends_at <= now:
                text = f"{self._where} gave no answer within {self._connect_timeout_s:.0f} s."
                error = CannotConnect(text, hint=self._port_hint)
                self._fail(link, error)
                self.drop(device)
            elif link.handshake is not None and link.handshake.can_try_next:
                self._try_address(link)

    def _awake(self) -> None:
        self._wake_reader.recv(4096)
        error = self._names.take()
        waiting, self._nameless = self._nameless, []
        for link in waiting:
            if not link.is_under_way:
                continue
            if error is None:
                self._begin(link)
            else:
                self._fail(link, self._unreached(error))

    def _wake(self) -> None:
        """Runs on the thread that looks names up."""
        try:
            self._wake_writer.send(LINE_WAKE)
        except OSError:  # full: the loop is awake anyway; closed: nobody waits any more
            pass

    # --- moving bytes

    def _move(self, link: "_Link", ready: int) -> None:
        client = link.client
        if ready & READ:
            _read_all(client)
        if ready & WRITE and client.socket() is not None:
            stream: Any = client.socket()
            if isinstance(stream, WebSocketStream) and not _flushed(stream):
                client._loop_rc_handle(self._paho.MQTT_ERR_CONN_LOST)
            client.loop_write()
        self._watch(link)

    def _look_at_some(self) -> None:
        """Keep-alives: each device once in ROUND_S, a few in each turn, so that no turn is long."""
        now = self._clock.monotonic()
        count = min(len(self._in_turn), int(len(self._in_turn) * (now - self._looked_at) / ROUND_S))
        if count == 0 and now - self._looked_at < ROUND_S:
            return
        self._looked_at = now
        for _ in range(count):
            link = self._in_turn[0]
            self._in_turn.rotate(-1)
            if link.handshake is None and link.client.socket() is not None:
                link.client.loop_misc()
                self._watch(link)

    def _watch(self, link: "_Link") -> None:
        """Ask the selector for writability exactly while there is something to write; paho writes the rest at once."""
        stream: Any = link.client.socket()
        if stream is None or link.handshake is not None:
            return
        wants_write = link.client.want_write() or (isinstance(stream, WebSocketStream) and stream.wants_write)
        self._set_watch(link, link.number, READ | WRITE if wants_write else READ)

    def _set_watch(self, link: "_Link", number: int, wanted: int) -> None:
        if link.watched == 0:
            self._selector.register(number, wanted, link)
        elif link.watched != wanted:
            self._selector.modify(number, wanted, link)
        link.number, link.watched = number, wanted

    def _unwatch(self, link: "_Link") -> None:
        if link.watched:
            self._selector.unregister(link.number)
            link.watched = 0

    @property
    def _where(self) -> str:
        return f"{self._target.host}:{self._port}"

    @property
    def _port_hint(self) -> str:
        if self._way is Way.WEBSOCKET:
            return "Port 443 must be open in the firewall, and let WebSockets through."
        return "Port 8883 must be open in the firewall; --websocket goes through port 443."

    def _unreached(self, err: Exception) -> CannotConnect:
        return CannotConnect(f"{self._where} was not reached ({err}).", hint=self._port_hint)


class _Link:
    """One device's connection."""

    __slots__ = ("client", "context", "device", "ends_at", "handshake", "is_under_way", "number", "watched")

    def __init__(self, device: str, client: "paho.Client", context: ssl.SSLContext) -> None:
        self.device = device
        self.client = client
        self.context = context
        self.handshake: Handshake | None = None  # None: no connection, or it is paho's
        self.is_under_way = False  # from `connect` to CONNACK
        self.ends_at = 0.0  # when CONNACK must be there
        self.number = -1  # of the socket
        self.watched = 0  # what the selector has been asked for; 0: it does not know the socket


def _take(link: _Link) -> "ssl.SSLSocket | WebSocketStream":
    """What paho takes for its own way of connecting."""
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
