"""Bodies of events, whatever devices put into them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.events.payload import ENCODINGS, NOT_READABLE, read_payload


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "value"),
    [
        (b'{"t": 1}', "application/json", "utf-8", {"t": 1}),
        (b'{"t": 1}', "Application/JSON; charset=utf-8", "", {"t": 1}),
        (b'{"t": 1}', "", "utf-8", '{"t": 1}'),
        (b'{"t": 1}', "text/plain", "", '{"t": 1}'),
        ("21 °C".encode("utf-16"), "", "UTF-16", "21 °C"),
        ('"é"'.encode("utf-32"), "application/json", "utf-32", "é"),
        (b"", "", "", ""),
        (b"null", "application/json", "", None),
    ],
)
def test_a_body_is_json_or_text(body: bytes, content_type: str, encoding: str, value: Any) -> None:
    assert read_payload(body, content_type, encoding) == (value, None)


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "value", "problem"),
    [
        (b"\xff\xfe\x00", "", "utf-8", NOT_READABLE, "utf-8"),
        (b"x", "", "gzip", NOT_READABLE, "gzip"),
        (b"x", "", "\x1b[2J" * 40, NOT_READABLE, r"\x1b[2J"),
        (b"{", "application/json", "", "{", "not JSON"),
        (b"", "application/json", "", "", "not JSON"),
        (b"NaN", "application/json", "", "NaN", "not JSON"),
        (b"[" * 100_000, "application/json", "", "[" * 100_000, "not JSON"),
        (b"[1e999]", "application/json", "", "[1e999]", "1e999 is too large"),
        (b"9" * 5000, "application/json", "", "9" * 5000, "5000 digits"),
        (b"[" * 101 + b"]" * 101, "application/json", "", "[" * 101 + "]" * 101, "100 levels"),
    ],
)
def test_what_cannot_be_read_is_said_and_shown_as_far_as_it_can_be(
    body: bytes, content_type: str, encoding: str, value: str, problem: str
) -> None:
    payload = read_payload(body, content_type, encoding)
    assert payload.value == value
    assert payload.problem is not None and problem in payload.problem and payload.problem.isprintable()


@given(
    st.binary(max_size=40), st.sampled_from(["", "application/json", "x"]), st.sampled_from(["", "latin", *ENCODINGS])
)
def test_no_body_is_a_traceback(body: bytes, content_type: str, encoding: str) -> None:
    payload = read_payload(body, content_type, encoding)
    assert payload.problem is None or payload.problem.isprintable()
