"""Fleet jobs, runs and events under the names that commands show: JSON, whatever is in them."""

import json
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job.documents import (
    render_batch,
    render_fleet_job,
    render_run,
    render_waiting,
)
from azext_iotjobs.cli.fleet_job.event_documents import render_event
from azext_iotjobs.cli.output.result_columns import COLUMNS
from azext_iotjobs.cli.output.result_rows import render_group
from azext_iotjobs.model import run_events as events
from azext_iotjobs.model.fleet_job import Definition, FleetJob, Origin
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.grouping import Groups
from azext_iotjobs.model.in_progress import WaitingToConnect, WaitsToConnect
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.run import Batch, Lease, Narrowed, RequestKind, StopRequest, Tally
from azext_iotjobs.model.run_state import BatchState, RunState
from azext_iotjobs.model.tier import TierFacts
from tests.fleet_job.store.test_stored_json import FULL, METHOD, SELECTED
from tests.fleet_job.test_engine import NOW, RUN

BATCH = Batch(ordinal=2, state=BatchState.RUNNING, size=5, tally=Tally(pending=1, calling=2, completed=2))
ROW = DeviceResult(
    device_id="d",
    module_id=None,
    status="failed",
    error_class=ErrorClass.OFFLINE,
    error_code="DeviceNotOnline",
    error_text="away",
    method_status=None,
    payload=None,
    started_at=NOW,
    finished_at=NOW,
)


def test_a_fleet_job_shows_all_that_was_asked_for() -> None:
    definition = Definition(action=METHOD, targets=SELECTED, rollout=FULL, labels={"team": "n"})
    job = FleetJob(
        fleet_job_id="night",
        host="h",
        version=3,
        definition=definition,
        created_at=NOW,
        created_by="ann",
        edited_at=NOW,
        edited_by="bob",
        origin=Origin(fleet_job_id="day", run_number=2, how="rerun"),
    )
    shown = render_fleet_job(job)
    assert (shown["id"], shown["displayName"], shown["version"], shown["labels"]) == (
        "night",
        "night",
        3,
        {"team": "n"},
    )
    assert shown["batch"] == [{"type": "number", "value": 1}, {"type": "percentage", "value": 2.5}]
    assert shown["cancellationThreshold"]["batch"] is True and shown["cancellationThreshold"]["action"] == "stop"
    assert shown["parent"] == {"id": "day", "run": 2, "how": "rerun"}
    assert (
        shown["targets"]["samplePercent"] == float(Fraction(1, 3))
        and shown["action"]["successStatus"] == "200-299,404-404"
    )
    json.dumps(shown)


def test_a_run_shows_its_tier_and_its_own_limits() -> None:
    run = replace(RUN, tier=TierFacts("S2", 3), narrowed=Narrowed(sample_percent=Fraction("2.5"), seed=7))
    shown = render_run(run, NOW)
    assert (shown["tier"], shown["limit"], shown["samplePercent"]) == ({"sku": "S2", "units": 3}, None, 2.5)


def test_calls_of_a_process_that_is_gone_are_shown_as_uncertain() -> None:
    tally = Tally(pending=3, calling=2, in_hub_jobs=1)
    run = replace(RUN, lease=Lease(owner="ann", until=NOW, beat_at=NOW, is_gone=True), tally=tally)
    assert render_run(run, NOW)["progress"] == {
        "total": 5,
        "pending": 2,
        "inProgress": 1,
        "verifying": 0,
        "waiting": 0,
        "completed": 0,
        "failed": 0,
        "uncertain": 2,
        "byErrorClass": {},
    }
    assert render_batch(replace(BATCH, tally=tally), run, Gates())["progress"]["uncertain"] == 2


