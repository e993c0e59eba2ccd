"""`fleet-job report` at the handler, on a real store: what a report of a run says, and where it goes."""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.fleet_job import report
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.fleet_job.store.contract import Access, ResultFilter
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, NotFound
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import BatchGates, GateDecision, GateKind, GateVerdict
from azext_iotjobs.model.rollout import Retry, RetryWhen
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.selection import Selection
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, failing, ids

CMD = SimpleNamespace()
AT = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def where(tmp_path: Path) -> Iterator[FleetJobContext]:
    """A run of six devices in batches of four, of which two fail."""
    setup = FleetJobSetup(tmp_path)
    setup.world.hub.fails = failing("d001", "d005")
    setup.run(Driver.CALLS, ids(6), sizes="4")
    setup.store.close()
    yield FleetJobContext(None, {}, str(tmp_path / "state"), None, Access.READ)


def verdict(kind: GateKind, decision: GateDecision, reason: str) -> GateVerdict:
    return GateVerdict(kind=kind, decision=decision, reason=reason, at=AT)


def test_junit_counts_what_the_run_did_by_batch(where: FleetJobContext, tmp_path: Path) -> None:
    report.report(CMD, where, "job", output_file=str(tmp_path / "r.xml"))
    suites = ElementTree.parse(tmp_path / "r.xml").getroot().findall("testsuite")
    assert [(each.get("tests"), each.get("failures")) for each in suites] == [("4", "1"), ("2", "1")]
    named = {each.get("name"): each.get("value") for each in suites[0].findall("properties/property")}
    assert (named["fleet job"], named["action"], named["status"]) == ("job", "method reboot", "completed")
    failed = [case.get("name") for suite in suites for case in suite if case.find("failure") is not None]
    assert failed == ["d001", "d005"]


def test_without_a_file_it_is_markdown_on_stdout(
    where: FleetJobContext, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert report.report(CMD, where, "job") is None
    text = capfdbinary.readouterr().out.decode()
    assert text.startswith("# ❌ Run 1 of fleet job job: completed") and "| 6 | 4 | 2 | 0 | 0 |" in text


@pytest.mark.parametrize(("form", "start"), [("junit", "<?xml"), ("html", "<!DOCTYPE html>"), ("markdown", "# ")])
def test_a_form_that_is_typed_counts_and_not_the_ending(
    where: FleetJobContext, tmp_path: Path, form: str, start: str
) -> None:
    report.report(CMD, where, "job", output_file=str(tmp_path / "r.txt"), format=form)
    assert (tmp_path / "r.txt").read_text(encoding="utf-8").startswith(start)


def test_one_that_was_written_is_kept_unless_it_may_be_replaced(where: FleetJobContext, tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    path.write_text("mine")
    with pytest.raises(ConflictingChoice, match=r"--output-file .*r\.md already exists"):
        report.report(CMD, where, "job", output_file=str(path))
    assert path.read_text() == "mine"
    report.report(CMD, where, "job", output_file=str(path), overwrite=True)
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert Counter(each.name for each in tmp_path.iterdir()) == {"r.md": 1, "state": 1}, "nothing else is left"


@pytest.mark.parametrize("name", ["r.pdf", "r", "nowhere/r.html", "."])
def test_a_file_that_cannot_be_is_refused_before_anything_is_read(
    where: FleetJobContext, tmp_path: Path, name: str
) -> None:
    with pytest.raises(BadValue, match="--output-file"):
        report.report(CMD, where, "no-such-job", output_file=str(tmp_path / name))


def test_a_run_that_is_not_there_is_an_error_and_no_file(where: FleetJobContext, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        report.report(CMD, where, "job", 7, output_file=str(tmp_path / "r.html"))
    assert not (tmp_path / "r.html").exists()


def test_a_run_that_goes_on_is_reported_as_it_is_now(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    setup = FleetJobSetup(tmp_path)
    setup.world.new_run(setup.store, setup.world.save(setup.store, definition_of(METHOD, ids(3), Driver.CALLS)))
    setup.store.close()
    report.report(
        CMD,
        FleetJobContext(None, {}, str(tmp_path / "state"), None, Access.READ),
        "job",
        output_file=str(tmp_path / "r.xml"),
    )
    (suite,) = ElementTree.parse(tmp_path / "r.xml").getroot()
    assert (suite.get("skipped"), suite.get("tests")) == ("3", "3")
    assert "is pending: the report shows it as it is now" in caplog.text


def test_it_says_who_approved_a_batch_which_gate_stopped_the_run_and_which_devices_were_left_out(
    where: FleetJobContext,
) -> None:
    job, run = where.store.definitions.get("job"), where.store.runs.get("job")
    some = Selection(condition="tags.site = 'north'", excluded=tuple(ids(12)))
    job = replace(job, definition=replace(job.definition, targets=replace(job.definition.targets, selection=some)))
    passed = verdict(GateKind.SUCCESS, GateDecision.GO, "all completed")
    approved = verdict(GateKind.MANUAL, GateDecision.GO, "approved by ann@desk: looks fine")
    stopped = verdict(GateKind.SUCCESS, GateDecision.STOP, "3 of 4 completed")
    standings = (passed, approved), (replace(stopped, accepted_at=AT),)
    batches = [
        replace(batch, gates=BatchGates(since=AT, verdicts=each))
        for batch, each in zip(where.store.runs.batches(run), standings, strict=True)
    ]
    facts = {fact.name: fact.value for fact in report.report_of(job, run, batches).facts}
    assert facts["devices"].startswith("tags.site = 'north', without d000, d001") and facts["devices"].endswith(
        "2 more"
    )
    assert {name: text for name, text in facts.items() if name.startswith("gate")} == {
        "gate manual after batch 1": "go, approved by ann@desk: looks fine",
        "gate success after batch 2": "stop, 3 of 4 completed; a resume has accepted it",
    }


def test_devices_of_a_batch_that_is_added_while_they_are_read_are_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = FleetJobSetup(tmp_path)
    setup.world.hub.fails = failing("d001", "d005")
    retry = Retry(tries={"offline": 1}, when=RetryWhen.AT_END)
    has_called = StopDouble(when=lambda: sum(setup.world.hub.operated.values()) >= 4)
    assert setup.run(Driver.CALLS, ids(6), retry=retry, stop=has_called).state is RunState.STOPPED
    where = FleetJobContext(None, {}, str(tmp_path / "state"), None, Access.READ)
    read = where.store.results.pages

    def resumed(run: Run, wanted: ResultFilter) -> Iterator[Any]:
        setup.resume()
        yield from read(run, wanted)

    monkeypatch.setattr(where.store.results, "pages", resumed)
    report.report(CMD, where, "job", output_file=str(tmp_path / "r.xml"))
    suites = ElementTree.parse(tmp_path / "r.xml").getroot().findall("testsuite")
    assert sorted(str(case.get("name")) for suite in suites for case in suite.findall("testcase")) == list(ids(6))
    assert len(suites) == 2
