"""What a person reads while a run waits: no estimate when nothing moves, who is awaited, until when, what ends it."""

import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.commands import table_of
from azext_iotjobs.cli.fleet_job.event_documents import render_event
from azext_iotjobs.cli.fleet_job.event_log import EventFile
from azext_iotjobs.cli.fleet_job.progress import STILL_S, Progress, Speed, counts, how_far
from azext_iotjobs.cli.fleet_job.waiting import in_full, in_short, left_to_hub
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.in_progress import Awaited, HubJobInProgress
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.run import Batch, Tally
from azext_iotjobs.model.run_events import BatchBegan, Notice, Progressed, RunBegan
from azext_iotjobs.model.run_state import BatchState, RunState
from tests.cli.fleet_job.test_run import NOW, a_run
from tests.helpers.clock_double import ClockDouble

UNTIL = datetime(2026, 5, 1, 12, 31, 5, tzinfo=timezone.utc)
JOB = Awaited(batch=2, device_ids=("d-007",), count=1, since=NOW, until=UNTIL, job_id="x-b2")
CALLS = Awaited(batch=1, device_ids=("d-1", "d-2"), count=2, since=NOW, until=UNTIL)


def progressed(done: int, by_hub: int = 0, total: int = 150, *awaited: Awaited, failed: int = 0) -> Progressed:
    in_batch = Tally(pending=10, in_hub_jobs=10)
    hub = None
    if by_hub:
        hub = JobTally(
            device_count=10,
            failed_count=failed,
            succeeded_count=by_hub - failed,
            running_count=0,
            pending_count=10 - by_hub,
        )
    return Progressed(
        at=NOW,
        run=Tally(pending=total - done, completed=done, in_hub_jobs=10),
        batch=Batch(ordinal=1, state=BatchState.RUNNING, size=10, tally=in_batch),
        in_flight_count=1,
        hub=hub,
        hub_ended_count=by_hub,
        awaited=awaited,
    )


def test_what_the_hub_counts_is_in_the_line_and_in_the_estimate() -> None:
    assert how_far(progressed(0, 9), 15, 0, 9.0) == (
        "batch 1/15 9/10 | all 9/150 (9 by the hub's count) | 1.0 a second, 141 s left"
    )
    assert "(9 by the hub's count, 2 failed)" in how_far(progressed(0, 9, failed=2), 15, 0, 9.0)


@pytest.mark.parametrize("still_s", [11.0, 95.0, 90_000.0])
def test_there_is_no_estimate_when_nothing_moves_but_who_is_awaited(still_s: float) -> None:
    line = how_far(progressed(0, 9, 150, JOB), 15, 0, still_s + 5, still_s=still_s, waits=True)
    assert f"nothing has ended for {still_s:.0f} s | waiting for d-007 until 12:31:05 UTC" in line
    assert "left" not in line and "a second" not in line


@pytest.mark.parametrize(
    ("ends", "now", "is_still"),
    [
        ([], STILL_S - 1, False),
        ([], STILL_S + 1, True),
        ([1.0], 5.0, False),
        ([1.0], 1.0 + STILL_S + 1, True),
        ([0.1 * number for number in range(1, 10)], 60.0, True),
        ([15.0 * number for number in range(1, 10)], 135.0 + 40, False),  # one each 15 s: it is slow, not still
        ([15.0 * number for number in range(1, 10)], 135.0 + 50, True),
    ],
)
def test_nothing_moves_when_it_takes_much_longer_than_before(ends: list[float], now: float, is_still: bool) -> None:
    speed = Speed(0.0, 5)
    for number, at in enumerate(ends, start=6):
        assert speed.update(number, at)
        assert not speed.update(number, at)
    assert bool(speed.still_for_s(now)) is is_still
    if is_still:
        assert speed.still_for_s(now) == now - (ends[-1] if ends else 0)
        assert speed.update(99, now) and speed.still_for_s(now) == 0


def test_an_estimate_does_not_grow_while_nothing_ends() -> None:
    speed = Speed(0.0, 0)
    for number in range(1, 11):
        speed.update(number, float(number))
    speed.update(10, 19.0)
    assert speed.moving_s == 10.0


