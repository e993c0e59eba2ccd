"""Rows of queries for columns of twins: what a device wrote may be anything."""

from typing import Any

import pytest

from azext_iotjobs.clients.twin_column_codec import parse_device_id, parse_values
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.model.twin_columns import parse_twin_column


def value(name: str, selected: Any) -> Any:
    return parse_values({"deviceId": "a", "c1": selected}, [parse_twin_column(name, "")]).get(name)


@pytest.mark.parametrize("plain", ["north", "", 0, 1.5, False, True, [], [1, {"a": 2}], {}, {"a": {"$version": 1}}])
def test_a_value_stays_as_the_twin_has_it(plain: Any) -> None:
    assert value("tags.site", plain) == plain


def test_a_member_that_is_not_there_has_no_value() -> None:
    columns = [parse_twin_column(name, "") for name in ("tags.a", "tags.b", "tags.c")]
    assert parse_values({"deviceId": "a", "c2": 2, "c3": None}, columns) == {"tags.b": 2}


def test_what_the_hub_keeps_beside_the_properties_is_left_out() -> None:
    own = {"$metadata": {"$lastUpdated": "x"}, "$version": 3}
    assert value("properties.reported", {"fw": 1, **own}) == {"fw": 1}
    assert value("properties.reported.$version", 3) == 3


@pytest.mark.parametrize(
    ("selected", "found"),
    [
        ([{"free": 7}, {"free": 8}], 8),
        ([{"free": 7}], None),
        ([1, 2], None),
        ({"1": {"free": 7}}, None),
        ("text", None),
        (None, None),
    ],
)
def test_an_item_of_a_list_is_found_where_there_is_one(selected: Any, found: Any) -> None:
    assert value("properties.reported.disks[1].free", selected) == found


def test_an_instant_that_has_not_been_is_no_value() -> None:
    assert value("lastActivityTime", "0001-01-01T00:00:00Z") is None
    assert value("lastActivityTime", "2026-01-02T03:04:05Z") == "2026-01-02T03:04:05Z"
    assert value("tags.since", "0001-01-01") == "0001-01-01"


def test_a_row_that_is_no_object_is_the_hubs_fault() -> None:
    with pytest.raises(HubFault):
        parse_device_id(["a"])
