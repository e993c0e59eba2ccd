"""Topics a device may use, what they mean, and what the hub's own topics look like."""

import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.mqtt.filters import matches, overlap
from azext_iotjobs.localhub.mqtt.topics import (
    MAX_FILTER_CHARS,
    MAX_RID_CHARS,
    SYSTEM_NAMES,
    MethodResponse,
    ReportedPatch,
    Telemetry,
    TwinGet,
    accepts_messages,
    desired_topic,
    is_own_filter,
    may_match_methods,
    method_topic,
    parse,
    parse_bag,
    twin_response_topic,
)
from azext_iotjobs.localhub.rules.address import Address

PUMP = Address("pump-1")
texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("topic", "meaning"),
    [
        ("devices/pump-1/messages/events", Telemetry({}, {})),
        ("devices/pump-1/messages/events/", Telemetry({}, {})),
        (
            "devices/pump-1/messages/events/$.ct=application%2Fjson&$.ce=utf-8&site=a",
            Telemetry({"site": "a"}, {"contentType": "application/json", "contentEncoding": "utf-8"}),
        ),
        ("$iothub/methods/res/200/?$rid=7", MethodResponse(200, "7")),
        ("$iothub/methods/res/0/?$rid=7", MethodResponse(0, "7")),
        ("$iothub/methods/res/-1/?$rid=7", MethodResponse(-1, "7")),
        ("$iothub/twin/GET/?$rid=a-b", TwinGet("a-b")),
        ("$iothub/twin/PATCH/properties/reported/?$rid=2", ReportedPatch("2")),
        ("$iothub/twin/PATCH/properties/reported/?$rid=2&$version=4", ReportedPatch("2")),
    ],
)
def test_a_device_s_topic_means(topic: str, meaning: object) -> None:
    assert parse(PUMP, topic) == meaning


@pytest.mark.parametrize(
    "topic",
    [
        "devices/pump-2/messages/events/",
        "devices/PUMP-1/messages/events/",
        "devices/pump-1/messages/eventsx",
        "devices/pump-1/messages/devicebound/",
        "devices/pump-1/modules/motor/messages/events/",
        "devices/pump%2D1/messages/events/",
        "messages/events",
        "$iothub/methods/POST/reboot/?$rid=1",
        "$iothub/methods/res/200/?rid=1",
        "$iothub/methods/res/200/?$rid=",
        "$iothub/methods/res/200/",
        "$iothub/methods/res/ok/?$rid=1",
        "$iothub/methods/res/٢/?$rid=1",
        "$iothub/methods/res/99999999999/?$rid=1",
        "$iothub/methods/res//?$rid=1",
        "$iothub/twin/GET/",
        "$iothub/twin/GET/?$rid=",
        f"$iothub/twin/GET/?$rid={'1' * (MAX_RID_CHARS + 1)}",
        "$iothub/twin/PATCH/properties/desired/?$rid=1",
        "$iothub/twin/PATCH/properties/reported/",
        "$iothub/",
        "$SYS/broker",
        "x",
    ],
)
def test_any_other_topic_is_not_for_the_device(topic: str) -> None:
    assert parse(PUMP, topic) is None


def test_a_module_has_topics_of_its_own() -> None:
    motor = Address("pump-1", "motor")
    assert parse(motor, "devices/pump-1/modules/motor/messages/events/a=1") == Telemetry({"a": "1"}, {})
    assert parse(motor, "devices/pump-1/messages/events/") is None
    assert is_own_filter(motor, "$iothub/methods/POST/#")
    assert not is_own_filter(motor, "devices/pump-1/messages/devicebound/#")


def test_an_id_stands_in_topics_as_it_is() -> None:
    odd = Address("a%20b:c=d@e!")
    assert parse(odd, "devices/a%20b:c=d@e!/messages/events/") == Telemetry({}, {})
    assert accepts_messages(odd, ["devices/a%20b:c=d@e!/messages/devicebound/#"])


