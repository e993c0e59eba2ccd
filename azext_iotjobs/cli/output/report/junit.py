"""A report as JUnit XML: a suite for each section, a test case for each case. Streams.

There is no standard; this is what two schemas have in common, that of Apache Ant and that of Jenkins' xUnit plugin, so
that every consumer we know takes it. A failed case is a failure, an uncertain one an error, one that has not ended is
skipped.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.report.texts import cut, one_line, text_of, visible
from azext_iotjobs.model.report import Case, CaseOutcome, Counts, Fact, Report, Section

MAX_VALUE = 4_000  # characters of one value; a payload may have 128 KiB
ELEMENTS = {CaseOutcome.FAILED: "failure", CaseOutcome.UNCERTAIN: "error"}


def render(report: Report, cases: CaseSpool) -> Iterator[str]:
    """The document, in parts. Suites without a case are left out: consumers report them as broken."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
    facts = report.facts
    filled = (each for each in report.sections if each.number in cases.by_section)
    for number, section in enumerate(filled):
        yield _suite_head(report, section, number, cases.by_section[section.number])
        yield _properties((*facts, Fact("state", section.status)))
        facts = ()  # those of the whole stand once
        classname = f"{report.subject}.{section.name.replace(' ', '-')}"
        for case in cases.cases(section=section.number):
            yield _case(case, classname)
        yield "    <system-out></system-out>\n    <system-err></system-err>\n  </testsuite>\n"
    yield "</testsuites>\n"


def _suite_head(report: Report, section: Section, number: int, counts: Counts) -> str:
    began = section.started_at or report.started_at or report.made_at
    attributes = {
        "id": str(number),
        "package": report.subject,
        "name": f"{report.title}, {section.name}" if len(report.sections) > 1 else report.title,
        "hostname": report.host,
        "timestamp": _timestamp(began),
        "time": _seconds(section.duration_s),
        "tests": str(counts.total),
        "failures": str(counts.failed),
        "errors": str(counts.uncertain),
        "skipped": str(counts.open),
    }
    return f"  <testsuite{_attributes(attributes.items())}>\n"


def _properties(facts: Iterable[Fact]) -> str:
    each = (f"      <property{_attributes((('name', fact.name), ('value', fact.value)))}/>\n" for fact in facts)
    return f"    <properties>\n{''.join(each)}    </properties>\n"


def _case(case: Case, classname: str) -> str:
    head = _attributes({"classname": classname, "name": case.name, "time": _seconds(case.duration_s)}.items())
    if case.outcome is CaseOutcome.PASSED:
        return f"    <testcase{head}/>\n"
    reason = case.reason or case.outcome.value
    if case.outcome is CaseOutcome.OPEN:
        return f"    <testcase{head}><skipped{_attributes([('message', reason)])}/></testcase>\n"
    element = ELEMENTS[case.outcome]
    why = _attributes((("type", reason), ("message", case.message or reason)))
    return f"    <testcase{head}>\n      <{element}{why}>{_details(case)}</{element}>\n    </testcase>\n"


def _details(case: Case) -> str:
    """What is known of a case, a line for each."""
    known = ((name, text_of(value)) for name, value in case.row.items())
    return "\n".join(f"{_escaped(name)}: {_escaped(cut(text, MAX_VALUE))}" for name, text in known if text)


def _attributes(pairs: Iterable[tuple[str, str]]) -> str:
    # A parser makes spaces of line ends and tabs in an attribute: they are shown as escapes.
    return "".join(f' {name}="{_escaped(one_line(cut(value, MAX_VALUE)))}"' for name, value in pairs)


def _escaped(text: str) -> str:
    return re.sub(r'[&<>"]', lambda found: f"&#{ord(found[0])};", visible(text))


def _timestamp(at: datetime) -> str:
    """In UTC; Ant's schema has neither an offset nor parts of seconds."""
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def _seconds(seconds: float | None) -> str:
    return f"{seconds or 0.0:.3f}"
