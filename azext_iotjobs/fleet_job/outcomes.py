"""How an attempt on a device ended, as a run records it; and whether it is tried again in its batch. Pure."""

from datetime import datetime, timedelta
from typing import Any

from azext_iotjobs.model.attempt import Attempt, AttemptResult, VerifiedAttempt
from azext_iotjobs.model.job import Job, JobStatus
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.rollout import Retry, RetryWhen
from azext_iotjobs.model.run_events import DeviceEnded, DeviceOperated, DeviceWaits
from azext_iotjobs.model.run_state import DeviceState
from azext_iotjobs.model.verification import Verdict, Verification, VerificationFailure, failure_text
from azext_iotjobs.model.when_online import DID_NOT_CONNECT, WaitingDevice, next_wait, over_text

MAX_TEXT_CHARACTERS = 4000
MOST_STATUS = 2**63 - 1
MAX_LEVELS = 200  # of a device's answer; Python writes no JSON that is nested much deeper


def attempt_result(
    attempt: Attempt,
    result: DeviceResult,
    now: datetime,
    *,
    retry: Retry | None = None,
    verification: Verification | None = None,
    when_online_s: float | None = None,
    is_uncertain: bool = False,
) -> AttemptResult:
    """How an attempt ended.

    result: as the hub's job or a call reports it; an error class means that it failed.
    now: when it is recorded.  The time for verification counts from then: the hub's clock may differ from ours.
    retry: None: nothing is tried again.  verification: None: a device has completed when it was operated.
    when_online_s: for how long a device that is offline waits to connect; None: it has failed.
    is_uncertain: whether the device was operated is not known; that is never tried again by itself.
    """
    tries = attempt.tries + 1
    failure = None if is_uncertain else result.error_class
    state = DeviceState.UNCERTAIN if is_uncertain else DeviceState.COMPLETED if failure is None else DeviceState.FAILED
    verify_by = None
    if state is DeviceState.COMPLETED and verification is not None:
        state, verify_by = DeviceState.VERIFYING, now + timedelta(seconds=verification.within_s)
    wait, text = None, result.error_text
    if failure is ErrorClass.OFFLINE and when_online_s is not None:
        wait = next_wait(attempt.wait, now, when_online_s)
        if wait is not None:
            state, tries = DeviceState.WAITING, attempt.tries  # it was not reached: that is none of its tries
        elif attempt.wait is not None:
            text = over_text(attempt.wait)
    is_stored = is_shallow(result.payload)
    return AttemptResult(
        seq=attempt.seq,
        state=state,
        tries=tries,
        began_at=result.started_at or now,
        ended_at=result.finished_at or now,
        error_class=failure,
        error_code=_storable(result.error_code),
        error_text=_storable(text),
        method_status=result.method_status if abs(result.method_status or 0) <= MOST_STATUS else None,
        payload=result.payload if is_stored else None,
        has_payload=is_stored and result.method_status is not None,
        due_at=None if wait is not None else _due_again_at(failure, tries, retry, now),
        verify_by=verify_by,
        wait=wait,
    )


def verified_attempt(verdict: Verdict, retry: Retry | None, when_online_s: float | None = None) -> VerifiedAttempt:
    """How an attempt that was verifying ended.

    retry: None: nothing is tried again.
    when_online_s: for how long a device waits that is not connected when its time is over; None: it has failed.
    """
    device, failure = verdict.device, verdict.failure
    if when_online_s is not None and failure is VerificationFailure.NOT_IN_TIME and verdict.is_connected is False:
        wait = next_wait(device.wait, verdict.at, when_online_s)
        if wait is not None:
            return VerifiedAttempt(seq=device.key, state=DeviceState.WAITING, reported=verdict.reported, wait=wait)
    error_class = None if failure is None else ErrorClass.NOT_VERIFIED
    return VerifiedAttempt(
        seq=device.key,
        state=DeviceState.COMPLETED if failure is None else DeviceState.FAILED,
        reported=verdict.reported,
        verified_at=verdict.at if failure is None else None,
        error_class=error_class,
        error_code=None if failure is None else failure.value,
        error_text=_storable(failure_text(verdict)),
        due_at=_due_again_at(error_class, device.tries, retry, verdict.at),
    )


def _due_again_at(failure: ErrorClass | None, tries: int, retry: Retry | None, now: datetime) -> datetime | None:
    """When a device is tried again in its batch; None: it is not."""
    if failure is None or retry is None or retry.when is not RetryWhen.AT_ONCE:
        return None
    return now + timedelta(seconds=retry.pause_after_s(tries)) if retry.is_due_again(failure.value, tries) else None


