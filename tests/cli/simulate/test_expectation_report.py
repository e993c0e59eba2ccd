"""The expectations of a simulation as a report, and what its option refuses."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.output.report_target import target_of
from azext_iotjobs.cli.simulate import monitor
from azext_iotjobs.cli.simulate.expectation_report import MAX_NAMED, write_report
from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, UserError
from azext_iotjobs.simulator.expectations import Verdict

RESULT: dict[str, Any] = {
    "hub": "localhost:8883",
    "seed": 7,
    "startedAt": "2026-11-29T10:00:00.000Z",
    "seconds": 61.5,
    "endedBy": "expectations",
    "devices": {"count": 300, "connectedAtEnd": 299},
    "methods": {"answered": 12},
    "messages": {"acknowledged": 0},
}


def verdict(text: str, *, missing: int = 0, reason: str = "") -> Verdict:
    return Verdict(
        expectation=parse_expectation(text),
        came_true=not reason,
        after_s=2.5,
        reason=reason,
        needed_count=300,
        held_count=300 - missing,
        missing=[f"pump-{number}" for number in range(missing)],
        missing_count=missing,
    )


def written(folder: Path, name: str, *verdicts: Verdict) -> str:
    write_report(RESULT, verdicts, [target_of(str(folder / name), "--report", overwrites=True)])
    return (folder / name).read_text(encoding="utf-8")


def test_each_expectation_is_a_test_case_and_one_that_is_not_true_a_failure(tmp_path: Path) -> None:
    untrue = verdict("method reboot on all within 1m", missing=2, reason="not in time")
    (suite,) = ElementTree.fromstring(written(tmp_path, "r.xml", verdict("connected on all"), untrue))
    assert [suite.get(each) for each in ("name", "tests", "failures", "time")] == [
        *("Simulation of 300 devices", "2", "1", "61.500"),
    ]
    good, bad = suite.findall("testcase")
    assert (good.get("name"), good.get("classname"), list(good)) == ("connected on all", "simulation.expectations", [])
    failure = bad.find("failure")
    assert failure is not None and failure.get("type") == "not in time"
    assert "missing: pump-0, pump-1" in str(failure.text).splitlines()


def test_of_many_missing_devices_the_first_are_named_and_all_counted(tmp_path: Path) -> None:
    text = written(tmp_path, "r.xml", verdict("connected on all", missing=250, reason="not before the end"))
    assert "missingCount: 250" in text and f", pump-{MAX_NAMED - 1}<" in text and f"pump-{MAX_NAMED}" not in text


def test_as_markdown_and_as_a_page_it_says_how_many_are_true(tmp_path: Path) -> None:
    verdicts = (verdict("connected on all"), verdict("telemetry on 5", missing=300, reason="not in time"))
    text = written(tmp_path, "r.md", *verdicts)
    assert (
        text.startswith("# ❌ Simulation of 300 devices: not all true")
        and "| All | True | Not true |" in text
        and "| 2 | 1 | 1 |" in text
    )
    assert "50.0 % of 2 expectations true" in written(tmp_path, "r.html", *verdicts)


def test_where_all_are_true_the_report_is_good(tmp_path: Path) -> None:
    assert written(tmp_path, "r.md", verdict("connected on all")).startswith("# ✅ ")


@pytest.mark.parametrize(
    ("typed", "error", "text"),
    [
        ({"report": ["r.xml"]}, MissingChoice, "--report needs --expect"),
        ({"report": ["r.txt"], "expect": ["connected on all"]}, BadValue, "--report r.txt: the name of a report ends"),
        ({"report": ["r.xml", "./r.xml"], "expect": ["connected on all"]}, ConflictingChoice, "r.xml is given twice"),
        ({"report": [""], "expect": ["connected on all"]}, BadValue, "--report : the name"),
        ({"report": ["no/where/r.xml"], "expect": ["connected on all"]}, BadValue, "there is no folder no"),
        ({"report": ["r.md", "r.md"], "expect": ["connected on all"]}, ConflictingChoice, "r.md is given twice"),
        ({"overwrite": True}, ConflictingChoice, "--overwrite needs --events or --report"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_done(
    typed: dict[str, Any], error: type[UserError], text: str
) -> None:
    with pytest.raises(error, match=text):
        monitor.read(SimulateOptions(**typed))


def test_a_report_that_is_there_is_replaced_only_where_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "r.xml"
    path.write_text("mine")
    with pytest.raises(ConflictingChoice, match="already exists"):
        monitor.read(SimulateOptions(report=[str(path)], expect=["connected on all"]))
    plan = monitor.read(SimulateOptions(report=[str(path)], expect=["connected on all"], overwrite=True))
    assert [each.form for each in plan.reports] == ["junit"] and path.read_text() == "mine"
