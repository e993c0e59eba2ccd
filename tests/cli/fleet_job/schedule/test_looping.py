"""`run-due --loop`: which schedules it starts processes for."""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule.looping import Child, _Looping
from azext_iotjobs.model.fleet_job import Driver
from tests.helpers.fleet_job_hub_double import definition_of
from tests.helpers.schedule_setup import DEVICES, FIRST, METHOD, ScheduledWorld, daily


def test_a_schedule_that_means_nothing_on_this_machine_is_polled_and_so_are_the_others(tmp_path: Path) -> None:
    world = ScheduledWorld(tmp_path / "state")
    store = world.begin(daily())
    world.save(store, definition_of(METHOD, DEVICES, Driver.CALLS), "a-first")
    odd = replace(daily(), zone="Moon/Tranquility")
    store.schedules.save("a-first", odd, at=world.clock.now(), by="ann", store_key=world.key)
    world.clock.set_s += (FIRST - world.clock.now()).total_seconds()
    started: list[str] = []

    def start(job: str) -> Child:
        started.append(job)
        return Child(subprocess.Popen([sys.executable, "-c", ""]), tempfile.TemporaryFile())

    context = FleetJobContext(None, {}, str(tmp_path / "state"), None)
    looping = _Looping(context, None, start, world.clock)
    looping.poll()
    looping.poll()
    assert started == ["a-first", "job"], "each once, until its pause is over"
    looping.stop()
    context.store.close()


@pytest.mark.parametrize(("code", "is_polled"), [(0, True), (4, True), (8, True), (10, True), (1, False), (5, False)])
def test_after_a_process_that_could_not_do_all_there_is_a_pause(tmp_path: Path, code: int, is_polled: bool) -> None:
    """Devices that have failed are no reason for one: the next occurrence may be due."""
    world = ScheduledWorld(tmp_path / "state")
    world.begin(daily()).close()
    world.clock.set_s += (FIRST - world.clock.now()).total_seconds()
    started: list[subprocess.Popen[bytes]] = []

    def start(job: str) -> Child:
        started.append(subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"]))
        return Child(started[-1], tempfile.TemporaryFile())

    context = FleetJobContext(None, {}, str(tmp_path / "state"), None)
    looping = _Looping(context, None, start, world.clock)
    looping.poll()
    started[0].wait(30)
    looping.reap()
    looping.poll()
    assert len(started) == (2 if is_polled else 1)
    looping.stop()
    context.store.close()
