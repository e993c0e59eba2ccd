"""MQTT connections of any number of devices over paho, driven by one selector; paho's own threads are never used.

Strategy: TCP and TLS handshakes block, so they run in a small pool of threads, which hands each connected socket to the
loop; from then on the loop's thread alone touches that client. Callbacks only append to the inbox that `receive` gives:
no rule runs inside paho.
"""

import queue
import selectors
import socket
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import CannotConnect, LinkError
from azext_iotjobs.model.target import DeviceCertificate, HubTarget
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
from azext_iotjobs.transport.own_import import import_own
from azext_iotjobs.transport.trust import untrusted

if TYPE_CHECKING:
    import paho.mqtt.client as paho

KEEP_ALIVE_S = 60  # the official SDKs' default is of this order; the hub allows up to 1177
HANDSHAKE_TIMEOUT_S = 15.0
HANDSHAKE_THREADS = 32  # one slow or hung handshake delays nobody
MISC_INTERVAL_S = 1.0  # how often keep-alives are looked at
NOT_AUTHORISED = (4, 5)  # CONNACK codes that no retry cures
LINE_WAKE = b"\0"
WEBSOCKET_PATH = "/$iothub/websocket"


class Way(Enum):
    """What carries MQTT; the value is paho's word."""

    TLS = "tcp"
    WEBSOCKET = "websockets"  # within HTTPS, where the MQTT port is closed


