"""Paths of tags, and the display name."""

from typing import Any

import pytest

from azext_iotjobs.cli.input.display_name import display_name, display_name_tag
from azext_iotjobs.cli.input.tag_paths import NoRoom, parse_tag_path, set_tag, tag_at
from azext_iotjobs.model.errors import BadValue


class ConfigDouble:
    """az's context, as far as its configuration goes."""

    def __init__(self, **values: str) -> None:
        self.config = self
        self._values = values

    def get(self, section: str, option: str, fallback: Any) -> Any:
        assert section == "iotjobs"
        return self._values.get(option, fallback)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("tags.site", ("site",)),
        ("site", ("site",)),
        ("tags.a.b", ("a", "b")),
        ("tags", ("tags",)),
        ("a.b", ("a", "b")),
        ("tags.[[a-b]].c", ("a-b", "c")),
    ],
)
def test_a_path_is_read_with_and_without_its_root(text: str, path: tuple[str, ...]) -> None:
    assert parse_tag_path(text, "--map") == path


@pytest.mark.parametrize(
    "text",
    ["", "tags.", "tags..a", "tags.a b", "tags.$a", "tags.a\x07", "tags." + "x" * 1025, "tags.\udcff", "tags.[[a.b]]"],
)
def test_a_name_that_no_tag_has_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="is not the name of a tag"):
        parse_tag_path(text, "--map")


def test_a_tag_is_set_where_there_is_room() -> None:
    tags: dict[str, Any] = {"a": 1}
    assert set_tag(tags, ("place", "floor"), 3) is None
    assert tags == {"a": 1, "place": {"floor": 3}}
    assert set_tag(tags, ("a", "b"), 2) == NoRoom(("a",))
    assert tags == {"a": 1, "place": {"floor": 3}}
    assert (tag_at(tags, ("place", "floor")), tag_at(tags, ("place", "roof")), tag_at(None, ("a",))) == (3, None, None)


def test_the_display_name_is_where_the_configuration_says() -> None:
    assert display_name_tag(ConfigDouble()) == ("displayName",)
    about = display_name_tag(ConfigDouble(display_name_tag="tags.about.name"))
    assert display_name({"about": {"name": "Pump"}, "displayName": "no"}, about) == "Pump"
    assert [display_name(each, about) for each in (None, {}, {"about": {"name": 3}}, {"about": {"name": ""}})] == [
        None
    ] * 4
    with pytest.raises(BadValue, match=r"iotjobs\.display_name_tag 'a b'"):
        display_name_tag(ConfigDouble(display_name_tag="a b"))
