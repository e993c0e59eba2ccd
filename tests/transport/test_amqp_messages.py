"""Messages between azure-eventhub and our values."""

from uuid import UUID

import pytest

from azext_iotjobs.model.amqp import AmqpMessage
from azext_iotjobs.transport.amqp_library import amqp_library
from azext_iotjobs.transport.amqp_messages import decoded, encoded, plain

ID = UUID(int=7)


def test_texts_are_str_whatever_they_were() -> None:
    library = amqp_library()
    made = library.message(
        properties=[ID, b"user", None, None, None, None, b"application/json", "utf-8"],
        application_properties={b"site": b"north", "count": 3},
        message_annotations={b"x-opt-offset": b"7", b"bad": b"\xff", b"list": [b"a"]},
        data=[b"a", bytearray(b"b")],
    )
    found = decoded(made)
    assert found.body == b"ab"
    assert found.properties == {
        "message_id": str(ID),
        "user_id": "user",
        "content_type": "application/json",
        "content_encoding": "utf-8",
    }
    assert found.application == {"site": "north", "count": 3}
    assert found.annotations == {"x-opt-offset": "7", "bad": "\\xff", "list": ["a"]}


@pytest.mark.parametrize(
    ("sections", "body"),
    [
        ({}, b""),
        ({"data": []}, b""),
        ({"value": b"bytes"}, b"bytes"),
        ({"value": "text"}, b"text"),
        ({"sequence": [[1, "a"]]}, b"[[1, 'a']]"),
    ],
)
def test_a_body_may_be_something_else_than_data(sections: dict[str, object], body: bytes) -> None:
    assert decoded(amqp_library().message(**sections)).body == body


def test_what_is_sent_is_what_was_given() -> None:
    sent = encoded(
        amqp_library(), AmqpMessage(body=b"x", properties={"message_id": "m"}, application={"iothub-ack": "full"})
    )
    assert decoded(sent) == AmqpMessage(body=b"x", properties={"message_id": "m"}, application={"iothub-ack": "full"})


def test_values_are_what_json_has() -> None:
    assert plain({b"a": (1, 2.5, True, None, ID)}) == {"a": [1, 2.5, True, None, str(ID)]}
    assert plain([float("inf"), float("nan")]) == ["inf", "nan"]
