"""--properties: what is typed, and what MQTT and HTTPS carry of it."""

from collections.abc import Callable
from typing import Any

import pytest

from azext_iotjobs.cli.input.message_properties import (
    JSON_PROPERTIES,
    read_http_properties,
    read_mqtt_properties,
    text_bytes,
)
from azext_iotjobs.model.errors import BadValue

NOT_UTF8 = "a=\udcff"  # how Python represents a byte from the terminal that is not UTF-8


def test_what_is_typed_stands_beside_the_defaults_or_in_their_place() -> None:
    more = {"site": "a b", "ort": "Köln"}
    assert read_mqtt_properties("site=a b;ort=Köln;", JSON_PROPERTIES) == {**JSON_PROPERTIES, **more}
    assert read_mqtt_properties("$.ct=a/b", JSON_PROPERTIES) == {"$.ct": "a/b", "$.ce": "utf-8"}
    assert read_mqtt_properties(None, JSON_PROPERTIES) == JSON_PROPERTIES
    assert read_mqtt_properties("iothub-messageid=1", {}) == {"iothub-messageid": "1"}


@pytest.mark.parametrize("name", ["$.ct", "content-type", "Content-Type", "iothub-contenttype", "IoTHub-ContentType"])
def test_over_https_every_spelling_of_a_content_type_stands_for_the_default(name: str) -> None:
    assert read_http_properties(f"{name}=text/plain", JSON_PROPERTIES) == {"$.ce": "utf-8", name: "text/plain"}


@pytest.mark.parametrize("name", ["$.ce", "content-encoding", "iothub-contentencoding"])
def test_over_https_every_spelling_of_an_encoding_stands_for_the_default(name: str) -> None:
    assert read_http_properties(f"{name}=utf-16", JSON_PROPERTIES) == {"$.ct": "application/json", name: "utf-16"}


@pytest.mark.parametrize("read", [read_mqtt_properties, read_http_properties])
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "is empty"),
        (" ; ", "is empty"),
        ("novalue", "'novalue' is not key=value"),
        ("a=1;novalue;b=2", "'novalue' is not key=value"),
        ("=1", "'=1' is not key=value"),
        ("a=1;a=2", "'a' is given twice"),
        (NOT_UTF8, "not text in UTF-8"),
    ],
)
def test_what_is_no_list_of_properties_is_refused(read: Callable[..., Any], typed: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        read(typed, JSON_PROPERTIES)


def test_more_than_a_topic_holds_is_refused_before_anything_is_sent() -> None:
    assert read_mqtt_properties(f"a={'x' * 64_990}", {})
    for text in ("x" * 65_000, "ü" * 11_000):
        with pytest.raises(BadValue, match="MQTT takes at most 65000"):
            read_mqtt_properties(f"a={text}", {})


def test_bytes_that_are_no_text_are_refused() -> None:
    assert text_bytes("café", "--data") == "café".encode()
    with pytest.raises(BadValue, match="--data: .*not text in UTF-8"):
        text_bytes("\udcff", "--data")
