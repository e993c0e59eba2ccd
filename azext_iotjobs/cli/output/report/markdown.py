"""A report as GitHub-flavoured Markdown, short enough for the summary of a pipeline's step.

What devices sent stands in code spans, where nothing is a link, a mention, HTML or markup.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.report.texts import cut, duration, heading, moment, one_line, percent
from azext_iotjobs.model.report import CaseOutcome, Counts, Report, Section

# GitHub discards the summary of a step that is larger than 1024 KiB; other steps' commands may add to it.
MAX_BYTES = 900_000
MAX_SECTIONS = 100
MAX_CASES = 200  # failed and uncertain ones together
MAX_VALUE = 300  # characters of one value
SIGNS = {True: "✅", False: "❌", None: "⏳"}
LISTED = (CaseOutcome.FAILED, CaseOutcome.UNCERTAIN)


def render(report: Report, cases: CaseSpool) -> Iterator[str]:
    """The document, in parts."""
    size = 0
    for part in _parts_before_cases(report, cases):
        size += len(part.encode())
        yield part
    yield from _cases(report, cases, MAX_BYTES - size)


def _parts_before_cases(report: Report, cases: CaseSpool) -> Iterator[str]:
    yield f"# {SIGNS[report.is_good(cases.counts)]} {_plain(report.title)}: {_plain(report.status)}\n\n"
    facts = ((_plain(each.name), _code(each.value)) for each in report.facts)
    yield _table(("About", ""), facts)
    yield f"## {heading(report.wording.cases)}\n\n"
    yield _table(_count_heads(report), [_counts(report, cases.counts)], first_number=0)
    if len(report.sections) > 1:
        yield from _sections(report, cases)
    yield from _reasons(report, cases)


def _sections(report: Report, cases: CaseSpool) -> Iterator[str]:
    shown = report.sections[:MAX_SECTIONS]
    heads = (heading(report.wording.section), "Status", *_count_heads(report), "Started (UTC)", "Took")
    yield f"## {heading(report.wording.sections)}\n\n"
    yield _table(heads, (_section(each, report, cases) for each in shown), first_number=2, last_number=6)
    yield _left_out(len(report.sections) - len(shown), report.wording.section, report.wording.sections)


def _section(section: Section, report: Report, cases: CaseSpool) -> Sequence[str]:
    counts = cases.by_section.get(section.number, Counts())
    return (
        section.name,
        section.status,
        *_counts(report, counts),
        moment(section.started_at),
        duration(section.duration_s),
    )


def _reasons(report: Report, cases: CaseSpool) -> Iterator[str]:
    total = cases.counts.total
    ended_otherwise = (each for each in CaseOutcome if each is not CaseOutcome.PASSED)
    found = [(outcome, each) for outcome in ended_otherwise for each in cases.reasons(outcome)]
    if not found:
        return
    yield "## Why\n\n"
    rows = (
        (
            report.wording.outcomes[outcome],
            _code(each.reason),
            f"{each.case_count:,}",
            percent(each.case_count, total),
            ", ".join(map(_code, each.first_names)),
        )
        for outcome, each in found
    )
    yield _table(
        ("Outcome", "Class or state", heading(report.wording.cases), "Share", "The first"),
        rows,
        first_number=2,
        last_number=3,
    )


def _cases(report: Report, cases: CaseSpool, room_bytes: int) -> Iterator[str]:
    """The first cases that failed, as far as there is room, and how many are left out."""
    total = sum(cases.counts.of(outcome) for outcome in LISTED)
    if not total:
        return
    failed = (case for outcome in LISTED for case in cases.cases(outcome=outcome))
    has_sections = len(report.sections) > 1
    heads = (heading(report.wording.case), *([heading(report.wording.section)] * has_sections), "Class", "Why")
    yield f"## {heading(report.wording.cases)} that failed\n\n{_head(heads)}"
    shown = 0
    for case in failed:
        section = [str(case.section)] * has_sections
        line = _line((_code(case.name), *section, _code(case.reason or ""), _code(case.message)))
        room_bytes -= len(line.encode())
        if shown == MAX_CASES or room_bytes < 0:
            break
        shown += 1
        yield line
    yield "\n" + _left_out(total - shown, report.wording.case, report.wording.cases)


def _left_out(count: int, one: str, many: str) -> str:
    if not count:
        return ""
    return f"_{count:,} more {one if count == 1 else many} not shown here; a report as HTML has all of them._\n\n"


def _count_heads(report: Report) -> tuple[str, ...]:
    return ("All", *(word.capitalize() for word in report.wording.outcomes.values()))


def _counts(report: Report, counts: Counts) -> tuple[str, ...]:
    return (f"{counts.total:,}", *(f"{counts.of(outcome):,}" for outcome in report.wording.outcomes))


def _table(
    heads: Sequence[str], rows: Iterable[Iterable[str]], first_number: int | None = None, last_number: int | None = None
) -> str:
    """first_number, last_number: which columns are aligned as numbers are; None: none, or all from the first on."""
    return _head(heads, first_number, last_number) + "".join(map(_line, rows)) + "\n"


def _head(heads: Sequence[str], first_number: int | None = None, last_number: int | None = None) -> str:
    last = len(heads) if last_number is None else last_number
    rules = ("--:" if first_number is not None and first_number <= at <= last else "---" for at in range(len(heads)))
    return _line(heads) + _line(rules)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _plain(text: str) -> str:
    """A text that we wrote, of which a part may be a name that somebody gave."""
    return re.sub(r"([\\`*_\[\]<>|~:@.&])", r"\\\1", one_line(text))


def _code(text: str) -> str:
    """A text as a code span that fits a table's cell; nothing for nothing."""
    if not text:
        return ""
    text = cut(one_line(text), MAX_VALUE).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"
