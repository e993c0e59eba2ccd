"""Reports as Markdown: read by a parser of GitHub's dialect, with the texts that harm."""

import re
from collections.abc import Iterable

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from azext_iotjobs.cli.output.report.markdown import MAX_BYTES, MAX_CASES, MAX_SECTIONS
from azext_iotjobs.model.report import Fact
from azext_iotjobs.model.result import ErrorClass
from tests.helpers.reports import ELSEWHERE, HOSTILE, failed, hostile, mixed, rendered, report, result

PARSER = MarkdownIt("gfm-like")


def tokens(text: str) -> list[Token]:
    return [inner for each in PARSER.parse(text) for inner in (each, *(each.children or ()))]


def table_below(text: str, title: str) -> list[list[str]]:
    """The table below a heading, as its cells' texts, the heads first."""
    found, rows = False, list[list[str]]()
    parsed = PARSER.parse(text)
    for at, token in enumerate(parsed):
        if token.type == "inline" and parsed[at - 1].type == "heading_open":
            found = token.content == title
        elif found and token.type == "tr_open":
            rows.append([])
        elif found and token.type == "inline" and parsed[at - 1].type in ("th_open", "td_open"):
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


def test_it_says_how_the_run_ended_and_counts_devices_by_what_they_came_to() -> None:
    text = rendered("markdown", mixed(30))
    assert text.startswith("# ❌ Run 2 of fleet job fw")
    assert table_below(text, "Devices") == [
        ["All", "Completed", "Failed", "Uncertain", "Not ended"],
        ["30", "20", "6", "1", "3"],
    ]
    assert [row[0] for row in table_below(text, "Batches")] == ["Batch", "batch 1", "batch 2", "batch 3"]
    assert table_below(text, "Batches")[1][2:7] == ["10", "4", "2", "1", "3"]


@pytest.mark.parametrize(
    ("results", "ended_well", "sign"),
    [([result(0)], True, "✅"), ([result(0)], None, "⏳"), ([result(0)], False, "❌"), (mixed(3), True, "❌")],
)
def test_the_sign_is_good_only_where_the_run_and_every_device_are(
    results: Iterable[object], ended_well: bool | None, sign: str
) -> None:
    text = rendered("markdown", results, report(1, ended_well=ended_well))  # type: ignore[arg-type]
    assert text.startswith(f"# {sign} ")


def test_failures_are_counted_by_class_and_the_first_devices_named() -> None:
    rows = table_below(rendered("markdown", mixed(40)), "Why")
    assert ["failed", "offline", "4", "10.0 %", "pump-00001, pump-00011, pump-00021"] in rows
    assert ["uncertain", "uncertain", "1", "2.5 %", "pump-00003"] in rows
    assert ["not ended", "waiting", "1", "2.5 %", "pump-00005"] in rows


def test_devices_that_failed_are_listed_with_the_reason() -> None:
    rows = table_below(rendered("markdown", mixed(20)), "Devices that failed")
    assert rows[0] == ["Device", "Batch", "Class", "Why"]
    assert rows[1] == ["pump-00001", "1", "offline", "DeviceNotOnline: the device is not connected"]
    assert rows[2] == ["pump-00002", "1", "rejected", 'answered with status 500: {"error": "no room"}']


def test_where_all_went_well_nothing_is_listed() -> None:
    text = rendered("markdown", [result(0)])
    assert "Why" not in text and "that failed" not in text and "## Batches" not in text


def test_devices_and_batches_that_are_left_out_are_counted() -> None:
    text = rendered("markdown", mixed(3_000))
    assert len(table_below(text, "Devices that failed")) == 1 + MAX_CASES
    assert len(table_below(text, "Batches")) == 1 + MAX_SECTIONS
    assert f"_{600 + 1 - MAX_CASES} more devices are not shown" in text.replace(" not shown", " are not shown")
    assert f"_{300 - MAX_SECTIONS} more batches" in text


def test_it_fits_a_steps_summary_even_where_every_device_sends_much() -> None:
    dear = "\U0010ffff" * 1_000  # four bytes for each character
    rows = [failed(number, ErrorClass.OTHER, device_id=dear[:128], error_text=dear) for number in range(1_000)]
    text = rendered("markdown", rows, report(100))
    assert len(text.encode()) < MAX_BYTES < 1024 * 1024
    shown = len(table_below(text, "Devices that failed")) - 1
    assert 0 < shown and f"_{1_000 - shown:,} more devices" in text


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_a_device_sends_is_text_and_nothing_else(kind: str) -> None:
    text = HOSTILE[kind]
    row = failed(0, ErrorClass.OTHER, error_text=text)
    document = rendered("markdown", [row], report(1, facts=[Fact("description", text)]))
    kinds = {each.type for each in tokens(document)}
    assert not kinds & {"link_open", "image", "html_inline", "html_block", "fence", "code_block", "hr", "softbreak"}
    why = table_below(document, "Devices that failed")
    assert len(why) == 2 and len(why[1]) == 3, "the table is as wide and as long as ever"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", document)
    document.encode()


@pytest.mark.parametrize("kind", ["image", "link", "table", "backticks", "entities", "at", "emoji"])
def test_what_can_be_shown_is_shown_as_the_device_sent_it(kind: str) -> None:
    document = rendered("markdown", [failed(0, ErrorClass.OTHER, error_text=HOSTILE[kind])])
    assert table_below(document, "Devices that failed")[1][2] == HOSTILE[kind]


def test_all_that_harms_at_once_makes_no_link_and_no_html() -> None:
    document = PARSER.render(rendered("markdown", hostile()))
    assert "<a " not in document and "<img" not in document and "<script" not in document
    assert ELSEWHERE in document, "it is there, as text"
