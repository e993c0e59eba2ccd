import json
import re
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.simulator.events import DeviceInfo
from azext_iotjobs.simulator.expressions import Scope
from azext_iotjobs.simulator.rng import Rng
from azext_iotjobs.simulator.template import BadTemplate, compiled, constant

WHO = DeviceInfo(device_id="pump-7", number=6, tags={"site": "north", "place": {"floor": 3}})
WALL = datetime(2026, 11, 21, 8, 30, 0, 123456, tzinfo=timezone.utc)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def rendered(value: Any, seed: str = "", **names: Any) -> Any:
    return compiled(value, names).render(Scope(WHO, WALL, Rng(seed), names))


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("${device}", "pump-7"),
        ("${number}", 6),
        ("${ number }", 6),
        ("${tags.site}", "north"),
        ("${tags.place}", {"floor": 3}),
        ("${tags.nothing}", None),
        ("${now}", "2026-11-21T08:30:00.123Z"),
        ("${now.unix}", 1795249800),
        ("${request}", {"items": [{"a": 1}, "two"], "empty": "", "no": None}),
        ("${request.items.0.a}", 1),
        ("${request.items.1}", "two"),
        ("${request.items.2}", None),
        ("${request.items.-1}", None),
        ("${request.no}", None),
        ('${request.no | "instead"}', "instead"),
        ("${request.empty | 5}", ""),
        ('${request.x|{"a": "}"}}', {"a": "}"}),
        ("number ${number} of ${tags.place}", 'number 6 of {"floor": 3}'),
        ("${request.no}!", "null!"),
        ("$${number} and $ and {} and ${number}", "${number} and $ and {} and 6"),
        ("é ${device}", "é pump-7"),
        ({"a": ["${number}", {"b": "${device}"}], "c": 1}, {"a": [6, {"b": "pump-7"}], "c": 1}),
    ],
)
def test_a_template_renders_to_a_value(template: Any, value: Any) -> None:
    assert rendered(template, request={"items": [{"a": 1}, "two"], "empty": "", "no": None}) == value


@pytest.mark.parametrize(
    ("template", "said", "path"),
    [
        ("${devic}", "did you mean device?", ()),
        ({"a": [1, "${request.x}"]}, "${request} is not known here", ("a", 1)),
        ("${}", "does not begin with a name", ()),
        ("${number", "does not end", ()),
        ('${request.x | "}', "does not end", ()),
        ("${number.x}", "no members", ()),
        ("${now.local}", "${now.unix}", ()),
        ("${number more}", "too much", ()),
        ("${number | oops}", "after |", ()),
        ("${number(1)}", "no arguments", ()),
        ("${random}", "random.int(", ()),
        ("${random.int(6, 1)}", "random.int(", ()),
        ("${random.int(1.5, 2)}", "random.int(", ()),
        ("${random.int(true, 2)}", "random.int(", ()),
        ("${random.float(1, 2, 99)}", "random.float(", ()),
        ("${random.choice()}", "random.choice(", ()),
        ("${random.choice(a)}", "JSON values", ()),
        ("${random.choice(NaN)}", "JSON values", ()),
        ("${random.int(1 2)}", "commas", ()),
        ({"${number}": 1}, "only values", ("${number}",)),
    ],
)
def test_compiling_a_wrong_template_names_the_place(template: Any, said: str, path: tuple[Any, ...]) -> None:
    with pytest.raises(BadTemplate) as caught:
        compiled(template)
    assert said in str(caught.value)
    assert caught.value.path == path


@given(JSON_VALUES)
def test_what_has_no_expression_is_itself(value: Any) -> None:
    assert constant(value).render(Scope(WHO, WALL, Rng(""))) == value
    if "${" not in json.dumps(value, ensure_ascii=False):
        assert rendered(value) == value


@given(st.text(alphabet='${}|(),."\\ab1 ', max_size=30))
def test_no_text_breaks_the_compiler(text: str) -> None:
    try:
        rendered(text, a=1, b=None)
    except BadTemplate:
        pass


def test_random_values_stay_within_their_bounds_and_reach_them() -> None:
    rng = Rng("bounds")
    template = compiled(
        {"i": "${random.int(-1, 2)}", "f": "${random.float(1.5, 2, 1)}", "c": '${random.choice("a", 2)}'}
    )
    found = [template.render(Scope(WHO, WALL, rng)) for _ in range(400)]
    assert {each["i"] for each in found} == {-1, 0, 1, 2}
    assert {each["f"] for each in found} == {1.5, 1.6, 1.7, 1.8, 1.9, 2.0}
    assert {each["c"] for each in found} == {"a", 2}


def test_ids_are_of_version_4_and_the_same_seed_gives_the_same() -> None:
    first = rendered("${random.uuid}", seed="1")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)
    assert first == rendered("${random.uuid}", seed="1") != rendered("${random.uuid}", seed="2")
