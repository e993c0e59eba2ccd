"""A report as one HTML page that needs no network and has its data in it. Streams.

Totals, sections and reasons are HTML as it stands here; the table of results is made by the page's own script from
JSON, in pages. The page may load nothing: its policy allows the one style and the one script that it has, by their
hashes.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from azext_iotjobs.cli.output.report.page_sections import reasons, sections, share_bar
from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.report.texts import cut, duration, heading, html_text, moment, percent, text_of, visible
from azext_iotjobs.model.report import Case, CaseOutcome, Counts, Report

FOLDER = Path(__file__).with_name("page_files")
MAX_VALUE = 2_000  # characters of one value; a page holds those of 100,000 devices
MAX_EXACT = 2**53 - 1  # JavaScript, Number.MAX_SAFE_INTEGER
DATA = "\0"  # stands for the cases until they are written
FACETS = ("status", "errorClass", "methodStatus", "batch", "deleted", "reason")
TIMES = ("started", "finished", "verified", "offlineSince", "waitsUntil")
WHY = "why"  # a column beside those of the rows: the case's message
FAILED = (CaseOutcome.FAILED, CaseOutcome.UNCERTAIN)
ORDER = (*FAILED, CaseOutcome.OPEN, CaseOutcome.PASSED)
TONES = {True: "passed", False: "failed", None: "open"}


def render(report: Report, cases: CaseSpool) -> Iterator[str]:
    """The document, in parts."""
    style, script = (_file(name) for name in ("report.css", "report.js"))
    own = {"policy": escape(_policy(style, script)), "style": style, "script": script, "cases": DATA}
    texts = {name: html_text(each) for name, each in _texts(report, cases.counts).items()}
    page = Template(_file("page.html")).substitute(own, **texts, **_parts(report, cases))
    before, behind = page.split(DATA)
    yield before
    yield from _data(report, cases)
    yield behind


def _texts(report: Report, counts: Counts) -> Mapping[str, str]:
    """What stands in the page as text."""
    return {
        "title": report.title,
        "status": report.status,
        "tone": TONES[report.is_good(counts)],
        "kind": f"Report of {report.host}",
        "lead": _lead(report, counts),
        "case": report.wording.case,
        "made": f"Made at {moment(report.made_at)} by the Azure CLI extension iotjobs. Times are UTC.",
    }


def _parts(report: Report, cases: CaseSpool) -> Mapping[str, str]:
    """What stands in the page as HTML."""
    facts = (f"<dt>{html_text(each.name)}</dt><dd><bdi>{html_text(each.value)}</bdi></dd>" for each in report.facts)
    return {
        "tiles": "\n".join(_tiles(report, cases.counts, cases)),
        "share": share_bar(cases.counts, "stack"),
        "sections": "".join(sections(report, cases)),
        "reasons": "".join(reasons(report, cases)),
        "facts": "\n".join(facts),
    }


def _file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """For the meta element. Nothing is loaded, nothing is sent, no other script or style is run."""
    hashes = (b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (style, script))
    kinds = (f"{kind} 'sha256-{each}'" for kind, each in zip(("style-src", "script-src"), hashes, strict=True))
    return "; ".join(("default-src 'none'", *kinds, "base-uri 'none'", "form-action 'none'"))


def _lead(report: Report, counts: Counts) -> str:
    ended = f"{percent(counts.passed, counts.total)} of {counts.total:,} {report.wording.cases}"
    began = "" if report.started_at is None else f" · started {moment(report.started_at)}"
    took = "" if report.duration_s is None else f" · took {duration(report.duration_s)}"
    word = report.wording.outcomes[CaseOutcome.PASSED]
    return f"{ended} {word}{began}{took}" if counts.total else f"No {report.wording.cases}{began}{took}"


def _tiles(report: Report, counts: Counts, cases: CaseSpool) -> Iterator[str]:
    yield _tile("", heading(report.wording.cases), counts.total, "")
    for outcome, word in report.wording.outcomes.items():
        more = percent(counts.of(outcome), counts.total)
        if outcome is CaseOutcome.OPEN and counts.open:
            more = ", ".join(f"{each.case_count:,} {each.reason}" for each in cases.reasons(outcome))
        yield _tile(outcome.value, word.capitalize(), counts.of(outcome), more)


def _tile(tone: str, label: str, count: int, more: str) -> str:
    dot = f'<span class="dot {tone}"></span>' if tone else ""
    zero = "" if count else " zero"
    return (
        f'<li><span class="label">{dot}{html_text(label)}</span><span class="number{zero}">{count:,}</span>'
        f'<span class="aside">{html_text(more)}</span></li>'
    )


def _data(report: Report, cases: CaseSpool) -> Iterator[str]:
    """The cases as JSON, a line for each, what failed first. Columns without any value are left out."""
    columns = (*cases.used(report.columns), *([WHY] * any(cases.counts.of(each) for each in FAILED)))
    head = {"one": report.wording.case, "many": report.wording.cases}
    described = [_column(name, report) for name in columns]
    yield f'{{"cases":{_json(head)},"columns":{_json(described)},"rows":['
    separator = "\n"
    for case in (case for outcome in ORDER for case in cases.cases(outcome=outcome)):
        yield separator + _json([case.outcome.value, *_cells(case, columns)])
        separator = ",\n"
    yield "\n]}"


def _column(name: str, report: Report) -> Mapping[str, Any]:
    return {
        "name": name,
        "heading": heading(name),
        "place": report.main_columns.index(name) if name in report.main_columns else None,
        "isOfRow": name != WHY,
        "isFacet": name in FACETS,
        "isState": name == "status",
        "isTime": name in TIMES,
    }


def _cells(case: Case, columns: Iterable[str]) -> Iterator[str | int | float | None]:
    for name in columns:
        value = case.message or None if name == WHY else case.row.get(name)
        yield value if value is None or _is_exact_number(value) else cut(visible(text_of(value)), MAX_VALUE)


def _is_exact_number(value: Any) -> bool:
    """Whether a value is a number that a browser reads as it is; JSON has none that is not finite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_EXACT <= value <= MAX_EXACT


def _json(value: Any) -> str:
    """As it may stand in a script element: no end of it, no comment, no character that an encoding lacks."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
