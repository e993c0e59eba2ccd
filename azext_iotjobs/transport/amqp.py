"""A connection that speaks AMQP 1.0: sign in, receive, send, ask `$management`; for one thread, and never silent.

Strategy: one connection with one session has all links, and `wait` does one short round of reading for all of them, so
that whoever calls it decides between rounds whether to go on. What azure-eventhub raises becomes an error of ours here.
"""

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

from azext_iotjobs.model.amqp import AmqpEndpoint, AmqpLogin, AmqpMessage
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, LinkLost
from azext_iotjobs.model.host_names import is_loopback, name_to_look_up
from azext_iotjobs.transport.amqp_errors import NOT_AMQP, check_outcome, refusal, translated
from azext_iotjobs.transport.amqp_library import AmqpLibrary, amqp_library
from azext_iotjobs.transport.amqp_messages import decoded, encoded, plain
from azext_iotjobs.transport.mqtt_tls import tls_context
from azext_iotjobs.transport.sessions import PROXY_HINT, proxy_of

CONNECT_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 30.0  # to sign in, to attach a link, of a request
IDLE_S = 60  # no frame for so long: the connection is dead; the other side sends empty ones
POLL_S = 0.2  # of one round of reading
WINDOW = 2048  # frames
SELECTOR = b"apache.org:selector-filter:string"
UNSETTLED, SETTLED = 0, 1  # AMQP 1.0 part 2.8.2, how a sender settles


class Delivery(NamedTuple):
    """A message that a link has received."""

    message: AmqpMessage
    delivery_id: int
    tag: bytes


class Receiver(Protocol):
    """A link that receives."""

    def take(self) -> Iterator[Delivery]:
        """What has come and was not taken yet, oldest first."""

    def accept(self, delivery: Delivery) -> None:
        """Settle a delivery: the other side keeps it no longer."""


class AmqpLink(Protocol):
    """The seam: what clients need of a connection. Doubles of it stand in tests."""

    def receiver(self, address: str, *, selector: str | None = None, credit: int = 100, settled: bool) -> Receiver:
        """Attach a link that receives."""

    def send(self, address: str, message: AmqpMessage) -> None:
        """Send a message, and wait until the other side has accepted it."""

    def read(self, kind: str, **names: str) -> Mapping[str, Any]:
        """Ask `$management` for a description."""

    def wait(self) -> None:
        """One round of reading."""

    def close(self) -> None:
        """End the connection."""


