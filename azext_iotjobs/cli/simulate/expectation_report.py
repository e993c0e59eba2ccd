"""The expectations of a simulation as a report: a test case for each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from azext_iotjobs.cli.output.report.writing import write
from azext_iotjobs.cli.output.report_target import ReportTarget
from azext_iotjobs.model.clock import SystemClock, parse_instant
from azext_iotjobs.model.report import EXPECTATIONS, Case, CaseOutcome, Fact, Report, Section
from azext_iotjobs.model.text import counted
from azext_iotjobs.simulator.expectations import Verdict

CLOCK = SystemClock()
MAX_NAMED = 100  # devices of which an expectation is not true; the file of events has all
ONLY_SECTION = 1
COLUMNS = (
    "expectation",
    "status",
    "reason",
    "devicesNeeded",
    "devicesTrue",
    "decidedAfterSeconds",
    "missingCount",
    "missing",
)


def write_report(result: Mapping[str, Any], verdicts: Sequence[Verdict], targets: Iterable[ReportTarget]) -> None:
    """Write a report of a simulation that has ended. Raises BadValue, ConflictingChoice.

    result: as the command prints it.
    """
    write(report_of(result, all_true=all(each.came_true for each in verdicts)), cases_of(verdicts), targets)


def report_of(result: Mapping[str, Any], *, all_true: bool) -> Report:
    """What a report of a simulation is about. result: as the command prints it."""
    started_at = parse_instant(result["startedAt"]).at
    ended_at = started_at + timedelta(seconds=result["seconds"])
    status = "all true" if all_true else "not all true"
    section = Section(number=ONLY_SECTION, name="expectations", status=status, started_at=started_at, ended_at=ended_at)
    return Report(
        title=f"Simulation of {counted(result['devices']['count'], 'device')}",
        subject="simulation",
        status=status,
        ended_well=all_true,
        wording=EXPECTATIONS,
        facts=tuple(_facts(result)),
        sections=(section,),
        columns=COLUMNS,
        main_columns=COLUMNS[:-2],
        host=result["hub"],
        started_at=started_at,
        ended_at=ended_at,
        made_at=CLOCK.now(),
    )


def cases_of(verdicts: Iterable[Verdict]) -> Iterator[Case]:
    """A case for each expectation, in their order."""
    for each in verdicts:
        outcome = CaseOutcome.PASSED if each.came_true else CaseOutcome.FAILED
        yield Case(
            section=ONLY_SECTION,
            name=each.expectation.text,
            outcome=outcome,
            reason=each.reason or None,
            message="" if each.came_true else _message(each),
            duration_s=each.after_s,
            row=_row(each, EXPECTATIONS.outcomes[outcome]),
        )


def _row(verdict: Verdict, status: str) -> Mapping[str, Any]:
    missing = verdict.missing
    return {
        "expectation": verdict.expectation.text,
        "status": status,
        "reason": verdict.reason or None,
        "devicesNeeded": verdict.needed_count,
        "devicesTrue": verdict.held_count,
        "decidedAfterSeconds": round(verdict.after_s, 3),
        "missingCount": verdict.missing_count or None,
        "missing": ", ".join(missing[:MAX_NAMED]) or None,
    }


def _message(verdict: Verdict) -> str:
    return f"true of {counted(verdict.held_count, 'device')}, {verdict.needed_count} needed: {verdict.reason}"


def _facts(result: Mapping[str, Any]) -> Iterator[Fact]:
    yield Fact("hub", result["hub"])
    yield Fact("devices", str(result["devices"]["count"]))
    yield Fact("connected at the end", str(result["devices"]["connectedAtEnd"]))
    yield Fact("ended by", result["endedBy"])
    yield Fact("seed", str(result["seed"]))
    yield Fact("method calls answered", str(result["methods"]["answered"]))
    yield Fact("messages acknowledged", str(result["messages"]["acknowledged"]))
