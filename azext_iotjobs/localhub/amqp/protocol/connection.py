"""One AMQP connection: bytes in, events out; answers in, bytes out. Pure: no socket, no clock.

    HEADER --SASL header--> SASL --SaslInit--> AUTHENTICATING --finish_sasl--> HEADER_AFTER_SASL --+
       |                                                                                           |
       +-------------------- AMQP header ----------------> OPENING <------- AMQP header -----------+
                                                              |
                                                            Open
                                                              v
                                     Close of the hub <---- OPEN ----> Close of the client
                                            v                                 v
                                         CLOSING ------ Close --------------> OVER

Nothing that a client sends raises an exception: what is wrong ends its link, its session or the connection, with the
error that says so. What it can make the hub store is bounded (`limits.py`).
Source: OASIS AMQP 1.0, part 2, Transport.
"""

from collections.abc import Callable
from enum import Enum

from azext_iotjobs.localhub.amqp.protocol import sasl
from azext_iotjobs.localhub.amqp.protocol.events import Closed, Event, Opened, SaslReceived
from azext_iotjobs.localhub.amqp.protocol.faults import ConnectionFault
from azext_iotjobs.localhub.amqp.protocol.limits import (
    MAX_FRAME_BYTES,
    MAX_LINKS,
    MAX_UNFINISHED_BYTES,
)
from azext_iotjobs.localhub.amqp.protocol.opening import ClientLimits, client_limits, hub_open
from azext_iotjobs.localhub.amqp.protocol.output import Output
from azext_iotjobs.localhub.amqp.protocol.session import Session
from azext_iotjobs.localhub.amqp.wire import frames
from azext_iotjobs.localhub.amqp.wire.conditions import (
    DECODE_ERROR,
    FRAMING_ERROR,
    NOT_ALLOWED,
    RESOURCE_LIMIT_EXCEEDED,
)
from azext_iotjobs.localhub.amqp.wire.frames import (
    AMQP_HEADER,
    SASL_HEADER,
    Frame,
    FrameReader,
    FramingError,
    ProtocolHeader,
    encode_frame,
    encode_transfer,
)
from azext_iotjobs.localhub.amqp.wire.performatives import (
    AmqpError,
    Begin,
    Close,
    Composite,
    End,
    Open,
    SaslInit,
    SaslMechanisms,
    SaslOutcome,
    Transfer,
)
from azext_iotjobs.localhub.amqp.wire.types import DecodeError


class State(Enum):
    """Where a connection is."""

    HEADER = "before the protocol header"
    SASL = "before SaslInit"
    AUTHENTICATING = "while it authenticates"
    HEADER_AFTER_SASL = "before the AMQP header"
    OPENING = "before Open"
    OPEN = "where it has no place"
    CLOSING = "after Close"
    OVER = "after the end"


