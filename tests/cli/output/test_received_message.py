"""A received message, in the reference's words."""

from collections.abc import Mapping

import pytest

from azext_iotjobs.cli.output.received_message import message_document
from azext_iotjobs.model.message import ReceivedMessage


def document(
    body: bytes = b"", encoding: str | None = None, system: Mapping[str, str] | None = None
) -> dict[str, object]:
    named = {name.replace("_", "-"): value for name, value in (system or {}).items()}
    return message_document(
        ReceivedMessage(lock_token="t", body=body, content_encoding=encoding, properties={}, system=named)
    )


@pytest.mark.parametrize(
    "sent",
    [
        {"content_type": "a/b", "content_encoding": "utf-8"},
        {"ContentType": "a/b", "ContentEncoding": "utf-8"},
        {"ContentType": "old", "ContentEncoding": "old", "content_type": "a/b", "content_encoding": "utf-8"},
        {"content_type": "a/b", "content_encoding": "utf-8", "ContentType": "old", "ContentEncoding": "old"},
    ],
)
def test_type_and_encoding_have_one_name_whichever_the_hub_sent(sent: dict[str, str]) -> None:
    system = {"iothub-messageid": "m", "content-type": "a/b", "content-encoding": "utf-8"}
    assert document(system={**sent, "iothub_messageid": "m"})["properties"] == {"system": system}


def test_what_is_not_there_is_not_shown() -> None:
    assert document() == {"etag": "t", "properties": {}}


@pytest.mark.parametrize(
    ("body", "encoding", "shown"),
    [
        ("ü".encode(), None, "ü"),
        ("ü".encode("utf-16"), "UTF-16", "ü"),
        (b"\xff", "utf-8", "{{non-decodable payload}}"),
        (b"x", "gzip", "{{non-decodable payload}}"),
    ],
)
def test_a_body_is_shown_as_the_text_that_its_encoding_says(body: bytes, encoding: str | None, shown: str) -> None:
    assert document(body, encoding)["data"] == shown