def test_a_run_shows_how_it_stands_and_who_has_it() -> None:
    run = replace(
        RUN,
        started_at=NOW,
        next_batch_at=NOW + timedelta(hours=1),
        lease=Lease(owner="ann", until=NOW, beat_at=NOW),
        tally=Tally(pending=1, calling=2, failed=1, by_class={"offline": 1}),
        stop_request=StopRequest(kind=RequestKind.STOP, by="bob", reason=None, at=NOW),
    )
    shown = render_run(run, NOW + timedelta(seconds=90))
    assert (shown["status"], shown["durationSeconds"], shown["asked"]["by"]) == ("running", 90, "bob")
    assert shown["progress"] == {
        "total": 4,
        "pending": 1,
        "inProgress": 2,
        "verifying": 0,
        "waiting": 0,
        "completed": 0,
        "failed": 1,
        "uncertain": 0,
        "byErrorClass": {"offline": 1},
    }
    assert shown["nextBatchNotBefore"] == "2026-05-01T01:00:00.000Z" and shown["runner"]["owner"] == "ann"
    assert render_batch(BATCH, run, Gates())["status"] == "running"
    assert render_batch(BATCH, replace(run, state=RunState.STOPPED), Gates())["status"] == "stopped"


EVENTS: list[tuple[events.Event, dict[str, Any]]] = [
    (events.RunBegan(at=NOW, run=RUN), {"event": "run-began"}),
    (events.RunEnded(at=NOW, run=RUN), {"event": "run-ended"}),
    (events.BatchBegan(at=NOW, batch=BATCH), {"event": "batch-began", "batch": 2, "devices": 5}),
    (events.BatchEnded(at=NOW, batch=BATCH), {"event": "batch-ended", "batch": 2}),
    (
        events.DeviceEnded(at=NOW, result=ROW, batch=2, tries=3),
        {"event": "device-ended", "batch": 2, "tries": 3, "deviceId": "d", "errorClass": "offline"},
    ),
    (
        events.Progressed(at=NOW, run=Tally(completed=1), batch=None, in_flight_count=4),
        {"event": "progressed", "batch": None, "inFlight": 4},
    ),
    (events.Waiting(at=NOW, until=NOW, why="so"), {"event": "waiting", "until": "2026-05-01T00:00:00.000Z"}),
    (events.Notice(at=NOW, text="x"), {"event": "said", "text": "x"}),
    (
        events.HubJobMoved(
            at=NOW,
            batch=1,
            job_id="j",
            status="running",
            tally=JobTally(device_count=9, failed_count=1, succeeded_count=2, running_count=3, pending_count=3),
        ),
        {
            "event": "hub-job",
            "jobId": "j",
            "progress": {"total": 9, "completed": 2, "failed": 1, "running": 3, "pending": 3},
        },
    ),
]


@pytest.mark.parametrize(("event", "parts"), EVENTS, ids=[each.kind for each, _ in EVENTS])
def test_events_are_json_objects(event: events.Event, parts: dict[str, Any]) -> None:
    shown = render_event(event, NOW)
    assert shown["at"] == "2026-05-01T00:00:00.000Z" and {**shown, **parts} == shown
    json.dumps(shown)


def test_an_ended_device_has_the_columns_of_results() -> None:
    assert set(COLUMNS) <= set(render_event(events.DeviceEnded(at=NOW, result=ROW, batch=1, tries=1), NOW))


def test_devices_that_wait_have_the_names_of_their_rows() -> None:
    until = NOW + timedelta(days=7)
    device = WaitsToConnect(device_id="d", module_id=None, since=NOW, until=until)
    shown = render_waiting(WaitingToConnect(count=1, devices=(device,), until=until))
    assert shown is not None
    times = {"offlineSince": shown["since"], "waitsUntil": shown["until"]}
    assert shown["devices"] == [{"deviceId": "d", "moduleId": None, **times}]


@pytest.mark.parametrize("status", ["completed", "verifying"])
def test_a_group_says_whether_its_devices_are_being_verified(status: str) -> None:
    groups = Groups()
    groups.add(replace(ROW, status=status, error_class=None))
    assert [render_group(each)["verifying"] for each in groups.ranked()] == [status == "verifying"]
