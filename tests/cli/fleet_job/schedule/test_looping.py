"""`run-due --loop`: which schedules it starts processes for."""

import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import time
from itertools import pairwise
from pathlib import Path

import pytest

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule.looping import Child, _Looping
from azext_iotjobs.cli.fleet_job.team_store import TeamStore, open_team_store
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.run_state import RunEvent
from azext_iotjobs.model.schedule import Frequency, Missed, Overlap, Rule
from tests.helpers.fleet_job_hub_double import definition_of
from tests.helpers.postgres_server import postgres_server
from tests.helpers.schedule_setup import DEVICES, FIRST, METHOD, ScheduledWorld, daily
from tests.helpers.stores import skip_without_postgres
from tests.operations.fleet_job.test_store_copy import copied_jobs

HOLDER = Holder("ann@elsewhere, process 7", "another machine", 7)


def test_a_schedule_that_means_nothing_on_this_machine_is_polled_and_so_are_the_others(tmp_path: Path) -> None:
    world = ScheduledWorld(tmp_path / "state")
    store = world.begin(daily())
    world.save(store, definition_of(METHOD, DEVICES, Driver.CALLS), "a-first")
    odd = replace(daily(), zone="Moon/Tranquility")
    store.schedules.save("a-first", odd, at=world.clock.now(), by="ann", store_key=world.key)
    world.clock.set_s += (FIRST - world.clock.now()).total_seconds()
    started: list[str] = []

    def start(job: str, *, executes: bool) -> Child:
        started.append(job)
        return Child(subprocess.Popen([sys.executable, "-c", ""]), tempfile.TemporaryFile(), executes)

    context = FleetJobContext(None, {}, str(tmp_path / "state"), None)
    looping = _Looping(context, None, start, world.clock)
    looping.poll()
    looping.poll()
    assert sorted(started) == ["a-first", "job"], "each once, until its pause is over"
    looping.stop()
    context.store.close()


