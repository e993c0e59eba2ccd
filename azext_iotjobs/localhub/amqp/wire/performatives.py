"""What the two sides of a connection say to each other: the composite types of AMQP 1.0. Pure.

Each class has the fields of the specification in its order. They are checked when they are read, and all of them are
written, also those without a value: some clients read them by position.
Source: OASIS AMQP 1.0, parts 2, 3.4, 3.5, 5.3.
"""

from dataclasses import dataclass, field, fields
from itertools import zip_longest
from typing import Any, ClassVar, TypeVar

from azext_iotjobs.localhub.amqp.wire.types import (
    Array,
    DecodeError,
    Described,
    Symbol,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)

ANY: tuple[type, ...] = ()  # any kind of value
RECEIVER, SENDER = True, False  # `role` of a link's end


def _field(*kinds: type, default: Any = None, is_required: bool = False) -> Any:
    """A field of one of these kinds; the first is what it is written as. Several symbols are a tuple."""
    return field(default=default, metadata={"kinds": kinds, "is_required": is_required})


@dataclass
class Composite:
    """A described list. `CODE` is its descriptor, `NAME` the symbol that may stand for it."""

    CODE: ClassVar[int]
    NAME: ClassVar[str]

    def encoded(self) -> Described:
        """As a value for the codec."""
        return Described(
            ULong(self.CODE), [_written(getattr(self, name), kinds) for name, kinds, _ in _FIELDS[type(self)]]
        )


C = TypeVar("C", bound=Composite)


@dataclass
class AmqpError(Composite):
    """Why something was ended or refused."""

    CODE, NAME = 0x1D, "amqp:error:list"
    condition: str = _field(Symbol, is_required=True)
    description: str | None = _field(str)
    info: dict[Any, Any] | None = _field(dict)


@dataclass
class Open(Composite):
    """Open a connection."""

    CODE, NAME = 0x10, "amqp:open:list"
    container_id: str = _field(str, is_required=True)
    hostname: str | None = _field(str)
    max_frame_size: int | None = _field(UInt)
    channel_max: int | None = _field(UShort)
    idle_time_out: int | None = _field(UInt)
    outgoing_locales: tuple[str, ...] = _field(Symbol, tuple, default=())
    incoming_locales: tuple[str, ...] = _field(Symbol, tuple, default=())
    offered_capabilities: tuple[str, ...] = _field(Symbol, tuple, default=())
    desired_capabilities: tuple[str, ...] = _field(Symbol, tuple, default=())
    properties: dict[Any, Any] | None = _field(dict)


@dataclass
class Begin(Composite):
    """Begin a session on a channel."""

    CODE, NAME = 0x11, "amqp:begin:list"
    remote_channel: int | None = _field(UShort)
    next_outgoing_id: int = _field(UInt, is_required=True)
    incoming_window: int = _field(UInt, is_required=True)
    outgoing_window: int = _field(UInt, is_required=True)
    handle_max: int | None = _field(UInt)
    offered_capabilities: tuple[str, ...] = _field(Symbol, tuple, default=())
    desired_capabilities: tuple[str, ...] = _field(Symbol, tuple, default=())
    properties: dict[Any, Any] | None = _field(dict)


@dataclass
class Accepted(Composite):
    """A delivery's outcome: it is done."""

    CODE, NAME = 0x24, "amqp:accepted:list"


@dataclass
class Rejected(Composite):
    """A delivery's outcome: it is wrong, and must not be sent again."""

    CODE, NAME = 0x25, "amqp:rejected:list"
    error: AmqpError | None = _field(AmqpError)


@dataclass
class Released(Composite):
    """A delivery's outcome: it was not processed."""

    CODE, NAME = 0x26, "amqp:released:list"


@dataclass
class Modified(Composite):
    """A delivery's outcome: it was not processed; more is said about why."""

    CODE, NAME = 0x27, "amqp:modified:list"
    delivery_failed: bool | None = _field(bool)
    undeliverable_here: bool | None = _field(bool)
    message_annotations: dict[Any, Any] | None = _field(dict)


@dataclass
class Received(Composite):
    """A delivery's state: so much of it has arrived."""

    CODE, NAME = 0x23, "amqp:received:list"
    section_number: int = _field(UInt, is_required=True)
    section_offset: int = _field(ULong, is_required=True)


DeliveryState = Accepted | Rejected | Released | Modified | Received


