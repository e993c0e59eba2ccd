from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, UserError
from azext_iotjobs.model.job import JobStatus, JobType
from azext_iotjobs.model.job_request import JobRequest, check_start
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.twin import TwinPatch

CALL = MethodCall(name="reboot")
PATCH = TwinPatch(document={"tags": {"site": "A"}})


def request(**changes: Any) -> JobRequest:
    parts: dict[str, Any] = {
        "job_id": "reboot-7",
        "job_type": JobType.METHOD,
        "condition": "*",
        "method": CALL,
        "patch": None,
        "start_at": None,
        "max_execution_s": 3600,
    }
    return JobRequest(**{**parts, **changes})


def test_the_plain_method_job_and_twin_job_are_allowed() -> None:
    assert request().condition == "*"
    assert request(job_type=JobType.TWIN, method=None, patch=PATCH).patch is PATCH


@pytest.mark.parametrize(
    ("changes", "kind", "named"),
    [
        ({"method": None}, MissingChoice, "method_name"),
        ({"patch": PATCH}, ConflictingChoice, "patch"),
        ({"job_type": JobType.TWIN, "method": None}, MissingChoice, "patch"),
        ({"job_type": JobType.TWIN, "patch": PATCH}, ConflictingChoice, "method_name"),
        ({"condition": "x" * 8193}, BadValue, "query_condition"),
        ({"max_execution_s": 0}, BadValue, "max_execution_s"),
        ({"max_execution_s": 2**31}, BadValue, "1 to 2147483647 seconds"),
        ({"job_id": ""}, BadValue, "job_id"),
        ({"job_id": "a" * 65}, BadValue, "job_id"),
        ({"job_id": "a b"}, BadValue, "job_id"),
        ({"job_id": "a/../b"}, BadValue, "job_id"),
    ],
)
def test_a_wrong_combination_names_its_field(changes: dict[str, Any], kind: type[UserError], named: str) -> None:
    with pytest.raises(kind, match=named):
        request(**changes)


@pytest.mark.parametrize("condition", ["", " ", "\t\n"])
def test_a_blank_condition_is_never_all_devices_and_says_how_all_is_spelled(condition: str) -> None:
    with pytest.raises(MissingChoice, match="query_condition") as raised:
        request(condition=condition)
    assert "'*' is all devices" in str(raised.value.hint)


def test_a_condition_may_be_as_long_as_the_hub_takes() -> None:
    assert len(request(condition="x" * 8192).condition) == 8192


def test_exactly_the_ended_statuses_are_terminal() -> None:
    assert {status for status in JobStatus if status.is_terminal} == {
        JobStatus.COMPLETED,
        JobStatus.FAILED,
        JobStatus.CANCELLED,
    }
    assert not any(status.holds_slot for status in JobStatus if status.is_terminal)


def test_a_start_beyond_the_hubs_horizon_is_refused_with_the_latest_that_it_takes() -> None:
    now = datetime(2026, 5, 1, tzinfo=timezone.utc)
    check_start(now + timedelta(hours=168), now)
    check_start(now - timedelta(days=1), now)
    with pytest.raises(BadValue, match=r"start_at 2026-05-08T00:00:01Z .*168 hours") as raised:
        check_start(now + timedelta(hours=168, seconds=1), now)
    assert "2026-05-08T00:00:00Z" in str(raised.value.hint)
