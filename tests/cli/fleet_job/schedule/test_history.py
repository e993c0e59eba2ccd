"""What `schedule history` shows of an occurrence and of its run."""

from datetime import datetime, timezone

from azext_iotjobs.cli.fleet_job.schedule.documents import render_listed, render_occurrence
from azext_iotjobs.cli.fleet_job.schedule.tables import occurrences
from azext_iotjobs.model.fleet_job import Delivery, Driver
from azext_iotjobs.model.occurrence import Occurrence, OccurrenceState
from azext_iotjobs.model.run import Run, Tally
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


def test_it_shows_how_many_devices_failed_and_who_stopped_the_run() -> None:
    run = Run(
        key=1,
        fleet_job_id="job",
        host="h",
        number=3,
        version=1,
        run_key="abcdefgh",
        state=RunState.STOPPED,
        driver=Driver.CALLS,
        driver_reason="so",
        delivery=Delivery(),
        device_count=5,
        batch_count=1,
        created_at=AT,
        created_by="ann",
        reason="alarm",
        ended_by="bob",
        tally=Tally(completed=2, failed=1, pending=2),
    )
    found = occurrence(OccurrenceState.STARTED, RunState.STOPPED, 3)
    documents = [render_listed(found, timezone.utc, run), render_listed(found, timezone.utc, None)]
    seen = documents[0]
    assert (seen["runReason"], seen["runEndedBy"], seen["note"]) == ("alarm", "bob", None)
    assert [seen["runProgress"][each] for each in ("total", "completed", "failed")] == [5, 2, 1]
    assert documents[1].keys() == seen.keys() and documents[1]["runProgress"] is None
    (row, empty) = occurrences(documents)
    assert [row[each] for each in ("Total", "Completed", "Failed", "EndedBy", "Reason", "Note")] == [
        *("5", "2", "1", "bob", "alarm", "")
    ]
    assert [empty[each] for each in ("Total", "Failed", "Reason")] == ["", "", ""]
