"""The state table of jobs, over every state and moment."""

from datetime import datetime, timedelta, timezone

import pytest

from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.job import (
    JobStatus,
    JobType,
    MethodSpec,
    Step,
    check_job_id,
    check_method,
    check_start,
    decide,
    type_named,
)

NOW = datetime(2026, 11, 21, 8, tzinfo=timezone.utc)
BEFORE, AFTER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)

TABLE = {
    # status: (start still ahead, start reached and no device open, start reached and devices open)
    JobStatus.QUEUED: (Step.SCHEDULE, Step.BEGIN, Step.BEGIN),
    JobStatus.SCHEDULED: (Step.WAIT, Step.BEGIN, Step.BEGIN),
    JobStatus.RUNNING: (Step.COMPLETE, Step.COMPLETE, Step.OPERATE),
    JobStatus.COMPLETED: (Step.REST, Step.REST, Step.REST),
    JobStatus.FAILED: (Step.REST, Step.REST, Step.REST),
    JobStatus.CANCELLED: (Step.REST, Step.REST, Step.REST),
}


@pytest.mark.parametrize("status", JobStatus)
def test_every_state_has_its_next_step(status: JobStatus) -> None:
    ahead, reached, opened = TABLE[status]
    assert decide(status=status, start_at=AFTER, open_devices=0, now=NOW) is ahead
    assert decide(status=status, start_at=NOW, open_devices=0, now=NOW) is reached
    assert decide(status=status, start_at=BEFORE, open_devices=3, now=NOW) is opened


def test_the_horizon_is_168_hours() -> None:
    check_start(None, NOW)
    check_start(NOW - timedelta(days=400), NOW)
    check_start(NOW + timedelta(hours=168), NOW)
    with pytest.raises(HubError):
        check_start(NOW + timedelta(hours=168, seconds=1), NOW)


@pytest.mark.parametrize(
    ("response", "connect", "allowed"),
    [(5, 0, True), (300, 300, True), (4, 0, False), (301, 0, False), (30, 31, False), (30, -1, False), (30, 30, True)],
)
def test_timeouts_must_fit_together(response: int, connect: int, allowed: bool) -> None:
    spec = MethodSpec(name="x", payload=None, response_timeout_s=response, connect_timeout_s=connect)
    if allowed:
        assert check_method(spec) is spec
    else:
        with pytest.raises(HubError):
            check_method(spec)


@pytest.mark.parametrize("job_id", ["a", "A-9'", "x" * 64])
def test_ids_that_are_taken(job_id: str) -> None:
    check_job_id(job_id)


@pytest.mark.parametrize("job_id", ["", "a b", "a_b", "ü", "x" * 65, "a\n"])
def test_what_cannot_be_a_job_id_is_refused(job_id: str) -> None:
    with pytest.raises(HubError):
        check_job_id(job_id)


def test_types_are_spelled_exactly() -> None:
    assert type_named("scheduleUpdateTwin") is JobType.TWIN
    for word in ("scheduleTwinUpdate", "SCHEDULEUPDATETWIN", None, 5):
        with pytest.raises(HubError):
            type_named(word)
