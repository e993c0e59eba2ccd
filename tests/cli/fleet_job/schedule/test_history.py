"""What `schedule history` shows of an occurrence and of its run."""

from datetime import datetime, timezone

from azext_iotjobs.cli.fleet_job.schedule.documents import render_occurrence
from azext_iotjobs.cli.fleet_job.schedule.tables import occurrences
from azext_iotjobs.model.occurrence import Occurrence, OccurrenceState
from azext_iotjobs.model.run_state import RunState

AT = datetime(2026, 5, 2, 2, 30, tzinfo=timezone.utc)


def occurrence(state: OccurrenceState, run_state: RunState | None, run_number: int | None) -> Occurrence:
    return Occurrence(
        fleet_job_id="job",
        at=AT,
        state=state,
        decided_at=AT,
        by="ann",
        run_number=run_number,
        run_state=run_state,
    )


def test_a_run_that_has_ended_is_not_only_started() -> None:
    found = [
        occurrence(OccurrenceState.STARTED, RunState.FAILED, 2),
        occurrence(OccurrenceState.STARTED, RunState.COMPLETED, 1),
        occurrence(OccurrenceState.MISSED, None, None),
    ]
    documents = [render_occurrence(each) for each in found]
    assert [each["runStatus"] for each in documents] == ["failed", "completed", None]
    shown = [(each["Status"], each["Run"], each["RunStatus"]) for each in occurrences(documents)]
    assert shown == [("started", "2", "failed"), ("started", "1", "completed"), ("missed", "", "")]
