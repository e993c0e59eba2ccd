"""A condition is one whole condition, whatever stands beside it."""

import pytest

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.whole_condition import check_whole

NOT_ONE = [
    "deviceId = 't1') OR (deviceId = 'tw1'",
    "tags.a = 1) OR (1 = 1",
    ")",
    "(tags.a = 1",
    "((tags.a = 1)",
    "tags.a = 1)",
    "tags.a IN ['x'",
    "tags.a IN ['x']]",
    "tags.a IN ['x')",
    "(tags.a IN ['x')]",
    "deviceId = 't1';",
    "deviceId = 't1'; ",
    "deviceId = 't1' -- the rest is gone",
    "deviceId = 't1' --",
    "tags.a--",
    "deviceId = 't1' /* and",
    "deviceId = 't1' */ or /*",
    "deviceId = 't1' # and",
    "deviceId = 't1' // and",
    "tags.a = 1 GROUP BY tags.a",
    "tags.a = 1 group  by tags.a",
    "tags.a = 1 ORDER BY tags.a",
    "tags.a = 1 OR deviceId IN (SELECT deviceId FROM devices)",
    "tags.a = 1 UNION SELECT * FROM devices",
    "tags.a = 1 WHERE tags.b = 2",
    "FROM devices.modules WHERE moduleId = 'm') OR (moduleId = 'n'",
    "FROM devices.modules WHERE moduleId = 'm' WHERE deviceId = 'd'",
    "FROM devices.modules WHERE FROM devices WHERE tags.a = 1",
    "tags.a = 'x",
    "tags.a = 'x\\'",
    "tags.a = 1\x00",
]
ONE = [
    "*",
    "tags.a = 1",
    "(tags.a = 1) OR (tags.b = 2)",
    "tags.a = ')' OR tags.b = '(('",
    "tags.a = ';' AND tags.b = '--' AND tags.c = \"/*\" AND tags.d = '#'",
    "tags.a = 'o\\'b) OR (' AND tags.b = \"SELECT x FROM y WHERE z\"",
    "tags.[[a)b]] = 1 AND tags.[[group]] = 'x'",
    "tags.select-from = 1 AND tags.from-where = 2",
    "tags.a = -1 AND tags.b = 2 - -3".replace("- -3", "- 3"),
    "deviceId IN ['a', 'b,c', \"d\"] AND NOT (STARTSWITH(deviceId, 'x'))",
    "ARRAY_CONTAINS(parentScopes, 'ms-azure-iot-edge://x-1')",
    "properties.reported.$version > 3",
    "FROM devices.modules WHERE moduleId = 'm'",
    " from devices.modules m\n where m.moduleId = 'm' and (m.tags.a = 1)",
    "FROM devices.modules AS m WHERE m.moduleId = 'm'",
    "tags.selected = 1 AND tags.groupby = 2",
]


@pytest.mark.parametrize("condition", NOT_ONE)
def test_what_is_not_one_whole_condition_is_refused(condition: str) -> None:
    with pytest.raises(BadValue, match="query_condition"):
        check_whole(condition, "query_condition")
    with pytest.raises(BadValue, match="query_condition"):
        Selection(condition=condition)


@pytest.mark.parametrize("condition", ONE)
def test_one_whole_condition_is_taken_as_it_is(condition: str) -> None:
    check_whole(condition, "query_condition")
    assert Selection(condition=condition).as_condition() == condition


def test_the_error_says_what_stands_where() -> None:
    with pytest.raises(BadValue, match=r"\) at character 16 closes what is not open"):
        check_whole("deviceId = 't1') OR (deviceId = 'tw1'", "-q")
    with pytest.raises(BadValue, match=r"\( at character 1 is not closed"):
        check_whole("(tags.a = 1", "-q")
    with pytest.raises(BadValue, match="GROUP BY at character 12: another part of a query"):
        check_whole("tags.a = 1 group\nby tags.a", "-q")
