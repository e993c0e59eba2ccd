import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.simulator import topics
from azext_iotjobs.simulator.events import (
    AnswerMethod,
    DesiredPatched,
    FetchTwin,
    MessageArrived,
    MethodCalled,
    Report,
    ReportAnswered,
    SendTelemetry,
    TwinFetched,
    Unreadable,
)

BAGS = st.dictionaries(st.text(min_size=1), st.none() | st.text())


@given(BAGS)
def test_a_bag_of_properties_is_read_back(bag: dict[str, str | None]) -> None:
    assert topics.parse_bag(topics.render_bag(bag)) == bag


@given(st.text(max_size=200), st.binary(max_size=50))
def test_no_topic_and_no_payload_breaks_the_reader(rest: str, payload: bytes) -> None:
    for start in (
        "",
        "$iothub/methods/POST/",
        "$iothub/twin/PATCH/properties/desired/",
        "$iothub/twin/res/",
        "devices/d/messages/devicebound/",
    ):
        topics.parse("d", start + rest, payload)


def test_the_twin_is_requested_and_read() -> None:
    assert topics.render_fetch(FetchTwin(rid="get1")) == ("$iothub/twin/GET/?$rid=get1", b"")
    body = b'{"desired": {"a": 1, "$version": 3}, "reported": {"$version": 1}}'
    fetched = topics.parse("d", "$iothub/twin/res/200/?$rid=get1", body)
    assert fetched == TwinFetched(rid="get1", desired={"a": 1, "$version": 3}, reported={"$version": 1})
    assert topics.parse("d", "$iothub/twin/res/429/?$rid=get1", b"{}") == ReportAnswered(rid="get1", status=429)


def test_system_properties_keep_their_dollar_and_a_plus_is_a_plus() -> None:
    assert topics.render_bag({"$.ct": "application/json", "a": "1+1"}) == "$.ct=application%2Fjson&a=1%2B1"
    assert topics.parse_bag("a=1+1&b&c=") == {"a": "1+1", "b": None, "c": ""}


@pytest.mark.parametrize(
    ("payload", "value"), [(b"", None), (b" ", None), (b"null", None), (b'{"a":1}', {"a": 1}), (b"0", 0)]
)
def test_a_method_call_is_read_with_any_payload(payload: bytes, value: object) -> None:
    event = topics.parse("d", "$iothub/methods/POST/set%20it/?$rid=1a", payload)
    assert event == MethodCalled(rid="1a", name="set it", payload=value)


def test_a_desired_change_a_report_answer_and_a_message_are_read() -> None:
    desired = topics.parse("d", "$iothub/twin/PATCH/properties/desired/?$version=2", b'{"a":1,"$version":2}')
    assert desired == DesiredPatched({"a": 1, "$version": 2})
    assert topics.parse("d", "$iothub/twin/res/204/?$rid=7&$version=3", b"") == ReportAnswered(rid="7", status=204)
    message = topics.parse("d", "devices/d/messages/devicebound/%24.mid=1&k", b"\x00")
    assert message == MessageArrived(properties={"$.mid": "1", "k": None}, body=b"\x00")


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("$iothub/methods/POST/x/", b"{}"),
        ("$iothub/methods/POST/x/?$rid=1", b"{broken"),
        ("$iothub/methods/POST/x/?$rid=1", b"[" * 100_000),
        ("$iothub/methods/POST/x/?$rid=1", b"\xff"),
        ("$iothub/twin/PATCH/properties/desired/?$version=2", b"[1]"),
        ("$iothub/twin/res/abc/?$rid=1", b""),
        ("$iothub/twin/res/200/", b""),
        ("$iothub/twin/res/200/?$rid=1", b"{broken"),
        ("$iothub/twin/res/200/?$rid=1", b'{"desired": {}}'),
        ("$iothub/twin/res/200/?$rid=1", b'{"desired": {}, "reported": []}'),
        ("devices/other/messages/devicebound/", b""),
        ("anything", b""),
    ],
)
def test_what_is_none_of_these_is_unreadable(topic: str, payload: bytes) -> None:
    assert topics.parse("d", topic, payload) == Unreadable(topic)


def test_a_device_publishes_where_the_hub_listens() -> None:
    assert topics.render_answer(AnswerMethod(rid="1 a", status=201, payload=None)) == (
        "$iothub/methods/res/201/?$rid=1%20a",
        b"null",
    )
    topic, body = topics.render_report(Report(rid="3", patch={"é": 1}))
    assert (topic, json.loads(body)) == ("$iothub/twin/PATCH/properties/reported/?$rid=3", {"é": 1})
    sent = SendTelemetry(properties={"site": "north"}, body=b"{}")
    assert topics.render_telemetry("d", sent) == ("devices/d/messages/events/site=north", b"{}")


def test_a_device_listens_with_at_most_the_five_subscriptions_the_hub_allows() -> None:
    filters = topics.filters("d")
    assert len(filters) <= 5
    assert "devices/d/messages/devicebound/#" in filters


def test_a_property_without_utf_8_form_is_escaped_and_the_others_are_as_they_are() -> None:
    assert topics.parse_bag(topics.render_bag({"ü\udfff": "\ud800", "b": "ö"})) == {"ü\\udfff": "\\ud800", "b": "ö"}