@pytest.mark.parametrize(
    ("awaited", "said"),
    [
        ([], ""),
        ([JOB], "waiting for d-007 until 12:31:05 UTC"),
        ([replace(JOB, device_ids=(), count=3)], "waiting for 3 devices until 12:31:05 UTC"),
        ([replace(JOB, device_ids=tuple("abcd"), count=9)], "waiting for a, b, c and 6 more until 12:31:05 UTC"),
        ([CALLS, replace(JOB, until=None)], "waiting for d-1, d-2, d-007"),
        ([replace(JOB, until=UNTIL + timedelta(seconds=5)), CALLS], "waiting for d-007, d-1, d-2 until 12:31:10 UTC"),
        ([replace(JOB, count=0, device_ids=())], ""),
        ([replace(JOB, device_ids=("d\x1b[2J",))], "waiting for d"),
    ],
)
def test_the_short_form_names_who_is_awaited_and_until_when(awaited: list[Awaited], said: str) -> None:
    assert (
        in_short(awaited).startswith(said) and "\x1b" not in in_short(awaited) and bool(said) is bool(in_short(awaited))
    )


def test_the_full_form_says_what_ends_the_wait() -> None:
    assert in_full(JOB) == (
        "Batch 2: hub job x-b2 waits for 1 device: d-007. It ends when it has answered, or at 12:31:05 UTC, when "
        "the hub gives up (--ttl). A running hub job cannot be ended earlier."
    )
    assert "12 devices: d-007 and 11 more." in in_full(replace(JOB, count=12))
    assert "waits for 3 devices; the hub has not said which." in in_full(replace(JOB, count=3, device_ids=()))
    assert in_full(CALLS) == (
        "Batch 1: 2 calls are under way: d-1, d-2. They end when the devices answer, or at 12:31:05 UTC at the latest "
        "(--method-response-timeout)."
    )
    assert in_full(replace(CALLS, count=1, device_ids=("d-1",), until=None)).endswith(
        "It ends when the device answers."
    )
    assert "\x1b" not in in_full(replace(JOB, device_ids=("d\x1b[2J",)))


def test_after_a_stop_hub_jobs_that_go_on_are_named_the_first_few() -> None:
    tally = JobTally(device_count=10, failed_count=1, succeeded_count=8, running_count=0, pending_count=1)
    job = HubJobInProgress(
        batch=1, job_id="x-b1", status="running", submitted_at=NOW, until=UNTIL, size=10, open_count=10, tally=tally
    )
    (said,) = left_to_hub([job], a_run(RunState.STOPPED))
    assert said == (
        "Hub job x-b1 of batch 1 continues by itself until 12:31:05 UTC: 10 devices in progress, 9 had ended when last "
        "seen. A resume reads what it did."
    )
    assert len(left_to_hub([job] * 30, a_run(RunState.STOPPED))) == 4
    assert "27 more: az iot hub fleet-job show -j a" in left_to_hub([job] * 30, a_run(RunState.STOPPED))[3]


def test_devices_in_progress_are_not_called_pending() -> None:
    assert counts(Tally(pending=149, in_hub_jobs=10, completed=1)) == (
        "150 devices: 1 completed, 10 in progress, 139 pending"
    )


class Stop:
    def __init__(self) -> None:
        self.it_is = False

    def is_set(self) -> bool:
        return self.it_is


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.mark.parametrize("driver", [Driver.CALLS, Driver.JOBS])
def test_after_ctrl_c_it_says_what_is_awaited_once(told: pytest.LogCaptureFixture, driver: Driver) -> None:
    stop, progress = Stop(), Progress(ClockDouble(), is_silent=True)
    progress.watch(stop)
    progress.on_event(RunBegan(at=NOW, run=replace(a_run(RunState.RUNNING, pending=3), driver=driver)))
    stop.it_is = True
    awaited = CALLS if driver is Driver.CALLS else JOB
    for _ in range(3):
        progress.on_event(progressed(0, 0, 3, awaited))
    assert told.text.count("Stopping: nothing else begins") == 1
    if driver is Driver.CALLS:
        assert "calls under way are awaited. Ctrl-C again leaves at once." in told.text
        assert told.text.count("2 calls are under way: d-1, d-2. They end") == 1
    else:
        assert "hub jobs that have not begun are cancelled, those that run continue in the hub." in told.text