class AmqpConnection:
    """A connection to one server; closed after use."""

    def __init__(self, endpoint: AmqpEndpoint, login: AmqpLogin) -> None:
        """Connect and sign in. Raises LinkError, Unauthorized, OldDependency, BadValue."""
        self._endpoint = endpoint
        self._login = login
        self._library = library = amqp_library()
        self._receiving: list[Any] = []  # links
        self._management: Any = None
        auth = library.auth(
            uri=login.audience, audience=login.audience, token_type=login.kind, get_token=self._fetched_token
        )
        self._connection = _new_connection(library, endpoint, auth)
        try:
            with translated(library, endpoint, is_opening=True):
                _open(self._connection)
                self._session = self._connection.create_session(incoming_window=WINDOW, outgoing_window=WINDOW)
                self._session.begin()
                self._cbs = library.authenticator(session=self._session, auth=auth, auth_timeout=ANSWER_TIMEOUT_S)
                self._cbs.open()
            self._until(self._cbs.handle_token, "sign in")
        except BaseException:
            self.close()
            raise

    def receiver(
        self, address: str, *, selector: str | None = None, credit: int = 100, settled: bool
    ) -> "ReceivingLink":
        """Attach a link that receives.

        address: of the node.  selector: which messages, as a filter's text; None: all.  credit: 1 or more messages
        that may be under way.  settled: the other side keeps nothing of what it has sent; else it waits for `accept`.
        Raises HubAnswer where it is refused, LinkRedirected, LinkError.
        """
        filters = None if selector is None else {SELECTOR: (SELECTOR, {"TYPE": "STRING", "VALUE": selector})}
        made = ReceivingLink(self._library)
        with self._guarded():
            made.link = self._session.create_receiver_link(
                self._library.source(address=address, filters=filters),
                on_transfer=made.came,
                link_credit=credit,
                send_settle_mode=SETTLED if settled else UNSETTLED,
            )
        self._attach(made.link, address)
        self._receiving.append(made.link)
        return made

    def send(self, address: str, message: AmqpMessage) -> None:
        """Send a message, and wait until the other side has accepted it.

        address: of the node.  message: with the properties and the body that it is to have.
        Raises HubAnswer where it is refused, AnswerTooLate, LinkError.
        """
        outcome: list[Any] = []
        with self._guarded():
            link = self._session.create_sender_link(address, send_settle_mode=UNSETTLED)
        self._attach(link, address)
        with self._guarded():
            made = encoded(self._library, message)
            link.send_transfer(made, on_send_complete=lambda _, state: outcome.append(state or {}))
        self._until(lambda: bool(outcome), "take the message")
        with self._guarded():
            link.detach(close=True)
        check_outcome(outcome[0], self._endpoint.authority)

    def read(self, kind: str, **names: str) -> Mapping[str, Any]:
        """Ask `$management` for a description.

        kind: such as com.microsoft:partition.  names: what of it is meant.  Raises HubAnswer, LinkError.
        """
        self._open_management()
        token = self._login.fetch().text
        with self._guarded():
            message = self._library.message(application_properties={**names, "security_token": token})
            status, words, answer = self._management.execute(
                message, operation="READ", operation_type=kind, timeout=ANSWER_TIMEOUT_S
            )
        if status != 200:
            condition = {401: "amqp:unauthorized-access", 404: "amqp:not-found"}.get(status, "amqp:internal-error")
            raise refusal(condition, plain(words or ""), {}, self._endpoint.authority)
        described: Mapping[str, Any] = plain(answer.value)
        return described

    def wait(self) -> None:
        """One round of reading, POLL_S at most where nothing comes. Raises HubAnswer, LinkRedirected, LinkError."""
        with self._guarded():
            self._cbs.handle_token()
            self._connection.listen(batch=WINDOW)
            for link in self._receiving:
                link.get_state()
                if link.current_link_credit <= link.link_credit // 2:
                    link.flow()

    def close(self) -> None:
        """End the connection; what goes wrong then does not matter any more."""
        try:
            self._connection.close()
        except (self._library.error, OSError, *NOT_AMQP):
            pass

    def _open_management(self) -> None:
        if self._management is None:
            with self._guarded():
                self._management = self._library.management(
                    self._session, status_code_field=b"status-code", status_description_field=b"status-description"
                )
                self._management.open()
            self._until(self._management.ready, "answer requests")

    def _attach(self, link: Any, address: str) -> None:
        with self._guarded():
            link.attach()
        self._until(lambda: link.get_state().name == "ATTACHED", f"open {address}")

    def _fetched_token(self) -> Any:
        made = self._login.fetch()
        return self._library.token(made.text, made.expires_at)

    def _guarded(self) -> Any:
        return translated(self._library, self._endpoint)

    def _until(self, is_done: Callable[[], bool], what: str) -> None:
        """Read until it is done. Raises AnswerTooLate, and what the other side refuses."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while time.monotonic() < deadline:
            with self._guarded():
                if is_done():
                    return
                self._connection.listen()
        raise AnswerTooLate(
            f"{self._endpoint.authority} did not {what} within {ANSWER_TIMEOUT_S:.0f} s.", waited_s=ANSWER_TIMEOUT_S
        )


class ReceivingLink:
    """A link that receives: what came waits until it is taken."""

    def __init__(self, library: AmqpLibrary) -> None:
        self.link: Any = None
        self._library = library
        self._came: deque[Delivery] = deque()

    def came(self, frame: Any, message: Any) -> None:
        """Called within `wait` for each message; gives no outcome."""
        delivery_id, tag, is_settled = frame[1], frame[2], frame[4]
        if is_settled:  # azure-eventhub keeps a tag until we settle it, which nobody does here: a leak
            getattr(self.link, "_received_delivery_tags", set()).discard(tag)
        self._came.append(Delivery(decoded(message), int(delivery_id), bytes(tag or b"")))

    def take(self) -> Iterator[Delivery]:
        """What has come and was not taken yet, oldest first."""
        while self._came:
            yield self._came.popleft()

    def accept(self, delivery: Delivery) -> None:
        """Settle a delivery: the other side keeps it no longer. Raises LinkLost."""
        try:
            self.link.send_disposition(
                first_delivery_id=delivery.delivery_id,
                delivery_tag=delivery.tag,
                settled=True,
                delivery_state=self._library.accepted(),
            )
        except (self._library.error, OSError, *NOT_AMQP) as err:
            raise LinkLost("The connection ended before a message that was received could be settled.") from err


class _LimitedTls:
    """A TLS context for azure-eventhub, which lets the handshake take forever: some servers accept, and say nothing."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
        """Agree on TLS; azure-eventhub sets its own limit afterwards. Raises TimeoutError."""
        sock.settimeout(CONNECT_TIMEOUT_S)
        return self._context.wrap_socket(sock, **options)


