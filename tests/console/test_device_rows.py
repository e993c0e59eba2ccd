"""Rows of a query as a page of the table: whatever devices have in their twins, a page stays small."""

import json

from azext_iotjobs.console.api.device_rows import MAX_CHARACTERS, MAX_COLUMNS, MAX_PATHS, page_of
from azext_iotjobs.console.context import Document


def twin(**members: object) -> Document:
    return {"deviceId": "d1", "connectionState": "Connected", "status": "enabled", **members}


def test_a_cell_shows_what_a_twin_has_at_its_path() -> None:
    row = twin(tags={"site": {"floor": 3}}, properties={"reported": {"on": True, "$version": 5}})
    page = page_of([row], ["tags.site.floor", "tags.site", "properties.reported", "tags.none.at.all"])
    assert page["rows"][0]["cells"] == ["3", '{"floor": 3}', '{"on": true}', ""]
    assert page["paths"] == ["properties.reported.on", "tags.site.floor"]


def test_an_instant_that_has_not_been_and_an_empty_object_are_empty_cells() -> None:
    row = twin(lastActivityTime="0001-01-01T00:00:00Z", tags={}, properties={"reported": {"$version": 1}})
    assert page_of([row], ["lastActivityTime", "tags", "properties.reported"])["rows"][0]["cells"] == ["", "", ""]


def test_a_hundred_twins_of_the_largest_size_are_a_small_page() -> None:
    large = {f"key{n}": "x" * 4_000 for n in range(8)}
    wide = {f"k{n}": n for n in range(3_000)}
    rows = [twin(tags=large, properties={"desired": wide, "reported": wide}) for _ in range(100)]
    page = page_of(rows, ["tags", "properties.desired", "properties.reported", "tags.key0"])
    assert all(len(cell) <= MAX_CHARACTERS + 1 for row in page["rows"] for cell in row["cells"])
    assert len(page["paths"]) == MAX_PATHS and len(json.dumps(page)) < 200_000


def test_a_value_that_is_nested_deeply_is_one_cell_and_no_path_below_the_depth_of_twins() -> None:
    nested: object = 1
    for _ in range(200):
        nested = {"a": nested}
    page = page_of([twin(tags=nested)], ["tags"])
    assert len(page["rows"][0]["cells"][0]) == MAX_CHARACTERS + 1 and page["paths"] == []


def test_rows_without_a_device_and_rows_that_are_no_objects_are_shown_as_they_are() -> None:
    page = page_of([{"n": 1}, "text", {"m": None, "n": [1]}], ["status"])
    assert (page["areTwins"], page["columns"]) == (False, ["n", "m"])
    assert [each["cells"] for each in page["rows"]] == [["1", ""], ["[1]", ""]]


def test_a_row_has_so_many_columns_and_no_more() -> None:
    page = page_of([{f"c{n}": n for n in range(MAX_COLUMNS + 5)}], [])
    assert len(page["columns"]) == len(page["rows"][0]["cells"]) == MAX_COLUMNS