@dataclass
class Source(Composite):
    """Where a link's messages come from."""

    CODE, NAME = 0x28, "amqp:source:list"
    address: Any = _field(*ANY)
    durable: int | None = _field(UInt)
    expiry_policy: str | None = _field(Symbol)
    timeout: int | None = _field(UInt)
    dynamic: bool | None = _field(bool)
    dynamic_node_properties: dict[Any, Any] | None = _field(dict)
    distribution_mode: str | None = _field(Symbol)
    filter: dict[Any, Any] | None = _field(dict)
    default_outcome: Any = _field(*ANY)
    outcomes: tuple[str, ...] = _field(Symbol, tuple, default=())
    capabilities: tuple[str, ...] = _field(Symbol, tuple, default=())


@dataclass
class Target(Composite):
    """Where a link's messages go."""

    CODE, NAME = 0x29, "amqp:target:list"
    address: Any = _field(*ANY)
    durable: int | None = _field(UInt)
    expiry_policy: str | None = _field(Symbol)
    timeout: int | None = _field(UInt)
    dynamic: bool | None = _field(bool)
    dynamic_node_properties: dict[Any, Any] | None = _field(dict)
    capabilities: tuple[str, ...] = _field(Symbol, tuple, default=())


@dataclass
class Attach(Composite):
    """Attach a link to a session. `target` may be of another kind: a coordinator of transactions."""

    CODE, NAME = 0x12, "amqp:attach:list"
    name: str = _field(str, is_required=True)
    handle: int = _field(UInt, is_required=True)
    role: bool = _field(bool, is_required=True)
    snd_settle_mode: int | None = _field(UByte)
    rcv_settle_mode: int | None = _field(UByte)
    source: Source | None = _field(Source)
    target: Any = _field(*ANY)
    unsettled: dict[Any, Any] | None = _field(dict)
    incomplete_unsettled: bool | None = _field(bool)
    initial_delivery_count: int | None = _field(UInt)
    max_message_size: int | None = _field(ULong)
    offered_capabilities: tuple[str, ...] = _field(Symbol, tuple, default=())
    desired_capabilities: tuple[str, ...] = _field(Symbol, tuple, default=())
    properties: dict[Any, Any] | None = _field(dict)


@dataclass
class Flow(Composite):
    """How much more may be sent, on a session and on one of its links."""

    CODE, NAME = 0x13, "amqp:flow:list"
    next_incoming_id: int | None = _field(UInt)
    incoming_window: int = _field(UInt, is_required=True)
    next_outgoing_id: int = _field(UInt, is_required=True)
    outgoing_window: int = _field(UInt, is_required=True)
    handle: int | None = _field(UInt)
    delivery_count: int | None = _field(UInt)
    link_credit: int | None = _field(UInt)
    available: int | None = _field(UInt)
    drain: bool | None = _field(bool)
    echo: bool | None = _field(bool)
    properties: dict[Any, Any] | None = _field(dict)


@dataclass
class Transfer(Composite):
    """A message, or a part of one; its payload follows in the frame."""

    CODE, NAME = 0x14, "amqp:transfer:list"
    handle: int = _field(UInt, is_required=True)
    delivery_id: int | None = _field(UInt)
    delivery_tag: bytes | None = _field(bytes)
    message_format: int | None = _field(UInt)
    settled: bool | None = _field(bool)
    more: bool | None = _field(bool)
    rcv_settle_mode: int | None = _field(UByte)
    state: Any = _field(*ANY)
    resume: bool | None = _field(bool)
    aborted: bool | None = _field(bool)
    batchable: bool | None = _field(bool)


@dataclass
class Disposition(Composite):
    """The state of deliveries `first` to `last`; no `last`: of the first alone."""

    CODE, NAME = 0x15, "amqp:disposition:list"
    role: bool = _field(bool, is_required=True)
    first: int = _field(UInt, is_required=True)
    last: int | None = _field(UInt)
    settled: bool | None = _field(bool)
    state: Any = _field(*ANY)
    batchable: bool | None = _field(bool)


@dataclass
class Detach(Composite):
    """Detach a link; `closed`: for good."""

    CODE, NAME = 0x16, "amqp:detach:list"
    handle: int = _field(UInt, is_required=True)
    closed: bool | None = _field(bool)
    error: AmqpError | None = _field(AmqpError)


@dataclass
class End(Composite):
    """End a session."""

    CODE, NAME = 0x17, "amqp:end:list"
    error: AmqpError | None = _field(AmqpError)


@dataclass
class Close(Composite):
    """Close a connection."""

    CODE, NAME = 0x18, "amqp:close:list"
    error: AmqpError | None = _field(AmqpError)