def _new_connection(library: AmqpLibrary, endpoint: AmqpEndpoint, auth: Any) -> Any:
    kinds = library.transport_types
    host = name_to_look_up(endpoint.host)
    port, path = (endpoint.https_port, endpoint.websocket_path) if endpoint.is_websocket else (endpoint.port, "")
    context = tls_context(endpoint.ca_file)
    return library.connection(
        f"amqps://{endpoint.host}",
        sasl_credential=auth.sasl,
        ssl_opts={"context": context if endpoint.is_websocket else _LimitedTls(context), "server_hostname": host},
        transport_type=kinds.AmqpOverWebsocket if endpoint.is_websocket else kinds.Amqp,
        custom_endpoint_address=f"amqps://{host}:{port}{path}",
        http_proxy=_proxy(endpoint) if endpoint.is_websocket else None,
        socket_timeout=CONNECT_TIMEOUT_S,
        connect_timeout=CONNECT_TIMEOUT_S,
        idle_timeout=IDLE_S,
    )


def _proxy(endpoint: AmqpEndpoint) -> dict[str, Any] | None:
    """As azure-eventhub takes it. Raises BadValue for one that cannot be used."""
    if is_loopback(endpoint.host):
        return None
    try:
        proxy = proxy_of(f"https://{endpoint.host}")
    except ValueError as err:
        raise BadValue(f"{endpoint.authority} cannot be reached: {err}.", hint=PROXY_HINT) from err
    if proxy is None:
        return None
    name, _, password = (proxy.auth or "").partition(":")
    place = {"proxy_hostname": proxy.host, "proxy_port": proxy.port or 80}
    return {**place, "username": unquote(name), "password": unquote(password)} if name else place


def _open(connection: Any) -> None:
    """Connect, and agree on AMQP; what then comes is waited for POLL_S at a time.

    Where it agrees, azure-eventhub waits without a limit: a server that says nothing is cut off here.
    """
    transport = connection._transport
    with _cut_off_after(CONNECT_TIMEOUT_S + ANSWER_TIMEOUT_S, transport):
        connection.open()
    transport.sock.settimeout(POLL_S)


@contextmanager
def _cut_off_after(seconds: float, transport: Any) -> Iterator[None]:
    def cut_off() -> None:
        sock = transport.sock
        raw = getattr(sock, "sock", sock)  # within a WebSocket
        if raw is not None:
            with suppress(OSError):  # it has ended already
                raw.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
