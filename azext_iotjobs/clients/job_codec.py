"""Jobs, wire JSON <-> values. A job's document is kept as the hub sent it."""

from enum import Enum
from typing import Any, TypeVar

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.clock import parse_known_instant
from azext_iotjobs.model.job import Job, JobStatus, JobTally, JobType

COUNTED = "device failed succeeded running pending".split()
COUNTS = {f"{word}_count": f"{word}Count" for word in COUNTED}  # a tally's fields -> the hub's members

Word = TypeVar("Word", bound=Enum)


def parse_job(document: Any) -> Job:
    """A v2 job as the hub shows it."""
    return _job(json_object(document), document)


def parse_v1_job(document: Any) -> Job:
    """An import or export job: the old endpoint's record, with the times under the new names too."""
    old = json_object(document)
    shown = {
        **old,
        "createdTime": old.get("startTimeUtc"),
        "startTime": old.get("startTimeUtc"),
        "endTime": old.get("endTimeUtc"),
    }
    return _job(old, shown)


def _job(body: dict[str, Any], document: dict[str, Any]) -> Job:
    return Job(
        job_id=str(body.get("jobId")),
        job_type=_word(JobType, body.get("type")),
        status=_word(JobStatus, body.get("status")),
        tally=_tally(body.get("deviceJobStatistics")),
        starts_at=parse_known_instant(body.get("startTime")),
        max_execution_s=whole(body.get("maxExecutionTimeInSeconds")),
        condition=_text(body.get("queryCondition")),
        failure_reason=_text(body.get("failureReason")),
        document=document,
    )


def _tally(counts: Any) -> JobTally | None:
    if not isinstance(counts, dict):
        return None
    values = {ours: counts.get(theirs) or 0 for ours, theirs in COUNTS.items()}
    return JobTally(**values) if all(isinstance(each, int) for each in values.values()) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def whole(value: Any) -> int | None:
    """A whole number; None for anything else."""
    return value if isinstance(value, int) else None


def _word(words: type[Word], text: Any) -> Word:
    """The enum's member for a word of the hub's, in any case; UNRECOGNISED for one that is new to us."""
    by_text = {word.value.lower(): word for word in words}
    # Documents and SDKs disagree on these.
    spelled = {"canceled": "cancelled", "finished": "completed"}.get(str(text).lower(), str(text).lower())
    return by_text.get(spelled, words["UNRECOGNISED"])
