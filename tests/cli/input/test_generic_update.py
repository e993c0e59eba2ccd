"""--set, --add and --remove: what they change, and what is said of an edit that a document does not take."""

import copy
import re
from typing import Any

import pytest

from azext_iotjobs.cli.input.generic_update import EditOptions, apply_edits, check_edits
from azext_iotjobs.model.errors import BadValue

TWIN: dict[str, Any] = {
    "deviceId": "d",
    "tags": {"site": {"floor": 3}, "ids": [1, 2], "loc": "x", "a-b": 1, "rooms": [{"n": "a"}, {"n": "b"}]},
    "properties": {"desired": {"list": [], "speed": 4, "$version": 2}, "reported": {}},
}
IDENTITY = {"deviceId": "d", "status": "enabled", "capabilities": {"iotEdge": False}}


def edited(verb: str, *words: str, document: Any = None, keep_text: bool = False) -> Any:
    typed: dict[str, Any] = {verb: [(0, list(words))]}
    edits = EditOptions(**typed, our_force_string=keep_text)
    check_edits(edits)
    return apply_edits(document or TWIN, edits)


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        (["tags.site.floor=4"], ("tags", "site", "floor"), 4),
        (["tags.new=north"], ("tags", "new"), "north"),
        (["tags.new=a=b"], ("tags", "new"), "a=b"),
        (["tags.new="], ("tags", "new"), ""),
        (["tags.a-b=true"], ("tags", "a-b"), True),
        (["tags.new=True"], ("tags", "new"), True),
        (["tags.new=None"], ("tags", "new"), None),
        (['properties.desired.deep={"er": [1.5, null]}'], ("properties", "desired", "deep"), {"er": [1.5, None]}),
        (["properties.desired.deep={'er': True, 'x': 'y'}"], ("properties", "desired", "deep"), {"er": True, "x": "y"}),
        (['properties.desired.deep={"path": "a\\/b"}'], ("properties", "desired", "deep"), {"path": "a/b"}),
        (["tags.ids[0]=9"], ("tags", "ids"), [9, 2]),
        (["tags.ids.[1]=9"], ("tags", "ids"), [1, 9]),
        (["tags.ids[-1]=9"], ("tags", "ids"), [1, 9]),
        (["tags.rooms[n=b].m=1"], ("tags", "rooms"), [{"n": "a"}, {"n": "b", "m": 1}]),
        (["tags.new=1.0"], ("tags", "new"), 1.0),
        (["tags.fw='4.10'"], ("tags", "fw"), "4.10"),
        (['tags.fw="4.10"'], ("tags", "fw"), "4.10"),
        (["tags.serial=007"], ("tags", "serial"), "007"),
        (["tags.serial=0x1F"], ("tags", "serial"), "0x1F"),
        (["tags.serial=1_000"], ("tags", "serial"), "1_000"),
        (["tags.serial=(1, 2)"], ("tags", "serial"), "(1, 2)"),
        (["tags.serial=b'x'"], ("tags", "serial"), "b'x'"),
    ],
)
def test_a_value_is_set_where_a_path_leads(words: list[str], path: tuple[str, ...], value: Any) -> None:
    node = edited("set", *words)
    for key in path:
        node = node[key]
    assert node == value and type(node) is type(value)


@pytest.mark.parametrize("text", ["4.10", "1e5", "-0", "1E5", "0.10", "12345678901234567890", "1e-7", "5e0"])
@pytest.mark.parametrize("verb", ["set", "add"])
def test_a_number_that_would_come_back_in_other_digits_is_refused_with_a_way_to_write_it(verb: str, text: str) -> None:
    words = [f"tags.fw={text}"] if verb == "set" else ["tags.ids", text]
    with pytest.raises(BadValue, match=f"--{verb}") as caught:
        edited(verb, *words)
    path = "tags.fw" if verb == "set" else "tags.ids"
    assert caught.value.hint is not None and f"'{text}'" in caught.value.hint and path in caught.value.hint
    if verb == "set":
        assert edited(verb, *words, keep_text=True)["tags"]["fw"] == text
        assert edited(verb, f"tags.fw='{text}'")["tags"]["fw"] == text


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        (["tags.ids", "3"], {"ids": [1, 2, 3]}),
        (["tags.ids", "3", "x", "'4.10'"], {"ids": [1, 2, 3, "x", "4.10"]}),
        (["tags.ids", "a=1", "b=2", "5", "c=4.10"], {"ids": [1, 2, {"a": "1", "b": "2"}, 5, {"c": "4.10"}]}),
        (["tags.ids", '{"a": 1}'], {"ids": [1, 2, {"a": 1}]}),
    ],
)
def test_values_are_added_to_a_list(words: list[str], tags: Any) -> None:
    assert edited("add", *words)["tags"] == {**TWIN["tags"], **tags}