@dataclass
class SaslMechanisms(Composite):
    """How a client may authenticate."""

    CODE, NAME = 0x40, "amqp:sasl-mechanisms:list"
    sasl_server_mechanisms: tuple[str, ...] = _field(Symbol, tuple, default=(), is_required=True)


@dataclass
class SaslInit(Composite):
    """How a client authenticates."""

    CODE, NAME = 0x41, "amqp:sasl-init:list"
    mechanism: str = _field(Symbol, is_required=True)
    initial_response: bytes | None = _field(bytes)
    hostname: str | None = _field(str)

    def __repr__(self) -> str:  # the response has a secret
        return f"SaslInit(mechanism={self.mechanism!r}, hostname={self.hostname!r})"


@dataclass
class SaslOutcome(Composite):
    """Whether a client has authenticated: 0 if it has, 1 if its credentials are wrong."""

    CODE, NAME = 0x44, "amqp:sasl-outcome:list"
    code: int = _field(UByte, is_required=True)
    additional_data: bytes | None = _field(bytes)


Performative = Open | Begin | Attach | Flow | Transfer | Disposition | Detach | End | Close
_CLASSES: tuple[type[Composite], ...] = (
    *(Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close),
    *(AmqpError, Accepted, Rejected, Released, Modified, Received, Source, Target),
    *(SaslMechanisms, SaslInit, SaslOutcome),
)
# Of each class: the name of each field, its kinds, and whether it is required.
_FIELDS: dict[type[Composite], tuple[tuple[str, tuple[type, ...], bool], ...]] = {
    kind: tuple((each.name, each.metadata["kinds"], each.metadata["is_required"]) for each in fields(kind))
    for kind in _CLASSES
}
_BY_DESCRIPTOR: dict[Any, type[Composite]] = {
    **{ULong(each.CODE): each for each in _CLASSES},
    **{Symbol(each.NAME): each for each in _CLASSES},
}


def read_composite(value: Any) -> Composite:
    """The composite that a described list is. Raises DecodeError."""
    kind = _BY_DESCRIPTOR.get(value.descriptor) if isinstance(value, Described) else None
    if kind is None:
        raise DecodeError("a described value of an unknown kind, where a known one is expected")
    return read_as(kind, value)


def read_as(kind: type[C], value: Described) -> C:
    """A described list, read as one kind. Raises DecodeError."""
    name, specified = kind.__name__, _FIELDS[kind]
    if value.descriptor not in (kind.CODE, kind.NAME) or not isinstance(value.value, list):
        raise DecodeError(f"{name} is not a described list of its kind")
    given = value.value
    if len(given) > len(specified):
        raise DecodeError(f"{name} has {len(given)} fields; it may have {len(specified)}")
    named: dict[str, Any] = {}
    for (field_name, kinds, is_required), item in zip_longest(specified, given):
        is_empty = isinstance(item, Array) and not item  # of many values none: the same as no field
        if item is not None and not (is_empty and tuple in kinds):
            named[field_name] = item if (item.__class__,) == kinds else _read(item, kinds, name, field_name)
        elif is_required:
            raise DecodeError(f"{name} has no {field_name}")
    return kind(**named)


def _read(value: Any, kinds: tuple[type, ...], owner: str, name: str) -> Any:
    """A field's value, checked."""
    if not kinds:
        return _read_open(value)
    kind = kinds[0]
    if tuple in kinds:
        items = value if isinstance(value, Array) else (value,)
        if all(isinstance(item, Symbol) for item in items):
            return tuple(str(item) for item in items)
    elif issubclass(kind, Composite):
        if isinstance(value, Described):
            return read_as(kind, value)
    elif type(value) is kind or (kind is str and isinstance(value, Symbol)):
        return value
    raise DecodeError(f"{owner}, {name}: {type(value).__name__}, where {kind.__name__} is expected")


def _read_open(value: Any) -> Any:
    """A value of any kind; a composite that is known is read as such."""
    if isinstance(value, Described) and value.descriptor in _BY_DESCRIPTOR:
        return read_composite(value)
    return value


def _written(value: Any, kinds: tuple[type, ...]) -> Value:
    """A field's value, as the codec writes it."""
    if isinstance(value, Composite):
        return value.encoded()
    if value is None or not kinds:
        return value  # type: ignore[no-any-return]
    if tuple in kinds:
        return Array(Symbol(item) for item in value) if value else None
    return kinds[0](value)  # type: ignore[no-any-return]