class AmqpConnection:
    """The protocol of one connection.

    container_id: the hub's name for clients.  on_output: called when there is output after there was none.
    """

    def __init__(self, container_id: str, on_output: Callable[[], None]) -> None:
        self._container_id = container_id
        self._output = Output(on_output)
        self._reader = FrameReader(MAX_FRAME_BYTES)
        self._sessions: dict[int, Session] = {}
        self._with_settlements: set[Session] = set()
        self._events: list[Event] = []
        self._is_deaf = False  # what came cannot be read, nor what follows it
        self._link_count = self._unfinished_bytes = 0
        self.client = ClientLimits()
        self.state = State.HEADER
        self._has_frames = False  # whether there may be some that `receive` has left for later

    # --- what comes from the client

    def receive(self, data: bytes, *, max_frames: int | None = None) -> list[Event]:
        """What has happened because of these bytes.

        max_frames: leave more than this for the next call, which may have no data; then `has_more` is set. Frames also
        wait while `finish_sasl` is awaited.
        """
        if data and not self._is_deaf and self.state is not State.OVER:
            self._reader.feed(data)
        left = max_frames
        while left != 0 and self._may_read():
            if not self._step():
                self._has_frames = False
                break
            left = None if left is None else left - 1
        else:
            self._has_frames = self._may_read()
        return self.take_events()

    @property
    def has_more(self) -> bool:
        """Whether another `receive`, without data, may give more events."""
        return self._has_frames or bool(self._events)

    def take_events(self) -> list[Event]:
        """What has happened since the last call, also because of calls of links."""
        taken, self._events = self._events, []
        return taken

    # --- what goes to the client

    def finish_sasl(self, is_ok: bool) -> None:
        """Answer SaslReceived; then call `receive` again."""
        if self.state is not State.AUTHENTICATING:
            return
        self._output.write(
            encode_frame(0, SaslOutcome(sasl.OK if is_ok else sasl.BAD_CREDENTIALS), kind=frames.SASL_FRAME)
        )
        if is_ok:
            self.state, self._has_frames = State.HEADER_AFTER_SASL, True
        else:
            self._end(None, is_by_client=False)

    def take_output(self) -> bytes:
        """The bytes to write since the last call."""
        self._flush_settlements()
        was_full = not self._output.has_room
        output = self._output.take()
        if was_full:
            self._report_credit()
        return output

    def set_writable(self, is_writable: bool) -> None:
        """Whether what is written goes out; while it does not, no link has credit."""
        self._output.is_writable = is_writable
        if is_writable:
            self._report_credit()

    def heartbeat(self) -> None:
        """Send an empty frame, so that the client knows that the hub is there."""
        if self.state is State.OPEN:
            self._output.write(encode_frame(0, None))

    def close(self, error: AmqpError | None = None) -> None:
        """End it: all links end, and the client is told. Then its Close is awaited, for a time that the caller sets."""
        match self.state:
            case State.CLOSING | State.OVER:
                return
            case State.OPEN | State.OPENING:
                if self.state is State.OPENING:  # a Close is preceded by an Open
                    self._output.write(encode_frame(0, hub_open(self._container_id)))
                self._flush_settlements()
                self._output.write(encode_frame(0, Close(error)))
                self._end(error, is_by_client=False, state=State.CLOSING)
            case _:
                self._end(error, is_by_client=False)

    def lost(self) -> None:
        """The transport is gone: all links end."""
        if self.state not in (State.CLOSING, State.OVER):
            self._end(None, is_by_client=True)
        self.state = State.OVER

    # --- for sessions

    @property
    def can_send(self) -> bool:
        """Whether little enough of what was sent is still on its way."""
        return self._output.has_room and self.state is State.OPEN

    @property
    def max_frame_bytes(self) -> int:
        """Of a frame that the client accepts."""
        return self.client.max_frame_bytes

    def send_frame(self, channel: int, performative: Composite, payload: bytes = b"") -> None:
        """Send a frame of a session."""
        if self.state is not State.OPEN:
            return
        if isinstance(performative, Transfer):
            self._output.write(encode_transfer(channel, performative, payload))
        else:
            self._output.write(encode_frame(channel, performative, payload))

    def settlements_wait(self, session: Session) -> None:
        """The session has outcomes to send, by `flush`."""
        self._output.announce()
        self._with_settlements.add(session)

    def report(self, event: Event) -> None:
        """Report an event."""
        self._events.append(event)

    def count_links(self, change: int) -> None:
        """So many more links are attached; negative: fewer. Raises ConnectionFault."""
        self._link_count += change
        if self._link_count > MAX_LINKS:
            raise ConnectionFault(RESOURCE_LIMIT_EXCEEDED, f"A connection has more than {MAX_LINKS} links.")

    def hold_bytes(self, count: int) -> None:
        """So many more bytes of unfinished messages are held; negative: fewer. Raises ConnectionFault."""
        self._unfinished_bytes += count
        if self._unfinished_bytes > MAX_UNFINISHED_BYTES:
            self._unfinished_bytes -= count
            raise ConnectionFault(
                RESOURCE_LIMIT_EXCEEDED, f"Unfinished messages have more than {MAX_UNFINISHED_BYTES} bytes."
            )

    # --- frames

    def _may_read(self) -> bool:
        return not self._is_deaf and self.state not in (State.AUTHENTICATING, State.OVER)

    def _step(self) -> bool:
        """Process the next frame or header; gives whether there was one."""
        try:
            item = self._reader.next()
            if item is None:
                return False
            self._take(item)
        except FramingError as err:
            self._is_deaf = True
            self._fail(AmqpError(FRAMING_ERROR, f"This is not AMQP 1.0: {err}."))
        except DecodeError as err:
            self._fail(AmqpError(DECODE_ERROR, f"A frame cannot be read: {err}."))
        except ConnectionFault as err:
            self._fail(err.error)
        return True

    def _take(self, item: ProtocolHeader | Frame) -> None:
        if self.state is State.OPEN and isinstance(item, Frame) and item.kind == frames.AMQP_FRAME:
            if item.performative is not None:
                self._take_frame(item.channel, item.performative, item.payload)
            return  # almost all frames are of this kind, and patterns are slow
        match self.state, item:
            case State.HEADER | State.HEADER_AFTER_SASL, ProtocolHeader():
                self._take_header(item)
            case State.SASL, Frame(kind=frames.SASL_FRAME, performative=SaslInit() as init):
                self._take_sasl(init)
            case State.OPENING | State.CLOSING, Frame(performative=None):
                return
            case State.OPENING, Frame(kind=frames.AMQP_FRAME, performative=Open() as opened):
                self._take_open(opened)
            case State.CLOSING, Frame(performative=performative):
                if isinstance(performative, Close):
                    self.state = State.OVER
            case _:
                raise ConnectionFault(NOT_ALLOWED, f"{_name(item)} came {self.state.value}.")

    def _take_header(self, header: ProtocolHeader) -> None:
        if header == AMQP_HEADER:
            self._output.write(AMQP_HEADER.encoded())
            self.state = State.OPENING
        elif header == SASL_HEADER and self.state is State.HEADER:
            self._output.write(SASL_HEADER.encoded())
            self._output.write(encode_frame(0, SaslMechanisms(sasl.MECHANISMS), kind=frames.SASL_FRAME))
            self.state = State.SASL
        else:
            raise ConnectionFault(NOT_ALLOWED, "The hub speaks AMQP 1.0, with SASL or without.")

    def _take_sasl(self, init: SaslInit) -> None:
        self.state = State.AUTHENTICATING
        if init.mechanism in sasl.MECHANISMS:
            self.report(SaslReceived(init.mechanism, init.initial_response or b"", init.hostname))
        else:
            self.finish_sasl(False)

    def _take_open(self, opened: Open) -> None:
        self.client = client_limits(opened)
        self._output.write(encode_frame(0, hub_open(self._container_id)))
        self.state = State.OPEN
        self.report(Opened(opened.container_id, opened.hostname))

    def _take_frame(self, channel: int, performative: Composite, payload: bytes) -> None:
        match performative:
            case Close(error):
                self._flush_settlements()
                self._output.write(encode_frame(0, Close()))
                self._end(error, is_by_client=True)
            case Begin():
                self._take_begin(channel, performative)
            case End():
                self._session(channel).take_end(performative)
                self._with_settlements.discard(self._sessions.pop(channel))
            case _:
                self._session(channel).take(performative, payload)

    def _take_begin(self, channel: int, begin: Begin) -> None:
        if channel > self.client.max_channel:
            raise ConnectionFault(FRAMING_ERROR, f"Channel {channel} is more than {self.client.max_channel}.")
        if channel in self._sessions or begin.remote_channel is not None:
            raise ConnectionFault(NOT_ALLOWED, f"Channel {channel} has a session, or Begin answers none of the hub's.")
        self._sessions[channel] = Session(channel, begin, self)

    def _session(self, channel: int) -> Session:
        session = self._sessions.get(channel)
        if session is None:
            raise ConnectionFault(NOT_ALLOWED, f"Channel {channel} has no session.")
        return session

    # --- the end

    def _fail(self, error: AmqpError) -> None:
        if self.state is State.HEADER or self.state is State.HEADER_AFTER_SASL:
            self._output.write(AMQP_HEADER.encoded())  # what the hub would accept [AMQP 2.2]
        self.close(error)

    def _end(self, error: AmqpError | None, *, is_by_client: bool, state: State = State.OVER) -> None:
        self.state = state
        self._with_settlements.clear()
        for session in self._sessions.values():
            session.abandon(error)
        self._sessions.clear()
        self.report(Closed(error, is_by_client))

    def _flush_settlements(self) -> None:
        while self._with_settlements:
            self._with_settlements.pop().flush()

    def _report_credit(self) -> None:
        for session in self._sessions.values():
            session.credit_changed()


def _name(item: ProtocolHeader | Frame) -> str:
    if isinstance(item, ProtocolHeader):
        return "A protocol header"
    return "An empty frame" if item.performative is None else type(item.performative).__name__
