"""`run-due` at the door: what does not fit together, how many devices, in whose name it stops, and what is shown."""

import threading
from dataclasses import replace
from datetime import datetime, time, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule import run as door
from azext_iotjobs.cli.fleet_job.schedule.save import _warn_of_shut_windows
from azext_iotjobs.cli.fleet_job.schedule.tables import happened as table
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.fleet_job import Driver, FleetJob
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE, Frequency, Rule, Schedule, Window
from azext_iotjobs.operations.fleet_job.schedule.run_due import Happened, What
from tests.fleet_job.test_engine import RUN
from tests.helpers.fleet_job_hub_double import definition_of
from tests.helpers.schedule_setup import DEVICES, METHOD

NOW = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)


def cmd(**configured: Any) -> Any:
    config = SimpleNamespace(get=lambda section, name, fallback=None: configured.get(name, fallback))
    return SimpleNamespace(cli_ctx=SimpleNamespace(only_show_errors=True, config=config, data={}))


def context(folder: Path) -> FleetJobContext:
    return FleetJobContext(SimpleNamespace(), {}, str(folder), None, Access.CHANGE)


def test_a_loop_ends_with_0_anyway(tmp_path: Path) -> None:
    with pytest.raises(ConflictingChoice, match="leave --exit-zero out"):
        door.run_due(cmd(), context(tmp_path), loop=True, exit_zero=True)


@pytest.mark.parametrize(("own", "configured", "limit"), [(None, "3", 3), (2, "3", 2), (None, None, None)])
def test_the_configured_limit_of_devices_counts(
    tmp_path: Path, own: int | None, configured: str | None, limit: int | None
) -> None:
    definition = definition_of(METHOD, DEVICES, Driver.CALLS)
    definition = replace(definition, targets=replace(definition.targets, max_devices=own))
    made: dict[str, Any] = {"created_at": NOW, "created_by": "ann", "edited_at": NOW, "edited_by": "ann"}
    job = FleetJob(fleet_job_id="job", host="h", version=1, definition=definition, **made)
    given = {} if configured is None else {"max_devices": configured}
    with door._Polling(cmd(**given), context(tmp_path), threading.Event(), assume_yes=True, stop_by="me") as polling:
        assert polling.context.limited(job).definition.targets.max_devices == limit


@pytest.mark.parametrize(("stop_by", "said"), [(BY_SCHEDULE, "the next poll"), ("ann@here", "`fleet-job resume`")])
def test_a_run_is_stopped_in_the_name_of_who_goes_on_with_it(
    tmp_path: Path, stop_by: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit), caplog.at_level("WARNING"):
        with door._Polling(cmd(), context(tmp_path), threading.Event(), assume_yes=True, stop_by=stop_by) as polling:
            made = polling.context.run_context(lambda: pytest.fail("no hub is needed"), None)
            assert made.stop_by == stop_by
            raise KeyboardInterrupt
    assert f"{said} goes on with it" in caplog.text


def test_what_happened_has_its_status_and_its_run() -> None:
    started = Happened(fleet_job_id="job", at=NOW, what=What.STARTED, run=replace(RUN, state=RunState.COMPLETED))
    missed = Happened(fleet_job_id="job", at=NOW, what=What.MISSED, note="Nobody looked.")
    found = [door._document(each) for each in (started, missed)]
    assert [(each["status"], each["run"]) for each in found] == [("started", 1), ("missed", None)]
    assert found[0]["lastRun"]["status"] == "completed" and found[1]["lastRun"] is None
    shown = [(each["Status"], each["Run"], each["RunStatus"]) for each in table(found)]
    assert shown[0][0] == "started" and shown[0][2] == "completed" and shown[1][0] == "missed"


def test_what_lies_ahead_is_not_made_up_for() -> None:
    schedule = Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(2)), zone="UTC")
    stored = StoredSchedule(
        fleet_job_id="job", host="h", schedule=schedule, set_at=NOW, set_by="ann", store_key="aaaaaaaa"
    )
    with pytest.raises(BadValue, match="--since 2999-01-01 lies ahead"):
        door._span(stored, "2999-01-01", None)


@pytest.mark.parametrize(("ended_by", "is_said"), [(None, True), ("bob", False)])
def test_who_sees_a_run_break_off_is_told_how_to_end_it(
    tmp_path: Path, ended_by: str | None, is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    failed = replace(RUN, state=RunState.FAILED, reason="The hub is away.", ended_by=ended_by)
    typed = cmd()
    typed.cli_ctx.register_event = lambda *_: None
    with caplog.at_level("WARNING"):
        happened = Happened(fleet_job_id="job", at=NOW, what=What.RESUMED, run=failed)
        door._reported(typed, context(tmp_path), [happened], exit_zero=False)
    assert ("unless somebody ends it: az iot hub fleet-job stop -j job" in caplog.text) is is_said


@pytest.mark.parametrize(("cron", "is_said"), [("30 2 * * *", False), ("30 2,5 * * *", True)])
def test_a_cron_expression_that_means_hours_in_which_the_window_is_shut_is_warned_of(
    cron: str, is_said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    schedule = Schedule(rule=Rule(frequency=Frequency.CRON, cron=cron), zone="UTC", window=Window(time(2), time(4)))
    stored = StoredSchedule(
        fleet_job_id="job", host="h", schedule=schedule, set_at=NOW, set_by="ann", store_key="aaaaaaaa"
    )
    with caplog.at_level("WARNING"):
        _warn_of_shut_windows(stored)
    assert ("Its window 02:00-04:00 is shut at" in caplog.text) is is_said
