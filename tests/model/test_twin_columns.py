"""Columns of results that stand in twins: what may be typed, and the queries that it becomes."""

import pytest

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.query import MAX_CHARACTERS
from azext_iotjobs.model.twin_columns import (
    FACTS,
    TwinColumn,
    check_length,
    parse_twin_column,
    queries,
)
from azext_iotjobs.model.whole_condition import check_whole

WHERE = "the columns"


@pytest.mark.parametrize(
    ("typed", "path", "inside"),
    [
        ("tags.site", ("tags", "site"), ()),
        ("tags", ("tags",), ()),
        ("properties.reported.fw.version", ("properties", "reported", "fw", "version"), ()),
        ("properties.desired", ("properties", "desired"), ()),
        ("Properties.Reported.Fw", ("properties", "reported", "Fw"), ()),
        ("devices.tags.site", ("tags", "site"), ()),
        ("devices.status", ("status",), ()),
        ("devices.version", ("version",), ()),
        ("connectionstate", ("connectionState",), ()),
        ("capabilities.iotEdge", ("capabilities", "iotEdge"), ()),
        ("tags.[[order]].x", ("tags", "order", "x"), ()),
        ("tags[[a,b]]", ("tags", "a,b"), ()),
        ("tags.1st-floor", ("tags", "1st-floor"), ()),
        ("properties.reported.disks[1].free", ("properties", "reported", "disks"), (1, "free")),
        ("properties.reported.m[0][12]", ("properties", "reported", "m"), (0, 12)),
        ("properties.reported.$metadata.$lastUpdated", ("properties", "reported", "$metadata", "$lastUpdated"), ()),
    ],
)
def test_a_column_is_written_as_a_path_of_conditions(
    typed: str, path: tuple[str, ...], inside: tuple[str | int, ...]
) -> None:
    assert parse_twin_column(typed, WHERE) == TwinColumn(typed, path, inside)


@pytest.mark.parametrize("name", FACTS)
def test_facts_of_a_twin_stand_under_their_own_names(name: str) -> None:
    assert ".".join(parse_twin_column(name, WHERE).path) == name


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("reported.fw", "properties.reported.fw"),
        ("desired", "properties.desired.fw"),
        ("tag.site", "Write tags.site"),
        ("property.reported.x", "Write properties.reported.x"),
        ("conectionState", "Write connectionState"),
        ("status", "devices.status"),
        ("version", "devices.version"),
        ("properties", "properties.reported.fw"),
        ("properties.other.x", "properties.reported.fw"),
        ("devices", "tags.site"),
        ("nothing", "tags.site"),
    ],
)
def test_what_no_twin_has_is_refused_with_what_there_is(typed: str, hint: str) -> None:
    with pytest.raises(BadValue, match=f"^{WHERE}: '{typed}' is not a column") as caught:
        parse_twin_column(typed, WHERE)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "typed",
    [
        "tags..site",
        "tags.",
        ".site",
        "tags.[x]",
        "tags.[[]]",
        "tags.a]b",
        "tags[[x",
        "[0].x",
        "tags[0]x",
        ".",
        "tags. ",
        "tags.[[ ]]",
    ],
)
def test_what_is_no_path_is_refused(typed: str) -> None:
    with pytest.raises(BadValue, match="is not a path"):
        parse_twin_column(typed, WHERE)


def test_a_query_selects_the_columns_alone_and_names_them_by_their_places() -> None:
    columns = [parse_twin_column(name, WHERE) for name in ("tags.site", "properties.reported.disks[0].free")]
    assert list(queries(columns, None, ["a", "b"])) == [
        "SELECT deviceId, tags.site AS c1, properties.reported.disks AS c2 FROM devices WHERE deviceId IN ['a', 'b']"
    ]
    assert list(queries(columns[:1], "it's", ["a"])) == [
        "SELECT deviceId, tags.site AS c1 FROM devices.modules WHERE moduleId = 'it\\'s' AND deviceId IN ['a']"
    ]


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("tags.group", "tags.[[group]]"),
        ("tags.value", "tags.[[value]]"),
        ("tags.1st", "tags.[[1st]]"),
        ("tags.a-b", "tags.[[a-b]]"),
        ("tags.größe", "tags.[[größe]]"),
        ("tags.[[plain]]", "tags.plain"),
        ("tags.it's", "tags.[[it's]]"),
        ("properties.desired.$version", "properties.desired.$version"),
    ],
)
def test_a_name_that_a_query_would_read_otherwise_is_in_brackets(typed: str, written: str) -> None:
    [query] = queries([parse_twin_column(typed, WHERE)], None, ["a"])
    assert query.startswith(f"SELECT deviceId, {written} AS c1 FROM")


@pytest.mark.parametrize("length", [1, 20, 128])
def test_the_devices_of_a_query_fit_into_its_text_and_onto_one_page(length: int) -> None:
    ids = [f"{number}".rjust(length, "x") for number in range(500 if length > 2 else 10)]
    columns = [parse_twin_column(f"tags.{'t' * 900}{number}", WHERE) for number in range(4)]
    check_length(columns, WHERE)
    found = list(queries(columns, "m", ids))
    assert max(map(len, found)) <= MAX_CHARACTERS
    asked = [each.split("IN [")[1].rstrip("]").replace("'", "").split(", ") for each in found]
    assert [device for each in asked for device in each] == ids
    assert max(map(len, asked)) <= 100
    for each in found:
        check_whole(each.split("WHERE ")[1], WHERE)


def test_columns_that_leave_no_room_for_devices_are_refused() -> None:
    columns = [parse_twin_column(f"tags.{'t' * 1000}{number}", WHERE) for number in range(5)]
    with pytest.raises(BadValue, match=r"have 50\d\d characters; 4096 fit"):
        check_length(columns, WHERE)


def test_a_name_that_is_no_path_is_told_with_the_path() -> None:
    assert TwinColumn("displayName", ("tags", "name", "short")).title == "displayName (tags.name.short)"
    assert parse_twin_column("tags.site", WHERE).title == "tags.site"
    assert parse_twin_column("modelId", WHERE).title == "modelId"
