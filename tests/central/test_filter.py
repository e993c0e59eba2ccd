"""The filter of an IoT Central device group means the same as a condition of IoT Hub's query language."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.central.filter_condition import FilterChoices, condition_of
from azext_iotjobs.central.report import MemberList, TranslatedMember
from azext_iotjobs.localhub.query.evaluate import matches
from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.model.errors import BadValue, UserError

START = "SELECT * FROM devices WHERE "
TEMPLATE = "dtmi:modelDefinition:dtdlv2"
NOTHING: dict[str, Any] = {}


def translated(filter_: str, paths: Mapping[str, str] = NOTHING, **states: bool) -> str:
    choices = FilterChoices(paths=paths, states={f"${name}": value for name, value in states.items()})
    return condition_of(filter_, choices, MemberList())


def members_of(filter_: str, paths: Mapping[str, str] = NOTHING, **states: bool) -> list[TranslatedMember]:
    members = MemberList()
    condition_of(filter_, FilterChoices(paths, {f"${name}": value for name, value in states.items()}), members)
    return list(members.all())


@pytest.mark.parametrize(
    ("filter_", "condition"),
    [
        ('$template = "dtmi:com:example:Thermostat;1"', "modelId = 'dtmi:com:example:Thermostat;1'"),
        ('$id = "pump-1"', "deviceId = 'pump-1'"),
        ("$id IN ['a', \"b\"]", "deviceId IN ['a', 'b']"),
        ("temperature > 5.10", "properties.reported.temperature > 5.10"),
        ("5 < temperature", "properties.reported.temperature > 5"),
        ("temperature >= -2e3", "properties.reported.temperature >= -2e3"),
        ("locked = true AND fan != null", "properties.reported.locked = true AND properties.reported.fan != null"),
        ('deviceInformation.model <> "it\'s"', "properties.reported.deviceInformation.model <> 'it\\'s'"),
        (r'note = "a \"b\" \\ c"', "properties.reported.note = 'a \"b\" \\\\ c'"),
        ("(a = 1 OR b = 2) AND c = 3", "({a} = 1 OR {b} = 2) AND {c} = 3"),
        ("a = 1 OR b = 2 AND c = 3", "{a} = 1 OR {b} = 2 AND {c} = 3"),
        ("a = 1 AND (b = 2 AND c = 3)", "{a} = 1 AND {b} = 2 AND {c} = 3"),
        ("NOT (a = 1 OR b = 2)", "NOT ({a} = 1 OR {b} = 2)"),
        ("order = 1 AND value = 2", "properties.reported.[[order]] = 1 AND properties.reported.[[value]] = 2"),
        ("where = 1", None),
    ],
)
def test_each_comparison_has_its_counterpart(filter_: str, condition: str | None) -> None:
    if condition is None:
        with pytest.raises(BadValue, match="'WHERE' at character 29"):
            translated(START + filter_)
        return
    for name in "abc":
        condition = condition.replace(f"{{{name}}}", f"properties.reported.{name}")
    assert translated(START + filter_) == condition
    parse_condition(condition)  # the local hub's grammar takes it


@pytest.mark.parametrize("filter_", ["SELECT * FROM devices", "select *\nfrom Devices", f"{START}$provisioned = true"])
def test_a_filter_without_a_condition_means_all_devices_and_says_so(filter_: str) -> None:
    (last,) = members_of(filter_, provisioned=True)[-1:]
    assert (last.became, last.note) == ("*", "all devices of the hub")


def test_a_name_is_a_reported_property_unless_its_path_is_given() -> None:
    filter_ = f'{START}Company = "Contoso" AND light = 45 AND $template = "{TEMPLATE}"'
    paths = {"Company": "tags.company", "light": "properties.reported.light.value", "$template": "tags.template"}
    assert translated(filter_, paths) == (
        f"tags.company = 'Contoso' AND properties.reported.light.[[value]] = 45 AND tags.template = '{TEMPLATE}'"
    )
    noted = {each.name: each.note for each in members_of(filter_)}
    assert "a writable one" in noted["filter: Company"] and "a cloud property, which is a tag" in noted["filter: light"]
    assert "differs from the id of a template" in noted["filter: $template"]


def test_a_number_in_quotes_stays_text_and_is_noted() -> None:
    filter_ = f'{START}temperature = "56" AND note = "warm"'
    assert translated(filter_).startswith("properties.reported.temperature = '56'")
    noted = [each.name for each in members_of(filter_) if "a number in quotes" in each.note]
    assert noted == ["filter: temperature"]


@pytest.mark.parametrize("state", ["$provisioned", "$simulated"])
def test_what_a_hub_does_not_know_of_devices_is_refused_until_it_is_said(state: str) -> None:
    with pytest.raises(BadValue, match="IoT Central keeps of a device and a hub does not"):
        translated(f"{START}{state} = true AND a = 1")
    assert translated(f"{START}{state} = true AND a = 1", {state: "tags.state"}).startswith("tags.state = true AND")


@pytest.mark.parametrize(
    ("filter_", "condition"),
    [
        ("$provisioned = true AND a = 1", "properties.reported.a = 1"),
        ("$provisioned != false AND a = 1", "properties.reported.a = 1"),
        ("$simulated = true OR a = 1", "properties.reported.a = 1"),
        ("NOT $simulated = true AND a = 1", "properties.reported.a = 1"),
        ("$provisioned = true OR a = 1", "*"),
        ("a = 1 AND ($simulated = false OR b = 2)", "properties.reported.a = 1"),
    ],
)
def test_what_is_the_same_for_all_devices_decides_or_is_left_out(filter_: str, condition: str) -> None:
    assert translated(START + filter_, provisioned=True, simulated=False) == condition


@pytest.mark.parametrize("filter_", ["$simulated = true", "$provisioned = false AND a = 1", "NOT $provisioned = true"])
def test_a_group_that_can_have_no_device_is_refused(filter_: str) -> None:
    with pytest.raises(BadValue, match="selects no device"):
        translated(START + filter_, provisioned=True, simulated=False)


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        ("", "its end, where SELECT should be"),
        ("SELECT $id FROM devices", "'\\$id' at character 8, where \\* should be"),
        ("SELECT * FROM dtmi:a:b", "':', which begins nothing, at character 19"),
        ("SELECT * FROM devices ORDER BY a", "'ORDER' at character 23, where WHERE should be"),
        (f"{START}a = 1 ORDER BY a", "'ORDER' at character 35, where it should end"),
        (f"{START}a = b", "'b' at character 33, where a value should be"),
        (f"{START}a", "its end, where a comparison"),
        (f"{START}a = 1;", "';', which begins nothing, at character 34"),
        (f'{START}a = "x', "a quote that is not closed, at character 33"),
        (f"{START}a LIKE 'x%'", "'LIKE' at character 31, where a comparison"),
        (f"{START}STARTSWITH(a, 'x')", "STARTSWITH.*a function"),
        (f"{START}a.b.c = 1", "a.b.c: more than a component and a property"),
        (f"{START}a IN []", "'\\]' at character 35, where a value should be"),
        (f"{START}a IN 'x'", "where a list in brackets should be"),
        (f"{START}(a = 1", "its end, where \\) should be"),
        (f"{START}a = 'x\\n'", "its meaning is not known"),
        (f"{START}$provisioned > true", "IoT Central keeps of a device"),
        (f"{START}$displayName = 'x'", "which a hub does not know"),
        (f"{START}a = 0x10", "'0', which begins nothing"),
        (f"{START}{'(' * 60}a = 1{')' * 60}", "more than 50 levels deep"),
        (f"{START}{' OR '.join(['a = 1'] * 2000)}", "at most 8192 are allowed"),
    ],
)
def test_what_is_not_read_is_refused_with_its_place(filter_: str, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        translated(filter_)


def test_a_state_is_compared_with_true_and_false_alone() -> None:
    with pytest.raises(BadValue, match="something other than true and false"):
        translated(f"{START}$provisioned = 'yes'", provisioned=True)


@pytest.mark.parametrize(
    "path", ["", "tags", "company", "tags.a b", "properties.x.a", "tags.a OR 1 = 1", "tags.a.[[b]]"]
)
def test_a_path_that_no_twin_has_is_refused(path: str) -> None:
    with pytest.raises(BadValue, match="is not a path in a twin"):
        FilterChoices(paths={"Company": path})


# -- any filter, against a plain reading of it -------------------------------------------------------------------------

VALUES = st.one_of(st.integers(-3, 3), st.booleans(), st.sampled_from(["", "a", "it's", 'say "x"', "back\\slash", "3"]))
NAMES = st.sampled_from(["a", "b", "comp.c"])
Plain = tuple[Any, ...]  # ("=", name, value), ("IN", name, values), ("AND" or "OR", parts)


def _written(value: Any) -> str:
    if isinstance(value, str):
        return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))
    return str(value).lower()


def _text(plain: Plain) -> str:
    if plain[0] in ("AND", "OR"):
        return f"({f' {plain[0]} '.join(map(_text, plain[1]))})"
    if plain[0] == "IN":
        return f"{plain[1]} IN [{', '.join(map(_written, plain[2]))}]"
    return f"{plain[1]} {plain[0]} {_written(plain[2])}"


def _holds(plain: Plain, device: dict[str, Any]) -> bool:
    if plain[0] in ("AND", "OR"):
        parts = [_holds(each, device) for each in plain[1]]
        return all(parts) if plain[0] == "AND" else any(parts)
    same = [type(device[plain[1]]) is type(each) and device[plain[1]] == each for each in _compared(plain)]
    return any(same)


def _compared(plain: Plain) -> list[Any]:
    return list(plain[2]) if plain[0] == "IN" else [plain[2]]


SINGLE = st.one_of(
    st.tuples(st.just("="), NAMES, VALUES), st.tuples(st.just("IN"), NAMES, st.lists(VALUES, min_size=1, max_size=3))
)
PLAIN = st.recursive(
    SINGLE,
    lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3)),
    max_leaves=8,
)


@given(PLAIN, VALUES, VALUES, VALUES)
def test_the_condition_selects_the_devices_that_the_filter_means(plain: Plain, a: Any, b: Any, c: Any) -> None:
    where = parse_condition(translated(START + _text(plain))).where
    twin = {"deviceId": "d", "properties": {"reported": {"a": a, "b": b, "comp": {"c": c}}}}
    assert where is not None
    assert matches(where, twin) is _holds(plain, {"a": a, "b": b, "comp.c": c})


@given(st.text(max_size=80))
def test_any_text_is_translated_or_refused(text: str) -> None:
    for filter_ in (text, START + text):
        try:
            parse_condition(translated(filter_, provisioned=True))
        except UserError as err:
            assert str(err)
