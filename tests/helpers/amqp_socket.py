"""A client of bare AMQP frames over TLS: one session, used by one thread, which reads while it waits for something."""

import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from azext_iotjobs.localhub.amqp.wire.frames import (
    AMQP_FRAME,
    AMQP_HEADER,
    SASL_FRAME,
    SASL_HEADER,
    FrameReader,
    ProtocolHeader,
    encode_frame,
)
from azext_iotjobs.localhub.amqp.wire.message import Message, decode_message, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import (
    RECEIVER,
    SENDER,
    Accepted,
    AmqpError,
    Attach,
    Begin,
    Composite,
    Detach,
    Disposition,
    Flow,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Source,
    Target,
    Transfer,
)
from tests.helpers.amqp_frames import put_token
from tests.helpers.any_hub import AnyHub, sas

LIMIT_S = 60.0  # a real hub sends feedback every 15 s
WIDE = 5000  # frames that each side may send without waiting
MAX_FRAME_BYTES = 64 * 1024
PUT, REPLIES = 100, 101  # handles of the links to $cbs


class Detached(Exception):
    """The hub has ended a link, or did not accept it; the text is the condition."""

    def __init__(self, error: AmqpError | None) -> None:
        super().__init__(error.condition if error else "")
        self.error = error


class SignInRefused(Exception):
    """The hub does not let the user in."""


