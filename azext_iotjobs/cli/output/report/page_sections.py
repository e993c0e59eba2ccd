"""The parts of a report's page about its sections, with their times as bars, and about why cases failed."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.cli.output.report.spool import CaseSpool, Reason
from azext_iotjobs.cli.output.report.texts import cut, duration, heading, html_text, moment, percent
from azext_iotjobs.model.report import CaseOutcome, Counts, Report, Section, between_s

MAX_SECTIONS = 500
MAX_NAME = 120  # characters
WIDTH = 1000  # of a drawing, which is stretched to its column
MEANINGS = {  # of error classes and states
    "offline": "was not connected, or not until the deadline",
    "timeout": "was connected and did not answer in time",
    "throttled": "the hub had too much to do",
    "not-found": "is not, or no longer, in the registry",
    "rejected": "answered with a status that does not mean success",
    "not-verified": "was operated, and does not report what it has to",
    "other": "failed in another way",
    "uncertain": "the process or the connection broke: whether it was operated cannot be known",
    "verifying": "was operated; it is not seen yet that it reports so",
    "waiting": "is offline, and is operated once it connects",
    "pending": "was not operated yet, or is to be tried again",
    "in-progress": "is being operated",
}
STATUS_TONES = {"completed": "passed", "failed": "failed", "stopped": "uncertain", "canceled": "uncertain"}


Span = tuple[datetime, datetime]  # from the first start to the last end


class Head(NamedTuple):
    """The head of a column."""

    html: str
    css_class: str = ""


def share_bar(counts: Counts, kind: str) -> str:
    """How many cases came to what, as one bar; numbers beside it say the same. kind: its class in the style sheet."""
    return _drawing(kind, _shares(counts, 0.0, WIDTH))


def sections(report: Report, cases: CaseSpool) -> Iterator[str]:
    """The table of sections; nothing where there is only one."""
    if len(report.sections) < 2:
        return
    wording, span = report.wording, _span(report)
    title = heading(wording.sections)
    caption = f"{title}: their numbers of {wording.cases}, and when they ran"
    yield _table_head("sections", title, caption, _section_heads(report, span))
    for section in report.sections[:MAX_SECTIONS]:
        yield _section_row(section, report, cases.by_section.get(section.number, Counts()), span)
    more = len(report.sections) - MAX_SECTIONS
    note = f"{more:,} more {wording.sections} are not shown here; the results have their {wording.cases}."
    yield _table_end(note if more > 0 else "")


def reasons(report: Report, cases: CaseSpool) -> Iterator[str]:
    """The table of why cases failed, are uncertain or have not ended; nothing where all passed."""
    counts = cases.counts
    if counts.passed == counts.total:
        return
    title = "Failures by class" if counts.failed or counts.uncertain else "Not ended, by state"
    heads = (
        Head("Class or state"),
        Head(heading(report.wording.cases), "count"),
        Head("Share", "count"),
        Head("", "bars"),
        Head("The first"),
    )
    yield _table_head("reasons", title, f"Why {report.wording.cases} failed, or have not ended", heads)
    for outcome in CaseOutcome:
        if outcome is not CaseOutcome.PASSED:
            for each in cases.reasons(outcome):
                yield _reason_row(outcome, each, counts.total)
    yield _table_end("")


def _table_head(name: str, title: str, caption: str, heads: Iterable[Head]) -> str:
    return (
        f'<section aria-labelledby="{name}-title">\n<h2 id="{name}-title">{title}</h2>\n'
        f'<div class="scroll" role="region" aria-labelledby="{name}-title" tabindex="0">\n<table id="{name}">\n'
        f'<caption class="hidden">{caption}</caption>\n<thead><tr>{"".join(map(_head, heads))}</tr></thead>\n<tbody>\n'
    )


def _table_end(note: str) -> str:
    below = f'<p class="note">{note}</p>\n' if note else ""
    return f"</tbody>\n</table>\n</div>\n{below}</section>\n"


def _head(head: Head) -> str:
    css_class = f' class="{head.css_class}"' if head.css_class else ""
    return f'<th scope="col"{css_class}>{head.html}</th>' if head.html else f"<td{css_class}></td>"


def _section_heads(report: Report, span: Span | None) -> Iterator[Head]:
    yield Head(heading(report.wording.section))
    yield Head("Status")
    yield Head(heading(report.wording.cases), "count")
    for word in report.wording.outcomes.values():
        yield Head(word.capitalize(), "count")
    yield Head("Started")
    yield Head("Took", "count")
    if span is not None:
        ends = "".join(f"<span>{_clock(each)}</span>" for each in span)
        yield Head(f'<span class="hidden">Times from to</span><span class="span">{ends}</span>', "bars")


def _section_row(section: Section, report: Report, counts: Counts, span: Span | None) -> str:
    tone = STATUS_TONES.get(section.status, "open")
    numbers = (counts.total, *(counts.of(outcome) for outcome in report.wording.outcomes))
    cells = "".join(f'<td class="{_css_class(each)}">{each:,}</td>' for each in numbers)
    started = moment(section.started_at)
    bar = "" if span is None else f'<td class="bars">{_time_bar(section, counts, span)}</td>'
    return (
        f'<tr><th scope="row" class="still" data-filter="{report.wording.section}" data-value="{section.number}">'
        f'{html_text(section.name)}</th><td><span class="badge {tone}">{html_text(section.status)}</span></td>{cells}'
        f'<td class="still">{started}</td><td class="count">{duration(section.duration_s)}</td>{bar}</tr>\n'
    )


def _reason_row(outcome: CaseOutcome, reason: Reason, total: int) -> str:
    column = "errorClass" if outcome is CaseOutcome.FAILED else "status"
    bar = _drawing("part", [_bar(outcome, 0.0, WIDTH * reason.case_count / total)])
    names = ", ".join(f"<bdi>{html_text(cut(each, MAX_NAME))}</bdi>" for each in reason.first_names)
    more = ", …" if reason.case_count > len(reason.first_names) else ""
    meaning = MEANINGS.get(reason.reason)
    said = f'<span class="meaning">{meaning}</span>' if meaning else ""
    return (
        f'<tr><th scope="row"><span data-filter="{column}" data-value="{html_text(reason.reason)}">'
        f'{html_text(cut(reason.reason, MAX_NAME))}</span>{said}</th><td class="count">{reason.case_count:,}</td>'
        f'<td class="count">{percent(reason.case_count, total)}</td><td class="bars">{bar}</td>'
        f"<td>{names}{more}</td></tr>\n"
    )


def _span(report: Report) -> Span | None:
    """From the first start of a section to the last end; None: none has started."""
    starts = [each.started_at for each in report.sections if each.started_at is not None]
    ends = [each.ended_at or report.made_at for each in report.sections if each.started_at is not None]
    return (min(starts), max(ends)) if starts else None


def _time_bar(section: Section, counts: Counts, span: Span) -> str:
    """When a section ran, in the colors of what its cases came to; the columns beside it say the same."""
    whole_s = between_s(*span)
    if section.started_at is None or not whole_s:
        return ""
    begin = WIDTH * (between_s(span[0], section.started_at) or 0.0) / whole_s
    end = WIDTH * (between_s(span[0], section.ended_at or span[1]) or 0.0) / whole_s
    width = max(end - begin, WIDTH / 150)
    track = f'<rect class="track" width="{WIDTH}" height="10"/>'
    return _drawing("time", [track, *_shares(counts, min(begin, WIDTH - width), width)])


def _shares(counts: Counts, begin: float, width: float) -> Iterator[str]:
    """A bar for each outcome, side by side."""
    for outcome in CaseOutcome:
        part = width * counts.of(outcome) / counts.total if counts.total else 0.0
        if part:
            yield _bar(outcome, begin, part)
        begin += part


def _bar(outcome: CaseOutcome, begin: float, width: float) -> str:
    return f'<rect class="{outcome.value}" x="{begin:.2f}" width="{width:.2f}" height="10"/>'


def _drawing(kind: str, bars: Iterable[str]) -> str:
    box = f'viewBox="0 0 {WIDTH} 10" preserveAspectRatio="none" aria-hidden="true" focusable="false"'
    return f'<svg class="{kind}" {box}>{"".join(bars)}</svg>'


def _css_class(count: int) -> str:
    return "count" if count else "count zero"


def _clock(at: datetime) -> str:
    return moment(at)[11:]
