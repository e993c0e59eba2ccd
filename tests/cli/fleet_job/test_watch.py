"""When `watch` ends on a run that no process executes, and what it gives."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job import watch
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.outcome import Outcome
from tests.helpers.clock_double import ClockDouble
from tests.helpers.fleet_job_hub_double import World, definition_of
from tests.helpers.fleet_job_setup import METHOD, ids


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A state folder with a run that nobody has begun."""
    world = World(tmp_path / "state")
    store = world.open()
    world.new_run(store, world.save(store, definition_of(METHOD, ids(3), Driver.CALLS)))
    store.close()
    return tmp_path / "state"


@pytest.mark.parametrize("age_s", [0.0, 50.0, 3600.0])
def test_a_run_that_nobody_begins_is_watched_for_a_minute_at_most(
    made: Path, age_s: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, codes = ClockDouble(), list[Any]()
    clock.passed_s = age_s
    monkeypatch.setattr(watch, "CLOCK", clock)
    context = SimpleNamespace(only_show_errors=True, register_event=lambda _, leave: codes.append(leave))
    client = FleetJobContext(None, {}, str(made), None, access=Access.READ)
    with caplog.at_level(logging.WARNING):
        shown = watch.watch(SimpleNamespace(cli_ctx=context), client, "job")
    client.store.close()
    assert (shown["status"], shown["waiting"]) == ("pending", None)
    assert "is pending. No process executes it. Resume it: az iot hub fleet-job resume -j job" in caplog.text
    assert sum(clock.slept) == max(0.0, watch.NEW_S - age_s)
    with pytest.raises(SystemExit) as left:
        codes[0]()
    assert left.value.code == int(Outcome.STOPPED)