@pytest.mark.parametrize(
    ("words", "tags"),
    [
        (["tags.loc"], {key: value for key, value in TWIN["tags"].items() if key != "loc"}),
        (["tags.ids", "1"], {**TWIN["tags"], "ids": [1]}),
        (["tags.ids[0]"], {**TWIN["tags"], "ids": [2]}),
        (["tags.rooms[n=a]"], {**TWIN["tags"], "rooms": [{"n": "b"}]}),
        (["tags.rooms[1].n"], {**TWIN["tags"], "rooms": [{"n": "a"}, {}]}),
    ],
)
def test_what_is_removed_is_gone(words: list[str], tags: Any) -> None:
    assert edited("remove", *words)["tags"] == tags


@pytest.mark.parametrize(
    ("verb", "words", "said", "hint"),
    [
        ("remove", ["tags.loc", "tags.ids"], "give one path", "--remove tags.loc --remove tags.ids"),
        ("remove", ["tags.ids", "0", "1"], "give one path", "--remove tags.ids"),
        ("remove", ["tags.ids", "x"], "give one path", "--remove tags.ids"),
        ("remove", ["tags.ids", "7"], r"tags.ids has no item \[7\]; it has 2 items", None),
        ("remove", ["tags.nowhere"], "there is no 'nowhere' in tags. The ones there are: site, ids, loc", None),
        ("remove", ["tags.nowhere.at.all"], "there is no 'nowhere' in tags", None),
        ("remove", ["tags.loc.x"], "tags.loc is text; there is nothing in it", None),
        ("remove", ["tags.site", "0"], "tags.site is an object", "tags.site.0"),
        ("set", ["properties.desired.['a-b']=1"], r"\['a-b'\] is not the number", "properties.desired.a-b"),
        ("set", ["properties.desired[0]=1"], "properties.desired is an object", "after a dot"),
        ("set", ["tags.ids.x=1"], "tags.ids is a list", r"tags.ids\[0\]"),
        ("set", ["tags.ids[2]=1"], r"no item \[2\]; it has 2 items", None),
        ("set", ["properties.desired.list[0]=1"], "it is empty", None),
        ("set", ["tags.a.b=1"], "there is no 'a' in tags", "--tags a.b=1"),
        ("set", ["properties.desired.a.b.c=x"], "there is no 'a' in properties.desired", "--desired a.b.c=x"),
        ("set", ["properties.desired.speed.x=1"], "is a number; there is nothing in it", None),
        ("set", ["tags.site"], "give path=value", "--set"),
        ("set", ["=5"], "path is missing", "--set"),
        ("set", [".a=5"], "not a path", "--set"),
        ("set", ["a..b=5"], "not a path", "--set"),
        ("set", ["a[0=5"], "give path=value", "--set"),
        ("set", ["tags.a=1,b=2"], "looks like two pairs", "'1,b=2'"),
        ("set", ["tags.a={b: 1}"], "begins like JSON", "as text|meant as text"),
        ("set", ["tags.a=NaN"], "NaN", "meant as text"),
        ("set", ["tags.rooms[n=z].m=1"], "0 items of tags.rooms have 'n=z'", None),
        ("add", ["tags.ids"], "value to add is missing", "--add tags.ids VALUE"),
        ("add", ["tags.site", "1"], "tags.site is not a list", "--set tags.site="),
        ("add", ["tags.none", "1"], "there is no 'none' in tags", "--set tags.none="),
    ],
)
def test_a_mistake_is_said_in_our_own_words(verb: str, words: list[str], said: str, hint: str | None) -> None:
    before = copy.deepcopy(TWIN)
    with pytest.raises(BadValue, match=said) as caught:
        edited(verb, *words)
    assert str(caught.value).startswith(f"--{verb}")
    if hint is not None:
        assert caught.value.hint is not None
        assert re.search(hint, caught.value.hint)
    assert before == TWIN, "nothing was changed"


def test_a_twin_without_tags_can_be_given_some() -> None:
    bare = {"deviceId": "d", "properties": {"desired": {}, "reported": {}}}
    assert edited("set", "tags.site=north", document=bare)["tags"] == {"site": "north"}
    with pytest.raises(BadValue, match="no 'tags' in the document"):
        edited("set", "tags.site=north", document=IDENTITY)
    with pytest.raises(BadValue, match="no 'tags' in the document"):
        edited("remove", "tags.site", document=bare)
