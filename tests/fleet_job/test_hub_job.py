"""A hub's job of a batch: what comes next, over every combination; and whether a job that is there is ours."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.hub_job import HubJob, HubJobState, HubJobStep, is_ours, next_step
from azext_iotjobs.model.job import Job, JobStatus, JobType
from tests.fleet_job.test_engine import NOW

HUB_JOB = HubJob(
    batch=1, number=1, job_id="j", condition="deviceId IN ['a']", state=HubJobState.PLANNED, intended_at=NOW
)
RUNNING = "running"

TABLE = {
    (HubJobState.PLANNED, Drain.NO): HubJobStep.INTEND,
    (HubJobState.PLANNED, Drain.STOP): HubJobStep.FREE,
    (HubJobState.PLANNED, Drain.CANCEL): HubJobStep.FREE,
    (HubJobState.SUBMITTING, Drain.NO): HubJobStep.CONFIRM,
    (HubJobState.SUBMITTING, Drain.STOP): HubJobStep.LEAVE,
    (HubJobState.SUBMITTING, Drain.CANCEL): HubJobStep.CONFIRM_ONLY,
    (HubJobState.SUBMITTED, Drain.NO): HubJobStep.POLL,
    (HubJobState.SUBMITTED, Drain.STOP): HubJobStep.CANCEL,
    (HubJobState.SUBMITTED, Drain.CANCEL): HubJobStep.CANCEL,
    (HubJobState.CLOSED, Drain.NO): HubJobStep.LEAVE,
    (HubJobState.CLOSED, Drain.STOP): HubJobStep.LEAVE,
    (HubJobState.CLOSED, Drain.CANCEL): HubJobStep.LEAVE,
}


def step(state: HubJobState, drain: Drain, *, own: bool = False, asked: bool = False, status: str | None = None):  # type: ignore[no-untyped-def]
    return next_step(replace(HUB_JOB, state=state, status=status), drain, is_own_intent=own, is_cancel_asked=asked)


@pytest.mark.parametrize(("state", "drain"), list(product(HubJobState, Drain)))
def test_every_pair_of_state_and_drain_has_its_step(state: HubJobState, drain: Drain) -> None:
    assert step(state, drain) is TABLE[state, drain]


def test_what_this_process_knows_to_be_unsent_is_sent_or_freed() -> None:
    steps = [step(HubJobState.SUBMITTING, drain, own=True) for drain in Drain]
    assert steps == [HubJobStep.SUBMIT, HubJobStep.FREE, HubJobStep.FREE]


def test_a_job_that_runs_is_left_by_a_stop_and_awaited_by_a_cancel() -> None:
    assert step(HubJobState.SUBMITTED, Drain.STOP, status=RUNNING) is HubJobStep.LEAVE
    assert step(HubJobState.SUBMITTED, Drain.CANCEL, status=RUNNING) is HubJobStep.POLL
    for drain in (Drain.STOP, Drain.CANCEL):
        assert step(HubJobState.SUBMITTED, drain, asked=True, status="queued") is HubJobStep.POLL


def job(**parts: object) -> Job:
    whole = {
        "job_id": "j",
        "job_type": JobType.METHOD,
        "status": JobStatus.RUNNING,
        "tally": None,
        "starts_at": NOW,
        "condition": HUB_JOB.condition,
        "document": {},
    }
    return Job(**{**whole, **parts})  # type: ignore[arg-type]


def test_only_a_job_with_our_type_and_condition_is_ours_whatever_the_clocks_say() -> None:
    assert is_ours(HUB_JOB, job(), JobType.METHOD)
    assert is_ours(HUB_JOB, job(starts_at=NOW - timedelta(days=40)), JobType.METHOD)
    assert is_ours(HUB_JOB, job(starts_at=None), JobType.METHOD)  # the hub does not say when
    assert not is_ours(replace(HUB_JOB, intended_at=None), job(), JobType.METHOD)
    assert not is_ours(HUB_JOB, job(), JobType.TWIN)
    assert not is_ours(HUB_JOB, job(condition="deviceId IN ['a','b']"), JobType.METHOD)
    assert not is_ours(HUB_JOB, job(condition=None), JobType.METHOD)