@pytest.mark.parametrize(("code", "is_polled"), [(0, True), (4, True), (8, True), (10, True), (1, False), (5, False)])
def test_after_a_process_that_could_not_do_all_there_is_a_pause(tmp_path: Path, code: int, is_polled: bool) -> None:
    """Devices that have failed are no reason for one: the next occurrence may be due."""
    world = ScheduledWorld(tmp_path / "state")
    world.begin(daily()).close()
    world.clock.set_s += (FIRST - world.clock.now()).total_seconds()
    started: list[subprocess.Popen[bytes]] = []

    def start(job: str, *, executes: bool) -> Child:
        started.append(subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"]))
        return Child(started[-1], tempfile.TemporaryFile(), executes)

    context = FleetJobContext(None, {}, str(tmp_path / "state"), None)
    looping = _Looping(context, None, start, world.clock)
    looping.poll()
    started[0].wait(30)
    looping.reap()
    looping.poll()
    assert len(started) == (2 if is_polled else 1)
    looping.stop()
    context.store.close()


class SomeJobs:
    """Fleet jobs that are due, and the processes that are started for them, which end when they are told to."""

    def __init__(self, world: ScheduledWorld, folder: Path, max_runs: int, team: TeamStore | None = None) -> None:
        self.started: list[str] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._all: list[subprocess.Popen[bytes]] = []
        self.context = FleetJobContext(None, {}, str(folder), None, team=team)
        self.looping = _Looping(self.context, None, self._start, world.clock, max_runs)

    def _start(self, job: str, *, executes: bool) -> Child:
        result = tempfile.TemporaryFile()
        self.started.append(job)
        program = "import sys; sys.exit(int(input()))"
        self._processes[job] = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
        self._all.append(self._processes[job])
        return Child(self._processes[job], result, executes)

    def end(self, job: str, code: int = 0) -> None:
        self._processes[job].communicate(f"{code}\n".encode(), timeout=30)
        self.looping.reap()

    def close(self) -> None:
        self.looping.stop()
        for process in self._all:
            assert process.stdin is not None
            process.stdin.close()
        self.context.store.close()


NAMES = ("one", "two", "three", "four", "five")


@pytest.fixture
def world(tmp_path: Path) -> ScheduledWorld:
    """Fleet jobs that are due at the same moment, and one that is due since an hour before."""
    world = ScheduledWorld(tmp_path / "state")
    store = world.begin(daily(catch_up_s=86_400.0, missed=Missed.ONCE))
    for name in NAMES:
        world.save(store, definition_of(METHOD, DEVICES, Driver.CALLS), name)
        at = FIRST.hour if name != "five" else FIRST.hour - 1
        schedule = replace(daily(), rule=Rule(frequency=Frequency.DAILY, at=time(at)))
        store.schedules.save(name, schedule, at=world.clock.now(), by="ann", store_key=world.key)
    store.schedules.remove("job")
    store.close()
    world.clock.set_s += (FIRST - world.clock.now()).total_seconds()
    return world


def test_no_more_runs_at_once_than_are_allowed_and_the_next_begins_when_one_ends(
    world: ScheduledWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = SomeJobs(world, tmp_path / "state", max_runs=2)
    jobs.looping.poll()
    assert len(jobs.started) == 2 and jobs.started[0] == "five", "what has been due for longest comes first"
    assert "2 runs are executed here" in caplog.text and "3 fleet jobs that are due wait" in caplog.text
    assert not jobs.looping.may_begin_another
    jobs.end("five")
    assert jobs.looping.may_begin_another
    jobs.looping.poll()
    jobs.looping.poll()
    assert len(jobs.started) >= 3 and not jobs.looping.may_begin_another
    assert caplog.text.count("executed here") == 1, "it is said once, until nobody waits any more"
    jobs.close()


def test_hosts_begin_with_different_fleet_jobs(world: ScheduledWorld, tmp_path: Path) -> None:
    firsts = set()
    for _ in range(30):
        jobs = SomeJobs(world, tmp_path / "state", max_runs=2)
        jobs.looping.poll()
        firsts.add(jobs.started[1])
        jobs.close()
    assert firsts == {"one", "two", "three", "four"}


def test_what_another_host_executes_is_not_due(world: ScheduledWorld, tmp_path: Path) -> None:
    store = world.open()
    for name in NAMES[:4]:
        assert store.occurrences.claim(name, FIRST, HOLDER, world.clock.now()) is not None
    jobs = SomeJobs(world, tmp_path / "state", max_runs=9)
    jobs.looping.poll()
    assert jobs.started == ["five"]
    jobs.close()
    store.close()


@pytest.mark.parametrize("overlap", list(Overlap))
def test_whoever_ends_an_earlier_run_or_records_something_is_one_process(
    world: ScheduledWorld, tmp_path: Path, overlap: Overlap
) -> None:
    store = world.open()
    for name in NAMES[1:]:
        store.schedules.remove(name)
    store.schedules.save("one", replace(daily(), overlap=overlap), at=world.clock.now(), by="ann", store_key=world.key)
    run = world.new_run(store, store.definitions.get("one"))
    store.take_lease(run, HOLDER, world.clock.now()).begin(
        RunEvent.START, world.clock.now(), forgiven_of_run=0, forgiven_of_batch=0
    )
    store.close()
    world.clock.set_s += 86_400
    jobs = SomeJobs(world, tmp_path / "state", max_runs=1)
    jobs.looping.poll()
    jobs.looping.poll()
    assert jobs.started == ["one"], "beside it nobody else looks"
    jobs.close()


def test_whoever_starts_a_run_once_it_has_recorded_what_was_missed_needs_room(
    world: ScheduledWorld, tmp_path: Path
) -> None:
    world.clock.set_s += 86_400  # of two occurrences of each, one is missed
    jobs = SomeJobs(world, tmp_path / "state", max_runs=2)
    jobs.looping.poll()
    world.clock.passed_s += 3_600
    jobs.looping.poll()
    assert len(jobs.started) == 2
    jobs.close()


def test_whoever_fails_again_and_again_keeps_nobody_from_the_others(
    world: ScheduledWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = SomeJobs(world, tmp_path / "state", max_runs=1)
    at = []
    for _ in range(400):
        count = len(jobs.started)
        jobs.looping.poll()
        world.clock.passed_s += 10
        if len(jobs.started) == count:
            continue
        world.clock.passed_s += 90  # it fails slowly
        at.append((jobs.started[-1], world.clock.passed_s))
        jobs.end(jobs.started[-1], 5)
    jobs.close()
    assert set(jobs.started) == set(NAMES) and sorted(jobs.started[:5]) == sorted(NAMES), "each has had its turn"
    of_one = [passed_s for name, passed_s in at if name == "one"]
    pauses = [later - before for before, later in pairwise(of_one)]
    assert min(pauses) >= 60 and max(pauses) >= 600, "longer and longer"
    assert "one: its process ended with exit code 5. It is polled again in 120 s." in caplog.text


def test_a_machine_that_can_have_no_other_process_is_said(
    world: ScheduledWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = SomeJobs(world, tmp_path / "state", max_runs=9)

    def lack(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", lack)
        jobs.looping.poll()
    assert "No other process can be started: Too many open files." in caplog.text
    jobs.looping.poll()
    assert set(NAMES) <= set(jobs.started)
    jobs.close()


def test_a_store_that_is_locked_is_looked_into_again(
    world: ScheduledWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = SomeJobs(world, tmp_path / "state", max_runs=9)
    jobs.looping.poll()
    for each in NAMES:
        jobs.end(each)
    with closing(sqlite3.connect(tmp_path / "state" / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        jobs.context.store.database.rows("PRAGMA busy_timeout = 10")
        jobs.looping.poll()
        other.execute("ROLLBACK")
    assert "at the next poll" in caplog.text
    jobs.looping.poll()
    assert len(jobs.started) == 2 * len(NAMES)
    jobs.close()


def test_a_store_that_is_away_is_said_and_looked_for_again(
    world: ScheduledWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    skip_without_postgres()
    from azext_iotjobs.fleet_job.store.postgres import database

    monkeypatch.setattr(database, "RECONNECT_S", 0.1)
    with postgres_server() as server:
        url = server.url()
        source = world.open()
        team = TeamStore(url, "password", None)
        target = open_team_store(None, team, Access.MAKE)
        copied_jobs(source, target)
        target.close()
        jobs = SomeJobs(world, tmp_path / "state", max_runs=9, team=team)
        server.stop()
        jobs.looping.poll()
        assert jobs.started == [] and "cannot be reached" in caplog.text and "at the next poll" in caplog.text
        server.start()
        jobs.looping.poll()
        assert sorted(jobs.started) == sorted(NAMES) and "The store is there again." in caplog.text
        jobs.close()
    source.close()


def test_a_damaged_row_of_one_keeps_nobody_from_the_others(world: ScheduledWorld, tmp_path: Path) -> None:
    store = world.open()
    assert store.occurrences.claim("two", FIRST, HOLDER, world.clock.now()) is not None
    store.close()
    with closing(sqlite3.connect(tmp_path / "state" / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("UPDATE occurrence SET decided_at = 'soon'")
    jobs = SomeJobs(world, tmp_path / "state", max_runs=9)
    jobs.looping.poll()
    assert sorted(jobs.started) == sorted(NAMES)
    jobs.close()
