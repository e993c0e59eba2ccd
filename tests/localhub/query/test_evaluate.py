"""The plain meaning of conditions and projections."""

from typing import Any

import pytest

from azext_iotjobs.localhub.query.evaluate import matches, project
from azext_iotjobs.localhub.query.parser import parse_condition, parse_query

TWIN: dict[str, Any] = {
    "deviceId": "pump-1",
    "status": "enabled",
    "lastActivityTime": "2026-03-01T10:00:00.0000000Z",
    "version": 5,
    "capabilities": {"iotEdge": False},
    "tags": {"site": "A", "floor": 3, "nil": None, "on": True, "list": [1], "Site": "upper", "a.b": 1, "group": "g"},
    "properties": {
        "desired": {"temp": 21.5, "$version": 4},
        "reported": {"fw": {"major": 2}, "$metadata": {"fw": {"$lastUpdated": "2026-03-01"}}},
    },
}


def holds(text: str) -> bool:
    where = parse_condition(text).where
    assert where is not None
    return matches(where, TWIN)


@pytest.mark.parametrize(
    "text",
    [
        "deviceId = 'pump-1'",
        "DEVICEID = 'pump-1' and STATUS = 'enabled'",
        "devices.deviceId = 'pump-1'",
        "FROM devices d WHERE d.tags.site = 'A'",
        "FROM devices AS d WHERE d.deviceId = 'pump-1'",
        "tags.site != 'B'",
        "tags.site <> 'B'",
        "tags.floor >= 3 AND tags.floor <= 3.0 AND tags.floor < 4 AND tags.floor > -4",
        "tags.floor = 0x3",
        "properties.desired.temp = 215e-1",
        "tags.nil = null",
        "tags.on = true",
        "tags.on",
        "capabilities.iotEdge = false",
        "NOT capabilities.iotEdge",
        "tags.floor IN [1, 3]",
        "tags.site in ['A', 'B']",
        "tags.site NIN ['B']",
        "IS_DEFINED(tags.nil)",
        "NOT IS_DEFINED(tags.none)",
        "is_defined(DeviceId)",
        "STARTSWITH(deviceId, 'pump-')",
        "lastActivityTime > '2026-02-28'",
        "properties.reported.fw.major = 2",
        "properties.reported.$metadata.fw.$lastUpdated = '2026-03-01'",
        "properties.desired.$version = 4",
        "tags.[[a.b]] = 1",
        "tags.[[group]] = 'g'",
        "tags.none = 1 OR tags.site = 'A'",
        "NOT (tags.none = 1 AND tags.site = 'B')",
        "tags.floor + 2 * 3 = 9",
        "(tags.floor + 2) * 3 = 15",
        "10 - 2 - 3 = 5",
        "2 * 7 % 4 = 2",
        "7 / 2 = 3.5",
        "8 / 2 / 2 = 2",
        "-7 % 3 = -1",
        "7 % -3 = 1",
        "5.5 % 2 = 1.5",
        "-tags.floor + 3 = 0",
        "- -tags.floor = 3",
        "2 * -tags.floor = -6",
        "tags.floor -1 = 2",
        "0.1 + 0.2 != 0.3",
        "tags.floor * 2 > properties.desired.temp / 4",
        "9007199254740993 != 9007199254740992",
        "9007199254740993 + 0 = 9007199254740992",
        "tags.floor % 2 IN [1, 2]",
        "(tags.floor = 3) = tags.on",
        "IS_DEFINED(tags.none) = false",
        "NOT tags.floor + 1 = 3",
        "ARRAY_CONTAINS(tags.list, 1)",
        "array_contains(tags.list, 1.0)",
        "NOT ARRAY_CONTAINS(tags.list, '1')",
        "NOT ARRAY_CONTAINS(tags.list, true)",
        "NOT ARRAY_CONTAINS(tags.list, null)",
    ],
)
def test_what_is_true_of_the_twin_matches(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "deviceId = 'PUMP-1'",
        "tags.SITE = 'A'",
        "tags.site = 3",
        "tags.site != 3",
        "tags.floor = '3'",
        "tags.on = 1",
        "tags.on != 1",
        "tags.nil = false",
        "tags.none = null",
        "tags.none = undefined",
        "undefined = undefined",
        "tags.list = 1",
        "tags.list != 1",
        "tags.nil < null",
        "tags.none != 1",
        "NOT tags.none = 1",
        "NOT (tags.none = 1 OR tags.site = 'B')",
        "tags.none = 1 AND tags.site = 'A'",
        "tags.none NIN [1]",
        "tags.site NIN [1]",
        "tags.site",
        "NOT tags.site",
        "STARTSWITH(tags.floor, '3')",
        "NOT STARTSWITH(tags.floor, '3')",
        "tags.a.b = 1",
        "tags.site + 'x' = 'Ax'",
        "tags.floor + '1' = 31",
        "tags.floor + tags.none = 3",
        "tags.on + 1 = 2",
        "tags.nil + 1 = 1",
        "-tags.site = tags.site",
        "-tags.on",
        "tags.floor / 0 = 0",
        "NOT tags.floor / 0 = 0",
        "tags.floor % 0 = 0",
        "NOT tags.floor % 0 = 0",
        "1e308 * 10 > 1",
        "NOT 1e308 * 10 > 1",
        "1e308 * 10 / 10 > 1",
        "1 / (1e308 * 10) = 0",
        "tags.floor + 1",
        "NOT (tags.floor + 1)",
        "tags.list = [1]",
        "tags.list != [1]",
        "[1] = [1]",
        "tags.list IN [1]",
        "[1] IN [1]",
        "NOT [1] IN [1]",
        "ARRAY_CONTAINS(tags.floor, 3)",
        "NOT ARRAY_CONTAINS(tags.none, 3)",
        "ARRAY_CONTAINS(tags.list, undefined)",
        "NOT ARRAY_CONTAINS(tags.list, undefined)",
    ],
)
def test_what_is_false_or_undefined_of_the_twin_does_not_match(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize("name", ["createdDateTimeUtc", "createdTimeUtc", "devices.jobs.CreatedTimeUtc"])
def test_both_names_of_a_device_jobs_creation_mean_the_member_it_has(name: str) -> None:
    query = parse_query(f"SELECT * FROM devices.jobs WHERE {name} > '2026'")
    assert query.where is not None
    assert matches(query.where, {"createdDateTimeUtc": "2026-03-01"})


def test_a_whole_number_beyond_64_bits_is_a_double() -> None:
    where = parse_condition(f"tags.v = {2**70}").where
    assert where is not None
    assert matches(where, {"tags": {"v": 2**70 + 1}})
    assert not matches(where, {"tags": {"v": 10**400}})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("*", TWIN),
        ("DeviceId", {"DeviceId": "pump-1"}),
        ("deviceId, tags.site", {"deviceId": "pump-1", "site": "A"}),
        ("tags.site AS place", {"place": "A"}),
        ("devices.properties.reported.fw", {"fw": {"major": 2}}),
        ("deviceId, tags.none", {"deviceId": "pump-1"}),
        ("tags.nil", {"nil": None}),
        ("tags.[[a.b]] AS [[c.d]]", {"c.d": 1}),
    ],
)
def test_a_projection_holds_the_members_that_are_there_under_the_names_as_written(
    fields: str, expected: dict[str, Any]
) -> None:
    assert project(parse_query(f"SELECT {fields} FROM devices"), TWIN) == expected
