"""Columns of a table of devices, and what --map makes of them."""

import pytest

from azext_iotjobs.cli.identity.csv_columns import TagColumn, TagType, columns_of, parse_map
from azext_iotjobs.model.errors import BadValue, ConflictingChoice

NAME_TAG = ("displayName",)


@pytest.mark.parametrize(
    ("text", "column", "path", "kind"),
    [
        ("Site=tags.site", "Site", ("site",), TagType.TEXT),
        ("Floor = tags.place.floor:number", "Floor", ("place", "floor"), TagType.NUMBER),
        ("a=b=tags.c:JSON", "a=b", ("c",), TagType.JSON),
        ("On=on:boolean", "On", ("on",), TagType.BOOLEAN),
    ],
)
def test_a_map_is_read(text: str, column: str, path: tuple[str, ...], kind: TagType) -> None:
    assert parse_map(text) == (column, path, kind)


@pytest.mark.parametrize("text", ["Site", "=tags.site", "Site=", "Site=tags.site:word", "Site=tags.a b"])
def test_a_map_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="--map"):
        parse_map(text)


def test_known_columns_tags_and_others_are_told_apart() -> None:
    header = ["IOTC_DEVICEID", "IOTC_DEVICENAME", "Status", "tags.site", "Floor", "Owner", "", "id"]
    found = columns_of(header, [parse_map("floor=tags.floor:number")], NAME_TAG, "--file x")
    assert found.known == {"IOTC_DEVICEID": 0, "IOTC_DEVICENAME": 1, "status": 2}
    assert found.tags == [
        TagColumn("Floor", 4, ("floor",), TagType.NUMBER),
        TagColumn("tags.site", 3, ("site",), TagType.TEXT),
    ]
    assert found.others == ["Owner", "id"]


def test_a_column_that_is_mapped_is_only_a_tag() -> None:
    found = columns_of(["deviceId", "status"], [parse_map("status=tags.state")], NAME_TAG, "--file x")
    assert (found.known, found.others) == ({"IOTC_DEVICEID": 0}, [])


@pytest.mark.parametrize(
    ("header", "maps"),
    [
        (["deviceId", "primaryKey", "IOTC_SASKEY_PRIMARY"], []),
        (["deviceId", "a", "b"], ["a=tags.x", "b=tags.x"]),
        (["deviceId", "a", "b"], ["a=tags.x", "b=tags.x.y"]),
        (["deviceId", "displayName", "tags.displayName"], []),
        (["deviceId", "a"], ["deviceId=tags.id"]),
    ],
)
def test_two_columns_with_one_meaning_are_refused(header: list[str], maps: list[str]) -> None:
    with pytest.raises(ConflictingChoice, match="--file x"):
        columns_of(header, [parse_map(each) for each in maps], NAME_TAG, "--file x")


def test_a_mapped_column_that_is_missing_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadValue, match="no such column") as refused:
        columns_of(["deviceId", "Site"], [parse_map("Sight=tags.site")], NAME_TAG, "--file x")
    assert refused.value.hint == "It has deviceId, Site."