class AmqpSocket:
    """One connection; everything that waits raises OSError when the hub is gone, and fails after LIMIT_S."""

    def __init__(self, hub: AnyHub, user: str | None = None, password: str = "") -> None:
        """user: of SASL PLAIN; None: no SASL. Raises SignInRefused."""
        self._host = hub.host
        tls = ssl.create_default_context(cafile=hub.ca)
        plain = socket.create_connection((hub.host, hub.amqp_port), timeout=LIMIT_S)
        try:
            self._socket = tls.wrap_socket(plain, server_hostname=hub.host)
        except BaseException:
            plain.close()
            raise
        self._reader = FrameReader(MAX_FRAME_BYTES)
        self._said: deque[Composite] = deque(maxlen=10_000)  # what the hub has sent, and nobody has waited for
        self._arrived: dict[int, deque[tuple[Transfer, Message]]] = {}
        self._outcomes: dict[int, Any] = {}
        self._unfinished: bytes = b""
        self._credit: dict[int, int] = {}  # of links to the hub
        self._number = 0  # of the next delivery
        if user is not None:
            self._sign_in(user, password)
        self._socket.sendall(AMQP_HEADER.encoded())
        self.send(
            Open("a test's client", hub.host), Begin(next_outgoing_id=0, incoming_window=WIDE, outgoing_window=WIDE)
        )
        self._wait("the hub opens a session", lambda: self._take(Begin))

    def close(self) -> None:
        """Go without a farewell."""
        self._socket.close()

    def send(self, *performatives: Composite, payload: bytes = b"", kind: int = AMQP_FRAME) -> None:
        """Send frames; the payload is the last one's."""
        frames = [encode_frame(0, each, kind=kind) for each in performatives[:-1]]
        self._socket.sendall(b"".join([*frames, encode_frame(0, performatives[-1], payload, kind)]))

    # --- signing in

    def put_token(self, key: str, path: str) -> int:
        """Put a token that is signed with the key, for "devices/pump-1"; gives the hub's status."""
        name = f"{self._host}/{path}"
        return self.put(sas(key, name), name)[0]

    def put(self, token: str, name: str) -> tuple[int, str]:
        """Put a token on `$cbs`; gives the hub's status, and its description. name: what the token is for."""
        if PUT not in self._credit:
            self.sender("$cbs", PUT)
            self.receiver("$cbs", REPLIES)
        self.message(PUT, put_token(token, name=name, message_id=name))
        reply = self.next(REPLIES)[1].application_properties
        return int(reply["status-code"]), str(reply["status-description"])

    def _sign_in(self, user: str, password: str) -> None:
        self._socket.sendall(SASL_HEADER.encoded())
        self.send(SaslInit("PLAIN", f"\0{user}\0{password}".encode(), self._host), kind=SASL_FRAME)
        offered = self._wait("the hub offers SASL", lambda: self._take(SaslMechanisms))
        assert "PLAIN" in offered.sasl_server_mechanisms
        if self._wait("the hub answers", lambda: self._take(SaslOutcome)).code != 0:
            self.close()
            raise SignInRefused(user)

    # --- links

    def sender(self, address: str, handle: int) -> None:
        """Attach a link to the hub, and wait for credit. Raises Detached."""
        named: dict[str, Any] = {"source": Source(), "target": Target(address), "initial_delivery_count": 0}
        self.send(Attach(f"out {handle}", handle, SENDER, **named))
        self._wait("the hub gives credit", lambda: self._credit.get(handle), handle)

    def receiver(self, address: str, handle: int, *, credit: int = 1000, **fields: Any) -> None:
        """Attach a link from the hub, and give credit. Raises Detached."""
        self.send(Attach(f"in {handle}", handle, RECEIVER, source=Source(address), target=Target(), **fields))
        attached = self._wait("the hub attaches the link", lambda: self._take(Attach, handle), handle)
        if attached.source is None:
            raise Detached(self._wait("the hub refuses the link", lambda: self._take(Detach, handle)).error)
        self.send(Flow(0, WIDE, 0, WIDE, handle=handle, delivery_count=0, link_credit=credit))

    def ended(self, handle: int) -> str:
        """Wait until the hub ends a link; gives the condition."""
        detach = self._wait(f"link {handle} ends", lambda: self._take(Detach, handle))
        return str(detach.error.condition) if detach.error else ""

    # --- messages

    def message(self, handle: int, message: Message | bytes, **fields: Any) -> Any:
        """Send a message, and wait for its outcome."""
        payload = message if isinstance(message, bytes) else encode_message(message)
        self._wait("the hub gives credit", lambda: self._credit.get(handle), handle)
        number, self._number = self._number, self._number + 1
        self._credit[handle] -= 1
        self.send(Transfer(handle, number, b"%d" % number, **{"message_format": 0, **fields}), payload=payload)
        return self._wait("the hub settles it", lambda: self._outcomes.pop(number, None), handle)

    def next(self, handle: int) -> tuple[Transfer, Message]:
        """The next message on a link from the hub."""
        found = self._wait(f"a message on link {handle}", lambda: self.arrived(handle), handle)
        return found  # type: ignore[no-any-return]

    def arrived(self, handle: int) -> tuple[Transfer, Message] | None:
        """The next message on a link from the hub that has come already."""
        queue = self._arrived.get(handle)
        return queue.popleft() if queue else None

    def settle(self, sent: Transfer, outcome: Any = None) -> None:
        """Tell the outcome of a delivery of the hub's; default: it is accepted."""
        assert sent.delivery_id is not None
        self.send(Disposition(RECEIVER, sent.delivery_id, settled=True, state=outcome or Accepted()))

    def read(self, limit_s: float) -> None:
        """Read what comes within this time."""
        self._socket.settimeout(limit_s)
        try:
            data = self._socket.recv(MAX_FRAME_BYTES)
        except TimeoutError:
            return
        if not data:
            raise ConnectionError("the hub has ended the connection")
        self._reader.feed(data)
        while (frame := self._reader.next()) is not None:
            if not isinstance(frame, ProtocolHeader) and frame.performative is not None:
                self._keep(frame.performative, frame.payload)

    def _keep(self, performative: Composite, payload: bytes) -> None:
        match performative:
            case Transfer():
                self._unfinished += payload
                if not performative.more:
                    queue = self._arrived.setdefault(performative.handle, deque())
                    queue.append((performative, decode_message(self._unfinished)))
                    self._unfinished = b""
            case Disposition(role=True, first=first, last=last, state=state):
                for number in range(first, (first if last is None else last) + 1):
                    self._outcomes[number] = state
            case Flow(handle=int(handle), link_credit=credit):
                self._credit[int(handle)] = credit or 0
            case _:
                self._said.append(performative)

    def _take(self, kind: type[Any], handle: int | None = None) -> Any:
        for each in self._said:
            if isinstance(each, kind) and (handle is None or each.handle == handle):
                self._said.remove(each)
                return each
        return None

    def _wait(self, what: str, found: Callable[[], Any], handle: int | None = None) -> Any:
        deadline = time.monotonic() + LIMIT_S
        while (result := found()) is None:
            if handle is not None and (detach := self._take(Detach, handle)) is not None:
                raise Detached(detach.error)
            assert time.monotonic() < deadline, f"not seen within {LIMIT_S:.0f} s: {what}"
            self.read(LIMIT_S)
        return result
