"""Performatives: fields of the right kind are read, anything else is a DecodeError that names the field."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.wire import performatives
from azext_iotjobs.localhub.amqp.wire.decoder import decode
from azext_iotjobs.localhub.amqp.wire.encoder import encode
from azext_iotjobs.localhub.amqp.wire.performatives import (
    Accepted,
    AmqpError,
    Attach,
    Begin,
    Composite,
    Detach,
    Disposition,
    Flow,
    Modified,
    Open,
    Rejected,
    SaslInit,
    SaslMechanisms,
    Source,
    Target,
    Transfer,
    read_composite,
)
from azext_iotjobs.localhub.amqp.wire.types import Array, DecodeError, Described, Symbol, UInt, ULong
from tests.helpers.amqp_values import VALUES
from tests.helpers.short_form import examples

EXAMPLES: list[Composite] = [
    Open("client", "localhost", 65536, 255, 60_000, properties={Symbol("product"): "test"}),
    Begin(None, 0, 100, 100, 7, desired_capabilities=("a", "b")),
    Attach("link", 1, True, source=Source("/devices/d", filter={Symbol("f"): "x"}), target=Target("t")),
    Flow(1, 2, 3, 4, 5, 6, 7, 0, False, True),
    Transfer(1, 2, b"tag", 0, False, True, state=Accepted()),
    Disposition(True, 4, 9, True, Rejected(AmqpError("amqp:not-found", "no such thing", {Symbol("code"): 404}))),
    Disposition(False, 4, state=Modified(True, False)),
    Detach(3, True, AmqpError("amqp:link:stolen")),
    SaslMechanisms(("PLAIN", "ANONYMOUS")),
    SaslInit("PLAIN", b"\x00user\x00secret", "localhost"),
]


def decoded(composite: Composite) -> Composite:
    value, _ = decode(encode(composite.encoded()))
    return read_composite(value)


@pytest.mark.parametrize("composite", EXAMPLES, ids=lambda each: type(each).__name__)
def test_a_performative_is_read_as_it_was_written(composite: Composite) -> None:
    assert decoded(composite) == composite


@pytest.mark.parametrize("composite", EXAMPLES, ids=lambda each: type(each).__name__)
def test_all_fields_are_written_since_clients_read_them_by_position(composite: Composite) -> None:
    assert len(composite.encoded().value) == len(fields(composite))


@pytest.mark.parametrize("composite", EXAMPLES, ids=lambda each: type(each).__name__)
def test_a_performative_may_be_named_by_its_symbol(composite: Composite) -> None:
    value, _ = decode(encode(Described(Symbol(composite.NAME), composite.encoded().value)))

    assert read_composite(value) == composite


def test_fields_at_the_end_may_be_left_out() -> None:
    assert read_composite(Described(ULong(0x10), ["client"])) == Open("client")


def test_one_symbol_stands_for_several() -> None:
    assert read_composite(Described(ULong(0x40), [Symbol("PLAIN")])) == SaslMechanisms(("PLAIN",))


@pytest.mark.parametrize(
    ("descriptor", "items", "reason"),
    [
        (0x10, [], "Open has no container_id"),
        (0x10, [None, "host"], "Open has no container_id"),
        (0x10, [b"client"], "Open, container_id: bytes, where str is expected"),
        (0x10, ["client", None, -1], "Open, max_frame_size: int, where UInt is expected"),
        (0x10, ["client"] + [None] * 10, "Open has 11 fields; it may have 10"),
        (0x11, [None, UInt(0), UInt(0)], "Begin has no outgoing_window"),
        (0x12, ["link", UInt(0), 1], "Attach, role: int, where bool is expected"),
        (0x12, ["link", UInt(0), True, None, None, "source"], "Attach, source: str, where Source is expected"),
        (0x12, ["link", UInt(0), True, None, None, Described(ULong(0x29), [])], "Source is not a described list"),
        (0x40, [Array([1])], "SaslMechanisms, sasl_server_mechanisms: Array"),
        (0x16, [UInt(0), True, Described(ULong(0x1D), {})], "AmqpError is not a described list"),
        (0x99, [], "unknown kind"),
    ],
)
def test_a_wrong_field_is_named(descriptor: int, items: list[Any], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        read_composite(Described(ULong(descriptor), items))


@examples(40, 30_000)
@given(st.sampled_from(sorted(performatives._BY_DESCRIPTOR, key=str)), st.lists(VALUES, max_size=15))
def test_any_fields_are_read_or_refused(descriptor: Any, items: list[Any]) -> None:
    try:
        found = read_composite(Described(descriptor, items))
    except DecodeError:
        return
    assert decoded(found) == found or found != found


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(SaslInit("PLAIN", b"\x00user\x00secret", "localhost"))