def test_who_is_awaited_is_said_once_until_something_ends(told: pytest.LogCaptureFixture) -> None:
    clock = ClockDouble()
    progress = Progress(clock, is_silent=True)
    progress.on_event(RunBegan(at=NOW, run=replace(a_run(RunState.RUNNING, pending=150), driver=Driver.JOBS)))
    for second in range(1, 60):
        clock.passed_s = float(second)
        progress.on_event(progressed(0, 9 if second > 2 else 0, 150, JOB))
    assert told.text.count("hub job x-b2 waits for 1 device: d-007") == 1 and " s left" not in told.text
    clock.passed_s = 61
    progress.on_event(progressed(10, 0, 150, JOB))
    for second in range(62, 200):
        clock.passed_s = float(second)
        progress.on_event(progressed(10, 0, 150, JOB))
    assert told.text.count("hub job x-b2 waits for 1 device: d-007") == 2


def test_after_a_pause_between_batches_nothing_is_said_to_have_stood_still(told: pytest.LogCaptureFixture) -> None:
    clock = ClockDouble()
    progress = Progress(clock, is_silent=True)
    progress.on_event(RunBegan(at=NOW, run=a_run(RunState.RUNNING, pending=150)))
    progress.on_event(progressed(10, 0, 150, CALLS))
    clock.passed_s = 300
    event = progressed(10, 0, 150, CALLS)
    assert event.batch is not None
    progress.on_event(BatchBegan(at=NOW, batch=event.batch))
    progress.on_event(event)
    assert "under way" not in told.text and "nothing has ended" not in told.text


def test_progress_is_told_with_the_hubs_counts_and_who_is_awaited() -> None:
    event = render_event(progressed(0, 9, 150, JOB), NOW)
    assert event["hub"] == {"total": 10, "completed": 9, "failed": 0, "running": 0, "pending": 1}
    assert event["awaited"] == [
        {
            "batch": 2,
            "jobId": "x-b2",
            "verifying": False,
            "devices": ["d-007"],
            "count": 1,
            "since": "2026-05-01T08:00:00.000Z",
            "until": "2026-05-01T12:31:05.000Z",
        }
    ]
    assert (event["progress"]["pending"], event["progress"]["inProgress"]) == (140, 10)
    assert render_event(progressed(3), NOW)["hub"] is None


@pytest.mark.parametrize("last", ['{"at": "cut', "", "[]\n", '{"no": 1}\n'])
def test_a_file_of_events_that_is_written_on_does_not_go_back(tmp_path: Path, last: str) -> None:
    path = tmp_path / "events.jsonl"
    later = NOW + timedelta(days=1)
    path.write_text(json.dumps({"at": render_instant(later), "event": "said"}) + "\n" + last)
    file = EventFile(str(path), overwrites=False, adds=True)
    for at in (NOW, NOW + timedelta(seconds=1), later + timedelta(seconds=1)):
        file.add(Notice(at=at, text="so"))
    file.close()
    found = [json.loads(line[line.index('{"at": "2026-05-0') :])["at"] for line in path.read_text().splitlines()[-3:]]
    assert found == ["2026-05-02T08:00:00.000Z"] * 2 + ["2026-05-02T08:00:01.000Z"]


def test_the_table_of_one_has_what_hub_jobs_have_done_beside_what_is_recorded() -> None:
    counted = {"total": 10, "pending": 0, "inProgress": 10, "completed": 0, "failed": 0, "uncertain": 0}
    jobs = [{"batch": 1, "progress": {"completed": 8, "failed": 1, "total": 10}}, {"batch": 1, "progress": None}]
    run = {
        "id": "a",
        "run": 3,
        "version": 2,
        "status": "running",
        "progress": counted,
        "hubJobs": jobs,
        "batchList": [{"batch": 1, "status": "running", "progress": counted}, {"batch": 2, "progress": counted}],
    }
    whole, first, second = table_of("iot hub fleet-job show", {"id": "a", "version": 5, "lastRun": run})
    assert (whole["Version"], whole["Run"], whole["InProgress"], whole["EndedByHub"]) == ("2", "3", "10", "9")
    assert (first["EndedByHub"], second["EndedByHub"]) == ("9", "")
