"""Target conditions: the language of conditions, with the members that may decide."""

import pytest

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query.nodes import Collection
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.query.target_condition import check_metric, parse_target


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_condition_targets_nothing(text: str) -> None:
    assert parse_target(text) is None


def test_an_asterisk_targets_every_device() -> None:
    condition = parse_target("*")
    assert condition is not None and (condition.collection, condition.where) == (Collection.DEVICES, None)


@pytest.mark.parametrize(
    "text",
    [
        "deviceId = 'a'",
        "DEVICEID IN ['a', 'b']",
        "tags.site = 'a' AND NOT (tags.floor > 3 OR tags.b != tags.c)",
        "properties.reported.fan.speed + 1 = 4",
        "-properties.reported.x < 5 AND is_defined(tags.a) AND startswith(tags.b, 'c')",
        "array_contains(tags.list, 3)",
        "FROM devices.modules WHERE moduleId = 'm' AND devices.modules.tags.a = 1",
    ],
)
def test_ids_tags_and_reported_properties_may_decide(text: str) -> None:
    assert parse_target(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "properties.desired.a = 1",
        "tags.a = 1 OR status = 'enabled'",
        "NOT connectionState = 'Connected'",
        "is_defined(properties.desired)",
        "1 = properties.desired.a + 1",
        "tags.a = 1 AND modelId IN ['x']",
        "moduleId = 'm'",
        "capabilities.iotEdge = true",
        "configurations.[[x]].status = 'Applied'",
        "startswith(etag, 'A')",
        "tags.a = ",
        "FROM devices.jobs WHERE jobId = 'a'",
    ],
)
def test_other_members_and_what_does_not_parse_are_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse_target(text)


def test_the_error_says_where_the_member_is() -> None:
    with pytest.raises(QueryError) as refusal:
        parse_target("tags.a = 1 AND status = 'x'")
    assert "'status'" in str(refusal.value) and refusal.value.column == 16


def test_a_metric_does_not_count_device_jobs() -> None:
    check_metric(parse_query("SELECT * FROM devices.modules"))
    with pytest.raises(QueryError):
        check_metric(parse_query("SELECT * FROM devices.jobs"))