class MqttTransport:
    """The connections of one hub's devices. Not thread-safe: one loop calls everything."""

    def __init__(self, target: HubTarget, clock: Clock, way: Way = Way.TLS) -> None:
        self._paho = import_own("paho.mqtt.client", version_of="paho.mqtt", at_least=(2, 0))
        self._target = target
        self._clock = clock
        self._way = way
        self._port = target.mqtt_port if way is Way.TLS else target.https_port
        self._tls: dict[DeviceCertificate | None, ssl.SSLContext] = {None: tls_context(target.ca_file)}
        self._opened: dict[str, ssl.SSLSocket] = {}  # by the pool, until it is the client's
        self._clients: dict[str, paho.Client] = {}
        self._shaking: set[str] = set()  # the devices whose client the pool has
        self._inbox: list[Event] = []
        self._shaken: queue.SimpleQueue[tuple[str, LinkError | None]] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._pool = ThreadPoolExecutor(HANDSHAKE_THREADS, thread_name_prefix="handshake")
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._next_misc = clock.monotonic()

    def connect(self, device: str, login: MqttLogin) -> None:
        """Begin to connect a device, or connect it again; its end is a Connected, Refused or Failed event.

        Raises BadValue when its certificate cannot be used.
        """
        if device in self._shaking:
            return  # that handshake's end will be told
        client = self._clients.get(device) or self._new_client(device, login)
        if client.socket() is not None:
            self.drop(device)
        client.username_pw_set(login.username, login.password)
        self._shaking.add(device)
        self._pool.submit(self._shake_hands, device, client)

    def subscribe(self, device: str, filters: Sequence[str]) -> int:
        """Ask for the topics of `filters`, at QoS 1; gives the number that an Acknowledged event will carry."""
        client = self._clients[device]
        _, number = client.subscribe([(each, 1) for each in filters])
        self._watch(client)
        return number or 0

    def publish(self, device: str, topic: str, payload: bytes, *, qos: int) -> int:
        """Send a message; one of QoS 1 is kept and sent again until its Acknowledged event, over reconnects too."""
        client = self._clients[device]
        number = client.publish(topic, payload, qos=qos).mid
        self._watch(client)
        return number

    def drop(self, device: str) -> None:
        """Say DISCONNECT and close, but remember what is not yet acknowledged; for a reconnect with a new token."""
        client = self._clients.get(device)
        if client is None or device in self._shaking:
            return  # never connected, or the pool's; `close` ends those
        told, client.on_disconnect = client.on_disconnect, None  # it is our own wish: nothing to tell
        client.disconnect()
        if client.socket() is not None:
            client.loop_write()
        sock = client.socket()
        if sock is not None:
            self._forget(sock)
            # paho waits for the peer to close; the loop must not.
            client._sock_close()  # type: ignore[no-untyped-call,unused-ignore]
        client.on_disconnect = told

    def receive(self, timeout_s: float) -> list[Event]:
        """Move bytes for at most `timeout_s` (>= 0) seconds, or until something happened; give what happened."""
        if not self._inbox:
            self._turn(min(timeout_s, max(0.0, self._next_misc - self._clock.monotonic())))
        if self._clock.monotonic() >= self._next_misc:
            self._next_misc = self._clock.monotonic() + MISC_INTERVAL_S
            for client in list(self._clients.values()):
                if client.socket() is not None and self._is_ours(client):
                    client.loop_misc()
                    self._watch(client)
        events, self._inbox = self._inbox, []
        return events

    def close(self) -> None:
        """End every connection cleanly. A handshake that still hangs ends by itself, and closes what it opened."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        while not self._shaken.empty():
            self._shaking.discard(self._shaken.get()[0])
        for device in self._clients:
            self.drop(device)
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _new_client(self, device: str, login: MqttLogin) -> "paho.Client":
        if login.certificate not in self._tls:
            self._tls[login.certificate] = tls_context(self._target.ca_file, login.certificate)
        context = self._tls[login.certificate]
        client: paho.Client = self._paho.Client(
            self._paho.CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            clean_session=False,  # the hub keeps subscriptions and cloud-to-device messages, as for the official SDKs
            protocol=self._paho.MQTTv311,
            transport=self._way.value,
            reconnect_on_failure=False,  # else paho tries again by itself, in our loop, blocking it
        )
        client.tls_set_context(context)
        client.ws_set_options(path=WEBSOCKET_PATH)
        # paho leaves the socket of a failed handshake open; we close it.
        client._ssl_wrap_socket = partial(self._wrap, device, context)  # type: ignore[method-assign]
        client.connect_timeout = HANDSHAKE_TIMEOUT_S
        inbox = self._inbox_append
        client.on_connect = lambda _c, _u, _f, code, _p: inbox(_connack(device, code))
        client.on_disconnect = lambda _c, _u, _f, code, _p: inbox(Lost(device)) if code.is_failure else None
        client.on_message = lambda _c, _u, message: inbox(Arrived(device, message.topic, bytes(message.payload)))
        client.on_publish = lambda _c, _u, number, _r, _p: inbox(Acknowledged(device, number))
        client.on_subscribe = lambda _c, _u, number, _r, _p: inbox(Acknowledged(device, number))
        client.on_socket_close = lambda _c, _u, sock: self._forget(sock)
        self._clients[device] = client
        return client

    def _wrap(self, device: str, context: ssl.SSLContext, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """Runs in the pool."""
        wrapped = context.wrap_socket(tcp_sock, server_hostname=self._target.host, do_handshake_on_connect=False)
        self._opened[device] = wrapped
        wrapped.settimeout(HANDSHAKE_TIMEOUT_S)
        wrapped.do_handshake()
        return wrapped

    def _inbox_append(self, event: Event) -> None:
        self._inbox.append(event)

    def _shake_hands(self, device: str, client: "paho.Client") -> None:
        """Runs in the pool: connect, then hand the socket to the loop."""
        error: LinkError | None = None
        try:
            client.connect(self._target.host, self._port, keepalive=KEEP_ALIVE_S)
        except ssl.SSLCertVerificationError as err:
            error = untrusted(f"{self._target.host}:{self._port}", err)
        except (OSError, ValueError) as err:
            error = self._unreached(err)
        opened = self._opened.pop(device, None)
        if error is not None and opened is not None:
            opened.close()
        self._shaken.put((device, error))
        if self._closed.is_set():  # nobody takes it over any more
            client._sock_close()  # type: ignore[no-untyped-call,unused-ignore]
            return
        try:
            self._wake_writer.send(LINE_WAKE)
        except OSError:  # full: the loop is awake anyway; closed: nobody waits any more
            pass

    def _unreached(self, err: Exception) -> CannotConnect:
        hint = "Port 8883 must be open in the firewall; --websocket goes through port 443."
        if self._way is Way.WEBSOCKET:
            hint = "Port 443 must be open in the firewall, and let WebSockets through."
        return CannotConnect(f"{self._target.host}:{self._port} was not reached ({err}).", hint=hint)

    def _turn(self, timeout_s: float) -> None:
        for key, ready in self._selector.select(timeout_s):
            if key.fileobj is self._wake_reader:
                self._take_over_shaken()
                continue
            client: paho.Client = key.data
            if ready & selectors.EVENT_READ:
                _read_all(client)
            if ready & selectors.EVENT_WRITE and client.socket() is not None:
                client.loop_write()
            self._watch(client)

    def _take_over_shaken(self) -> None:
        self._wake_reader.recv(4096)
        while not self._shaken.empty():
            device, error = self._shaken.get()
            self._shaking.discard(device)
            client = self._clients[device]
            sock = client.socket()
            if error is not None or sock is None:
                self._inbox.append(Failed(device, error or CannotConnect("The connection broke in its handshake.")))
                continue
            self._selector.register(sock, selectors.EVENT_READ, client)
            _read_all(client)  # CONNACK may be here already, decrypted and invisible to the selector
            self._watch(client)

    def _watch(self, client: "paho.Client") -> None:
        """Ask the selector for writability exactly while there is something to write; paho writes the rest at once."""
        sock = client.socket()
        if sock is None or not self._is_ours(client):
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
        if self._selector.get_key(sock).events != wanted:
            self._selector.modify(sock, wanted, client)

    def _is_ours(self, client: "paho.Client") -> bool:
        """Whether the loop has the client; while it shakes hands, the pool has it."""
        sock: Any = client.socket()
        return sock is not None and sock.fileno() in self._selector.get_map()

    def _forget(self, sock: Any) -> None:
        try:
            self._selector.unregister(sock)
        except (KeyError, ValueError, RuntimeError):  # it never got so far, or the loop has ended
            pass


def _read_all(client: "paho.Client") -> None:
    """Read until nothing is left, also of what TLS has decrypted ahead: the selector cannot see that."""
    while True:
        client.loop_read()
        sock: Any = client.socket()
        if sock is None or not sock.pending():
            return


def _connack(device: str, code: Any) -> Event:
    if not code.is_failure:
        return Connected(device)
    # paho turns 3.1.1 return codes into MQTT 5 reason codes; these two are "bad credentials" and "not authorised".
    if code.value in (0x86, 0x87):
        return Refused(device, NOT_AUTHORISED[code.value - 0x86])
    return Failed(device, CannotConnect(f"The hub did not take the connection: {code}."))
