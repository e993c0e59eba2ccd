"""JobClient: rows of a job once the devices' twins say so, against the local hub."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from azext_iotjobs.sdk import BadValue, ConflictingChoice, ErrorClass, JobClient, MissingChoice, NotFound, WrongState
from tests.helpers.hub_process import HubProcess

FLOOR = "tags.verified.floor = 3"


@pytest.fixture
def job(hub: HubProcess, client: JobClient) -> str:
    """A job that has set a tag on two devices; that of the second was changed since."""
    if not any(each.job_id == "floors" for each in client.list_jobs()):
        for each in ("floor-0", "floor-1"):
            hub.new_device(each)
        condition = "STARTSWITH(deviceId, 'floor-')"
        client.schedule_twin_update("floors", condition, {"tags": {"verified": {"floor": 3, "state": "ok"}}})
        client.wait("floors", 60)
        hub.ok("PATCH", "/twins/floor-1", {"tags": {"verified": {"floor": 4}}})
    return "floors"


def test_a_row_comes_when_the_twin_says_so_or_the_time_is_over(client: JobClient, job: str) -> None:
    looks: list[int] = []
    failed = "tags.verified.state = 'broken'"
    found = list(client.verified_results(job, FLOOR, 10, verify_failed=failed, on_look=looks.append))
    assert [row.device_id for row in found] == ["floor-0", "floor-1"], "nothing is concluded before its time is over"
    good, late = found
    assert good.verified_at is not None and good.error_class is None
    assert good.reported == {"tags.verified.state": "ok", "tags.verified.floor": 3}
    assert (late.status, late.error_class, late.error_code) == ("failed", ErrorClass.NOT_VERIFIED, "NotInTime")
    assert late.reported == {"tags.verified.state": "ok", "tags.verified.floor": 4} and late.verified_at is None
    assert looks and max(looks) <= 2


def test_an_iterator_that_is_left_ends_the_verification(client: JobClient, job: str) -> None:
    rows = client.verified_results(job, FLOOR)
    assert next(rows).verified_at is not None
    rows.close()  # type: ignore[attr-defined]
    assert list(rows) == []


@pytest.mark.parametrize(
    ("given", "error", "named"),
    [
        ({"verify": "tags.a = = 1"}, BadValue, "verify: the hub cannot read"),
        ({"verify": " "}, MissingChoice, "verify is blank"),
        ({"verify": FLOOR, "verify_within_s": 1}, BadValue, "verify_within_s 1s: give 10s to 30d"),
        ({"verify": FLOOR, "verify_failed": FLOOR}, ConflictingChoice, "verify and verify_failed"),
        ({"verify": FLOOR, "job_id": "nowhere"}, NotFound, "nowhere"),
    ],
)
def test_what_cannot_be_verified_is_refused_at_once(
    client: JobClient, job: str, given: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        client.verified_results(**{"job_id": job, **given})


def test_a_job_that_has_not_ended_is_waited_for_first(client: JobClient) -> None:
    start = datetime.now(timezone.utc) + timedelta(days=1)
    client.schedule_twin_update("floors-later", "deviceId = 'nobody'", {"tags": {"a": 1}}, start_at=start)
    try:
        with pytest.raises(WrongState, match="is scheduled"):
            client.verified_results("floors-later", FLOOR)
    finally:
        client.cancel("floors-later")
