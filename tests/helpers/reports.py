"""A run as reports show it, its rows, and what devices may send to harm whoever reads a report."""

import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from azext_iotjobs.cli.output.report import junit, markdown, page
from azext_iotjobs.cli.output.report.cases import MAIN_COLUMNS, device_cases
from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, RUN_COLUMNS
from azext_iotjobs.cli.output.result_rows import render_run_result
from azext_iotjobs.model.report import DEVICES, Case, Fact, Report, Section
from azext_iotjobs.model.result import DeviceResult, ErrorClass

STARTED = datetime(2026, 11, 29, 10, tzinfo=timezone.utc)
RENDER = {"junit": junit.render, "markdown": markdown.render, "html": page.render}
ELSEWHERE = "http://elsewhere.invalid/"  # what no page may load or link to
HOSTILE = {
    "end of script": "</script><script>document.title = 'taken over'</script>",
    "comment": "<!--<script>",
    "image": f"<img src='{ELSEWHERE}a.png' onerror=\"document.title = 'taken over'\">",
    "link": f"[click]({ELSEWHERE}) {ELSEWHERE} www.elsewhere.invalid a@elsewhere.invalid @everyone",
    "picture": f"![x]({ELSEWHERE}a.png)",
    "table": "a | b || c\\| d \\\\| e",
    "backticks": "`one` ``two`` ```three``` `",
    "lines": "first\r\nsecond\n| third |\n# fourth\n\n---\n<h1>fifth</h1>\ttab",
    "controls": "\x00\x07\x1b[31mred\x1b[0m\x7f\x85\x9b",
    "directions": "abc\u202edcba\u202c\u2066x\u2069\u200f",
    "surrogates": "half \ud83d and \udc00 half",
    "noncharacters": "\ufffe\uffff",
    "formula": '=HYPERLINK("http://elsewhere.invalid/","x")',
    "formula after quotes": "''=1+1",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "entities": "&amp; &lt;b&gt; &#60; ]]> <![CDATA[",
    "template": "${title} $x {{7*7}} %s \\u003c",
    "spaces": "   ",
    "long": "x" * 1_000_000,
    "emoji": "🚒 grün",
}


def result(number: int, **changes: Any) -> DeviceResult:
    """One that completed, in batches of ten."""
    began = STARTED + timedelta(minutes=number // 10, milliseconds=number)
    given = {
        "device_id": f"pump-{number:05}",
        "module_id": None,
        "status": "completed",
        "error_class": None,
        "error_code": None,
        "error_text": None,
        "method_status": 200,
        "payload": {"ok": True},
        "started_at": began,
        "finished_at": began + timedelta(seconds=1.25),
        "batch": number // 10 + 1,
        "tries": 1,
    }
    return DeviceResult(**{**given, **changes})


def failed(number: int, error_class: ErrorClass, **changes: Any) -> DeviceResult:
    """One that failed."""
    return result(
        number, **{"status": "failed", "error_class": error_class, "method_status": None, "payload": None, **changes}
    )


def open_one(number: int, status: str) -> DeviceResult:
    """One that has not ended."""
    return result(number, status=status, method_status=None, payload=None, finished_at=None)


def mixed(count: int) -> Iterator[DeviceResult]:
    """Devices of which each tenth is offline, each tenth is rejected, and one is of each other state."""
    odd = {3: "uncertain", 4: "verifying", 5: "waiting", 6: "pending"}
    for number in range(count):
        if number % 10 == 1:
            code, text = "DeviceNotOnline", "the device is not connected"
            yield failed(number, ErrorClass.OFFLINE, error_code=code, error_text=text)
        elif number % 10 == 2:
            yield failed(number, ErrorClass.REJECTED, method_status=500, payload={"error": "no room"})
        elif number in odd:
            yield open_one(number, odd[number])
        else:
            yield result(number)


def hostile() -> list[DeviceResult]:
    """A device for each thing that harms; each said it in three places."""
    return [
        failed(number, ErrorClass.REJECTED, method_status=500, error_text=text, payload={text: text}, error_code=text)
        for number, text in enumerate(HOSTILE.values())
    ]


def report(batch_count: int, *, facts: Iterable[Fact] = (), **changes: Any) -> Report:
    """A run that has ended, a minute for each batch."""
    sections = tuple(
        Section(
            number=number,
            name=f"batch {number}",
            status="completed",
            started_at=STARTED + timedelta(minutes=number - 1),
            ended_at=STARTED + timedelta(minutes=number - 1, seconds=30),
        )
        for number in range(1, batch_count + 1)
    )
    given: dict[str, Any] = {
        "title": "Run 2 of fleet job fw-7",
        "subject": "fw-7",
        "status": "completed",
        "ended_well": True,
        "wording": DEVICES,
        "facts": (Fact("fleet job", "fw-7"), Fact("run", "2"), *facts),
        "sections": sections,
        "columns": (*CALL_COLUMNS, *RUN_COLUMNS),
        "main_columns": MAIN_COLUMNS,
        "host": "h.example",
        "started_at": STARTED,
        "ended_at": STARTED + timedelta(minutes=batch_count),
        "made_at": STARTED + timedelta(hours=1),
    }
    return Report(**{**given, **changes})


def rows_of(results: Iterable[DeviceResult]) -> Iterator[Mapping[str, Any]]:
    """As commands show them."""
    return map(render_run_result, results)


def cases_of(results: Iterable[DeviceResult]) -> Iterator[Case]:
    """As a report has them."""
    return device_cases(rows_of(results))


def rendered(form: str, results: Iterable[DeviceResult], about: Report | None = None) -> str:
    """A report of these devices. form: of RENDER.  about: None: a run with as many batches as they need."""
    results = list(results)
    about = about or report(max((each.batch or 1 for each in results), default=1))
    text = io.StringIO()
    with CaseSpool() as spool:
        spool.add(cases_of(results))
        for part in RENDER[form](about, spool):
            text.write(part)
    return text.getvalue()