# filter -> whether it is granted, calls of methods come, messages come
FILTERS = {
    "$iothub/methods/POST/#": (True, True, False),
    "$iothub/methods/POST/+/+": (True, True, False),
    "$iothub/methods/POST/reboot/#": (True, True, False),
    "$iothub/methods/#": (True, True, False),
    "$iothub/+/POST/#": (True, True, False),
    "$iothub/#": (True, True, False),
    "$iothub/methods/POST/+": (True, False, False),  # no call has as few levels
    "$iothub/methods/POST": (True, False, False),
    "$iothub/methods/res/#": (True, False, False),
    "$iothub/twin/#": (True, False, False),
    "$iothub/twin/res/#": (True, False, False),
    "$iothub/twin/res/200/#": (True, False, False),
    "$iothub/twin/PATCH/properties/desired/#": (True, False, False),
    "$iothub/twin/PATCH/properties/+/#": (True, False, False),
    "$iothub/twin/PATCH/properties/reported/#": (True, False, False),
    "$iothub/twin/GET/#": (True, False, False),
    "devices/pump-1/messages/devicebound/#": (True, False, True),
    "devices/pump-1/messages/devicebound/+": (True, False, True),
    "devices/pump-1/messages/devicebound/a=1": (True, False, False),
    "devices/pump-1/messages/devicebound": (True, False, False),
    "devices/pump-1/messages/events/#": (True, False, False),
    "devices/pump-1/messages/events": (True, False, False),
    "devices/pump-1/messages/+": (True, False, False),
    "devices/pump-1/messages/#": (True, False, True),
    "devices/pump-1/#": (True, False, True),
    "devices/+/messages/devicebound/#": (True, False, True),
    "devices/#": (True, False, True),
    "+/+/messages/#": (True, False, True),
    "+/+/#": (True, False, True),
    "#": (True, False, True),  # not what begins with $
    "+/methods/POST/#": (False, False, False),
    "+": (False, False, False),
    "$SYS/#": (False, False, False),
    "$share/g/#": (False, False, False),
    "$iothub": (False, False, False),
    "$iothub/clientproxy/#": (False, False, False),
    "$iothub/methods/GET/#": (False, False, False),
    "$iothub/twin/PATCH/properties/other/#": (False, False, False),
    "devices/pump-2/messages/devicebound/#": (False, False, False),
    "devices/pump-2/#": (False, False, False),
    "devices/PUMP-1/#": (False, False, False),
    "devices/pump-1/modules/motor/#": (False, False, False),
    "devices/pump-1/twin/#": (False, False, False),
    "devices": (False, False, False),
    "anything/#": (False, False, False),
    f"devices/pump-1/messages/{'x' * MAX_FILTER_CHARS}/#": (False, False, False),
}


@pytest.mark.parametrize("topic_filter", FILTERS)
def test_a_filter_is_granted_for_what_it_covers_of_the_device_s_own_topics(topic_filter: str) -> None:
    calls = is_own_filter(PUMP, topic_filter), may_match_methods([topic_filter]), accepts_messages(PUMP, [topic_filter])
    assert calls == FILTERS[topic_filter]


LEVELS = st.lists(st.sampled_from(["a", "b", "$x", ""]), min_size=1, max_size=4)
TOPIC_NAMES = LEVELS.map("/".join).filter(bool)
WILD = st.lists(st.sampled_from(["a", "b", "$x", "", "+"]), min_size=1, max_size=4)
TOPIC_FILTERS = st.tuples(WILD, st.booleans()).map(lambda each: "/".join(each[0] + ["#"] * each[1])).filter(bool)


def fits_as_a_pattern(topic_filter: str, topic: str) -> bool:
    """The standard's rule, said as a regular expression."""
    if topic[0] == "$" and topic_filter[0] in "+#":
        return False
    parents, _, last = topic_filter.rpartition("/")
    if last == "#":
        pattern = f"{_pattern(parents)}(/.*)?" if "/" in topic_filter else ".*"
        return re.fullmatch(pattern, topic) is not None
    return re.fullmatch(_pattern(topic_filter), topic) is not None


def _pattern(topic_filter: str) -> str:
    return "/".join("[^/]*" if level == "+" else re.escape(level) for level in topic_filter.split("/"))