def result_without_row(attempt: Attempt, job: Job, retry: Retry | None, now: datetime) -> AttemptResult:
    """The result of a device of which an ended hub job has no row.

    job: as the hub describes it.  retry: None: nothing is tried again.
    """
    error_class, code = ErrorClass.NOT_FOUND, "DeviceNotFound"
    text = "The hub's job did not find the device: is it registered?"
    if job.status is JobStatus.FAILED:
        error_class, code, text = ErrorClass.OTHER, "JobFailed", job.failure_reason or "The hub's job failed."
    elif job.status is JobStatus.CANCELLED:
        error_class, code = ErrorClass.OTHER, "JobCancelled"
        text = "Somebody cancelled the hub's job before it operated the device."
    return attempt_result(attempt, _failure(attempt, error_class, code, text, now), now, retry=retry)


def uncertain_result(attempt: Attempt, text: str, now: datetime) -> AttemptResult:
    """The result of a device that a hub job may have operated: nobody can know. text: why."""
    whole = f"{text} The device may have been operated."
    return attempt_result(attempt, _failure(attempt, None, "NotKnown", whole, now), now, is_uncertain=True)


def _failure(attempt: Attempt, error_class: ErrorClass | None, code: str, text: str, now: datetime) -> DeviceResult:
    return DeviceResult(
        device_id=attempt.device_id,
        module_id=attempt.module_id,
        status="failed",
        error_class=error_class,
        error_code=code,
        error_text=text,
        method_status=None,
        payload=None,
        started_at=None,
        finished_at=now,
    )


def is_shallow(payload: Any) -> bool:
    """Whether a device's answer is nested no deeper than can be written everywhere."""
    level = [payload]
    for _ in range(MAX_LEVELS):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))]
        level = [each for values in inner for each in values]
        if not level:
            return True
    return False


def _storable(text: str | None) -> str | None:
    """A text of the hub or a device, as it can be stored: not long, and without halves of characters."""
    if text is None:
        return None
    # Cut before, as it may be long, and after, as escapes make it longer.
    return text[:MAX_TEXT_CHARACTERS].encode("utf-8", "backslashreplace").decode()[:MAX_TEXT_CHARACTERS]


def attempt_event(
    attempt: Attempt, ended: AttemptResult, batch: int, now: datetime
) -> DeviceEnded | DeviceOperated | DeviceWaits:
    """The event of an attempt that has ended. batch: its device's.  now: when that was recorded."""
    kinds: dict[DeviceState, type[DeviceOperated] | type[DeviceWaits]] = {
        DeviceState.VERIFYING: DeviceOperated,
        DeviceState.WAITING: DeviceWaits,
    }
    kind = kinds.get(ended.state, DeviceEnded)
    return kind(at=now, result=_device_result(attempt, ended), batch=batch, tries=ended.tries)


def verified_event(verdict: Verdict, end: VerifiedAttempt, batch: int) -> DeviceEnded | DeviceWaits:
    """The event of a device that was verifying. batch: its own."""
    device = verdict.device
    result = DeviceResult(
        device_id=device.device_id,
        module_id=device.module_id,
        status=(DeviceState.PENDING if end.due_at is not None else end.state).value,
        error_class=end.error_class,
        error_code=end.error_code,
        error_text=end.error_text,
        method_status=None,
        payload=None,
        started_at=device.began_at,
        finished_at=None,  # as its row has it: when it was operated
        verified_at=end.verified_at,
        reported=end.reported,
        offline_since=None if end.wait is None else end.wait.since,
        waits_until=None if end.wait is None else end.wait.until,
    )
    kind = DeviceEnded if end.wait is None else DeviceWaits
    return kind(at=verdict.at, result=result, batch=batch, tries=device.tries)


def not_connected_event(device: WaitingDevice, now: datetime) -> DeviceEnded:
    """The event of a device that has failed, as it did not connect in time."""
    result = DeviceResult(
        device_id=device.device_id,
        module_id=device.module_id,
        status=DeviceState.FAILED.value,
        error_class=ErrorClass.OFFLINE,
        error_code=DID_NOT_CONNECT,
        error_text=over_text(device.wait),
        method_status=None,
        payload=None,
        started_at=None,
        finished_at=now,
        offline_since=device.wait.since,
    )
    return DeviceEnded(at=now, result=result, batch=device.batch, tries=device.tries)


def _device_result(attempt: Attempt, ended: AttemptResult) -> DeviceResult:
    """How an attempt ended, as a row of results; for observers."""
    return DeviceResult(
        device_id=attempt.device_id,
        module_id=attempt.module_id,
        status=(DeviceState.PENDING if ended.due_at is not None else ended.state).value,
        error_class=ended.error_class,
        error_code=ended.error_code,
        error_text=ended.error_text,
        method_status=ended.method_status,
        payload=ended.payload,
        started_at=ended.began_at,
        finished_at=ended.ended_at,
        offline_since=None if ended.wait is None else ended.wait.since,
        waits_until=None if ended.wait is None else ended.wait.until,
    )
