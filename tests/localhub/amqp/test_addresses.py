"""Addresses of links as clients write them, and the patterns that they match."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.addresses import match_pattern, segments_of
from tests.helpers.short_form import examples

TWIN = ("devices", "pump-1", "twin")


@pytest.mark.parametrize(
    "address",
    [
        "/devices/pump-1/twin",
        "devices/pump-1/twin",
        "devices/pump-1/twin/",
        "amqps://localhost/devices/pump-1/twin",
        "amqps://localhost:5671/devices/pump-1/twin",
        "AMQPS://127.0.0.9:5671//devices/pump-1/twin",
        "sb://localhost/devices/pump%2D1/twin",
    ],
)
def test_every_way_to_write_an_address_has_the_same_segments(address: str) -> None:
    assert segments_of(address) == TWIN


@pytest.mark.parametrize(
    ("address", "segments"),
    [
        ("", ()),
        ("/", ()),
        ("$cbs", ("$cbs",)),
        ("amqps://localhost", ()),
        ("amqps://localhost/", ()),
        ("/devices/a%2Fb/twin", ("devices", "a/b", "twin")),
        ("/devices/a%25b/twin", ("devices", "a%b", "twin")),
        ("/devices/a%zz/twin", ("devices", "a%zz", "twin")),
        ("/devices/%ff/twin", ("devices", "%ff", "twin")),
        ("/devices/a+b/twin", ("devices", "a+b", "twin")),
        ("/devices//twin", ("devices", "", "twin")),
        ("/devices/x://y/twin", ("devices", "x:", "", "y", "twin")),
    ],
)
def test_segments_are_decoded_once_and_never_split_again(address: str, segments: tuple[str, ...]) -> None:
    assert segments_of(address) == segments


@pytest.mark.parametrize(
    ("pattern", "address", "ids"),
    [
        ("/devices/{device}/twin", "/Devices/Pump-1/TWIN", {"device": "Pump-1"}),
        ("/devices/{device}/modules/{module}/twin", "/devices/d/modules/m/twin", {"device": "d", "module": "m"}),
        ("/messages/serviceBound/feedback", "/messages/servicebound/Feedback", {}),
        ("/messages/events/{*rest}", "/messages/events", {}),
        ("/messages/events/{*rest}", "/messages/events/$management", {}),
        ("/messages/events/{*rest}", "/messages/events/ConsumerGroups/$Default/Partitions/0", {}),
        ("{hub}/$management", "local-hub/$management", {"hub": "local-hub"}),
    ],
)
def test_an_address_matches_its_pattern_in_any_case(pattern: str, address: str, ids: dict[str, str]) -> None:
    assert match_pattern(pattern, segments_of(address)) == ids


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("/devices/{device}/twin", "/devices/pump-1"),
        ("/devices/{device}/twin", "/devices/pump-1/twin/more"),
        ("/devices/{device}/twin", "/devices//twin"),
        ("/devices/{device}/twin", "/device/pump-1/twin"),
        ("/messages/events/{*rest}", "/messages"),
        ("/messages/events/{*rest}", "/messages/eventsx"),
        ("$cbs", ""),
    ],
)
def test_another_address_does_not_match(pattern: str, address: str) -> None:
    assert match_pattern(pattern, segments_of(address)) is None


@given(st.text(max_size=200))
@examples(300, 20_000)
def test_any_text_is_an_address_with_segments(address: str) -> None:
    segments = segments_of(address)
    assert all(isinstance(each, str) for each in segments)
    assert match_pattern("/devices/{device}/twin", segments) is None or len(segments) == 3


@given(
    st.text(min_size=1, max_size=50).filter(lambda text: text.isprintable()), st.sampled_from(["", "/", "amqps://h/"])
)
@examples(200, 20_000)
def test_an_encoded_id_comes_out_as_it_went_in(device: str, start: str) -> None:
    segments = segments_of(f"{start}devices/{quote(device, safe='')}/twin")
    assert match_pattern("/devices/{device}/twin", segments) == {"device": device}