@given(TOPIC_FILTERS, TOPIC_NAMES)
def test_a_filter_matches_as_the_standard_says(topic_filter: str, topic: str) -> None:
    assert matches(topic_filter, topic) is fits_as_a_pattern(topic_filter, topic)


@given(TOPIC_FILTERS, TOPIC_FILTERS, TOPIC_NAMES)
def test_filters_that_fit_the_same_topic_meet(one: str, other: str, topic: str) -> None:
    if matches(one, topic) and matches(other, topic):
        assert overlap(one, other) and overlap(other, one)


@given(TOPIC_FILTERS, TOPIC_FILTERS)
def test_filters_that_meet_fit_a_topic_that_both_have_letters_for(one: str, other: str) -> None:
    assert overlap(one, other) is overlap(other, one)
    if overlap(one, other):
        assert any(matches(one, each) and matches(other, each) for each in topics_like(one, other))


def topics_like(one: str, other: str) -> set[str]:
    """Topics that two filters' letters make: where one has a wildcard the other's letters, where both have one an a."""
    found = set()
    for length in range(1, 7):
        sides = [[*each.split("/"), *["#"] * 7][:length] for each in (one, other)]
        letters = [next((each for each in pair if each not in ("+", "#")), "a") for pair in zip(*sides, strict=True)]
        found.add("/".join(letters))
    return found


@pytest.mark.parametrize(
    ("text", "bag"),
    [
        ("", {}),
        ("a=1&b=&c", {"a": "1", "b": "", "c": None}),
        ("a=1&&b=2/", {"a": "1", "b": "2"}),
        ("a=1+1", {"a": "1+1"}),
        ("a%3Db=c%26d", {"a=b": "c&d"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=%zz%e4", {"a": "%zz\ufffd"}),
        ("a=1&a=2", {"a": "2"}),
    ],
)
def test_a_property_bag_says(text: str, bag: dict[str, str | None]) -> None:
    assert parse_bag(text) == bag


@given(st.dictionaries(texts.filter(bool) | st.sampled_from(sorted(SYSTEM_NAMES)), st.none() | texts))
def test_whatever_a_device_puts_into_a_bag_comes_out(properties: dict[str, str | None]) -> None:
    bag = "&".join(
        quote(key, safe="") if value is None else f"{quote(key, safe='')}={quote(value, safe='')}"
        for key, value in properties.items()
    )
    system = {SYSTEM_NAMES[key]: value or "" for key, value in properties.items() if key in SYSTEM_NAMES}
    own = {key: value for key, value in properties.items() if key not in SYSTEM_NAMES}
    assert parse(PUMP, f"devices/pump-1/messages/events/{bag}") == Telemetry(own, system)


@given(texts, st.integers(-(10**9), 10**9), st.integers(1))
def test_a_device_gets_the_method_s_name_and_the_hub_its_request_id_back(name: str, status: int, rid: int) -> None:
    topic = method_topic(str(rid), name)
    levels = topic.split("/")
    assert len(levels) == 5 and "#" not in topic and "+" not in topic
    assert unquote(levels[3]) == name
    assert parse(PUMP, f"$iothub/methods/res/{status}/{levels[4]}") == MethodResponse(status, str(rid))


def test_the_command_of_a_component_can_be_read_without_decoding() -> None:
    assert method_topic("7", "thermostat1*getReport") == "$iothub/methods/POST/thermostat1*getReport/?$rid=7"


@pytest.mark.parametrize("rid", ["1", "a%2fb", "%7E", "x y", "é", "a/b", "9" * MAX_RID_CHARS])
def test_a_request_id_of_the_device_goes_back_as_it_came(rid: str) -> None:
    asked = parse(PUMP, f"$iothub/twin/GET/?$rid={rid}")
    assert isinstance(asked, TwinGet)
    assert twin_response_topic(200, asked.rid) == f"$iothub/twin/res/200/?$rid={rid}"


def test_answers_about_a_twin_and_desired_changes_carry_their_versions() -> None:
    assert twin_response_topic(204, "2", 10) == "$iothub/twin/res/204/?$rid=2&$version=10"
    assert desired_topic(5) == "$iothub/twin/PATCH/properties/desired/?$version=5"
