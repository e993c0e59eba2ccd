"""What `c2d-message send` makes of its options, and what it refuses before anything is sent."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.hub_access.amqp_access import AmqpAccess
from azext_iotjobs.cli.message.send_c2d import send_c2d
from azext_iotjobs.model.amqp import AmqpEndpoint, AmqpMessage
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.target import SasKey
from tests.helpers.amqp_double import AmqpDouble

KEY = SasKey(policy="service", key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")


def send(link: AmqpDouble, **typed: Any) -> AmqpMessage:
    """The message that is sent; the connection is closed behind it."""
    access = AmqpAccess(AmqpEndpoint("hub"), KEY, link)
    send_c2d(SimpleNamespace(), access, our_device_id="pump-1", **typed)
    ((_, message),) = link.sent
    assert link.is_closed
    return message


def test_a_message_has_an_id_and_says_that_no_feedback_is_wanted() -> None:
    first, second = send(AmqpDouble()), send(AmqpDouble())
    assert first.body == b"Ping from Az CLI IoT Extension" and first.application == {"iothub-ack": "none"}
    assert first.properties["message_id"] != second.properties["message_id"]
    assert first.properties["content_encoding"] == "utf-8"


def test_options_are_properties() -> None:
    typed = {"our_message_id": "m", "our_correlation_id": "c", "our_user_id": "u", "our_ack": "full"}
    sent = send(AmqpDouble(), our_properties="a=1;b=x=y", our_expiry_time_utc="4102444800000", **typed)
    assert sent.application == {"a": "1", "b": "x=y", "iothub-ack": "full"}
    assert [sent.properties[name] for name in ("message_id", "correlation_id", "user_id")] == ["m", "c", "u"]
    assert sent.properties["absolute_expiry_time"] == 4102444800000


@pytest.mark.parametrize(
    ("typed", "body"),
    [
        ({"our_data": "caf\u00e9"}, "caf\u00e9".encode()),
        ({"our_data": "caf\u00e9", "our_content_encoding": "UTF-16"}, "caf\u00e9".encode("utf-16")),
        ({"our_data": "x", "our_content_encoding": "gzip"}, b"x"),
        ({"our_data": '{"a":1}', "our_content_type": "application/json"}, b'{"a": 1}'),
        ({"our_data": '{"a":1}', "our_content_type": "text/plain"}, b'{"a":1}'),
    ],
)
def test_data_is_sent_in_the_messages_encoding(typed: dict[str, str], body: bytes) -> None:
    assert send(AmqpDouble(), **typed).body == body


def test_a_file_is_text_unless_the_content_type_says_binary(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"caf\xc3\xa9")
    typed = {"our_data_file_path": str(path)}
    assert send(AmqpDouble(), **typed).body == b"caf\xc3\xa9"
    assert send(AmqpDouble(), our_content_encoding="utf-32", **typed).body == "caf\u00e9".encode("utf-32")
    path.write_bytes(b"\xff\x00")
    assert send(AmqpDouble(), our_content_type="application/octet-stream", **typed).body == b"\xff\x00"


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"our_wait": True}, "--ack"),
        ({"our_expiry_time_utc": "1000"}, "is past"),
        ({"our_expiry_time_utc": "2020-01-01"}, "is past"),
        ({"our_expiry_time_utc": "soon"}, "--expiry-time-utc"),
        ({"our_properties": "a"}, "--properties"),
        ({"our_data": "{", "our_content_type": "application/json"}, "--data"),
        ({"our_data": "\udcff"}, "--data"),
        ({"our_data_file_path": "no-such-file"}, "--data-file-path"),
        ({"our_data_file_path": __file__, "our_content_type": "application/json"}, "--data-file-path"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(typed: dict[str, Any], named: str) -> None:
    link = AmqpDouble()
    with pytest.raises(UserError, match=named):
        send(link, **typed)
    assert link.opened_with is None


def test_a_file_that_is_no_text_names_the_content_type_for_it(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\xff")
    with pytest.raises(UserError, match="not text") as raised:
        send(AmqpDouble(), our_data_file_path=str(tmp_path / "body"))
    assert "application/octet-stream" in str(raised.value.hint)
