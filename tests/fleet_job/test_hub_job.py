"""A hub's job of a batch: what comes next, over every combination; and whether a job that is there is ours."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.hub_job import Part, PartState, PartStep, is_ours, next_step
from azext_iotjobs.model.job import Job, JobStatus, JobType
from tests.fleet_job.test_engine import NOW

PART = Part(batch=1, number=1, job_id="j", condition="deviceId IN ['a']", state=PartState.PLANNED, intended_at=NOW)
RUNNING = "running"

TABLE = {
    (PartState.PLANNED, Drain.NO): PartStep.INTEND,
    (PartState.PLANNED, Drain.STOP): PartStep.FREE,
    (PartState.PLANNED, Drain.CANCEL): PartStep.FREE,
    (PartState.SUBMITTING, Drain.NO): PartStep.CONFIRM,
    (PartState.SUBMITTING, Drain.STOP): PartStep.LEAVE,
    (PartState.SUBMITTING, Drain.CANCEL): PartStep.CONFIRM_ONLY,
    (PartState.SUBMITTED, Drain.NO): PartStep.POLL,
    (PartState.SUBMITTED, Drain.STOP): PartStep.CANCEL,
    (PartState.SUBMITTED, Drain.CANCEL): PartStep.CANCEL,
    (PartState.CLOSED, Drain.NO): PartStep.LEAVE,
    (PartState.CLOSED, Drain.STOP): PartStep.LEAVE,
    (PartState.CLOSED, Drain.CANCEL): PartStep.LEAVE,
}


def step(state: PartState, drain: Drain, *, own: bool = False, asked: bool = False, status: str | None = None):  # type: ignore[no-untyped-def]
    return next_step(replace(PART, state=state, status=status), drain, is_own_intent=own, is_cancel_asked=asked)


@pytest.mark.parametrize(("state", "drain"), list(product(PartState, Drain)))
def test_every_pair(state: PartState, drain: Drain) -> None:
    assert step(state, drain) is TABLE[state, drain]


def test_what_this_process_knows_to_be_unsent_is_sent_or_freed() -> None:
    steps = [step(PartState.SUBMITTING, drain, own=True) for drain in Drain]
    assert steps == [PartStep.SUBMIT, PartStep.FREE, PartStep.FREE]


def test_a_job_that_runs_is_left_by_a_stop_and_awaited_by_a_cancel() -> None:
    assert step(PartState.SUBMITTED, Drain.STOP, status=RUNNING) is PartStep.LEAVE
    assert step(PartState.SUBMITTED, Drain.CANCEL, status=RUNNING) is PartStep.POLL
    for drain in (Drain.STOP, Drain.CANCEL):
        assert step(PartState.SUBMITTED, drain, asked=True, status="queued") is PartStep.POLL


def job(**parts: object) -> Job:
    whole = {
        "job_id": "j", "job_type": JobType.METHOD, "status": JobStatus.RUNNING, "tally": None, "starts_at": NOW,
        "condition": PART.condition, "document": {},
    }  # fmt: skip
    return Job(**{**whole, **parts})  # type: ignore[arg-type]


def test_only_a_job_with_our_type_condition_and_time_is_ours() -> None:
    assert is_ours(PART, job(), JobType.METHOD)
    assert is_ours(PART, job(starts_at=NOW - timedelta(hours=24)), JobType.METHOD)  # clocks differ
    assert is_ours(PART, job(starts_at=None), JobType.METHOD)  # the hub does not say when
    assert not is_ours(replace(PART, intended_at=None), job(), JobType.METHOD)
    assert not is_ours(replace(PART, intended_at=None), job(starts_at=None), JobType.METHOD)
    assert not is_ours(PART, job(starts_at=NOW - timedelta(hours=25)), JobType.METHOD)
    assert not is_ours(PART, job(), JobType.TWIN)
    assert not is_ours(PART, job(condition="deviceId IN ['a','b']"), JobType.METHOD)
    assert not is_ours(PART, job(condition=None), JobType.METHOD)
