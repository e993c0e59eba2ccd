"""Reports as JUnit XML: what consumers accept, what each device becomes, and that nobody's text breaks the file."""

import re
import tracemalloc
import xml.etree.ElementTree as ElementTree
from collections import deque

import pytest
import xmlschema

from azext_iotjobs.cli.output.report import junit
from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.model.report import Fact
from azext_iotjobs.model.result import ErrorClass
from tests.helpers.az import REPOSITORY
from tests.helpers.reports import HOSTILE, cases_of, failed, hostile, mixed, open_one, rendered, report, result

SCHEMA = xmlschema.XMLSchema(str(REPOSITORY / "tests" / "data" / "junit.xsd"))


def parsed(text: str) -> ElementTree.Element:
    """The document; it has to be of the schema."""
    SCHEMA.validate(text)
    return ElementTree.fromstring(text)


def only_case(text: str) -> ElementTree.Element:
    found = parsed(text).findall("testsuite/testcase")
    assert len(found) == 1
    return found[0]


def test_each_batch_is_a_suite_that_counts_its_devices() -> None:
    suites = parsed(rendered("junit", mixed(30))).findall("testsuite")
    assert [each.get("name") for each in suites] == [f"Run 2 of fleet job fw-7, batch {n}" for n in (1, 2, 3)]
    assert [each.get("id") for each in suites] == ["0", "1", "2"]
    for suite in suites:
        cases = suite.findall("testcase")
        kinds = {
            kind: str(sum(case.find(kind) is not None for case in cases)) for kind in ("failure", "error", "skipped")
        }
        counts = {"failure": suite.get("failures"), "error": suite.get("errors"), "skipped": suite.get("skipped")}
        assert counts == kinds and suite.get("tests") == str(len(cases)) == "10"
    assert suites[0].get("errors") == "1" and suites[0].get("skipped") == "3"
    assert (suites[1].get("timestamp"), suites[1].get("time")) == ("2026-11-29T10:01:00", "30.000")


def test_a_failure_has_its_class_as_type_and_what_is_known_as_text() -> None:
    case = only_case(
        rendered("junit", [failed(0, ErrorClass.REJECTED, method_status=500, payload={"error": "no room"})])
    )
    assert (case.get("classname"), case.get("name"), case.get("time")) == ("fw-7.batch-1", "pump-00000", "1.250")
    failure = case.find("failure")
    assert failure is not None and failure.get("type") == "rejected"
    assert failure.get("message") == 'answered with status 500: {"error": "no room"}'
    assert 'payload: {"error": "no room"}' in str(failure.text).splitlines()


def test_a_device_that_completed_has_nothing_but_its_time() -> None:
    assert list(only_case(rendered("junit", [result(0)]))) == []


@pytest.mark.parametrize("status", ["pending", "in-progress", "verifying", "waiting", "scheduled", "running"])
def test_a_device_that_has_not_ended_is_skipped_and_says_where_it_stands(status: str) -> None:
    skipped = only_case(rendered("junit", [open_one(0, status)])).find("skipped")
    assert skipped is not None and skipped.get("message") == status


def test_an_uncertain_device_is_an_error_because_nobody_knows() -> None:
    error = only_case(rendered("junit", [open_one(0, "uncertain")])).find("error")
    assert error is not None and error.get("type") == "uncertain"


def test_what_the_hub_calls_completed_is_a_failure_where_the_answer_is_none() -> None:
    row = result(0, error_class=ErrorClass.REJECTED, method_status=404)
    assert only_case(rendered("junit", [row])).find("failure") is not None


def test_a_module_is_named_with_its_device() -> None:
    assert only_case(rendered("junit", [result(0, module_id="cam")])).get("name") == "pump-00000/cam"


def test_the_run_is_described_once_and_each_batch_by_its_state() -> None:
    suites = parsed(rendered("junit", mixed(20))).findall("testsuite")
    named = [[each.get("name") for each in suite.findall("properties/property")] for suite in suites]
    assert named == [["fleet job", "run", "state"], ["state"]]


def test_a_batch_whose_devices_were_all_moved_is_no_suite() -> None:
    suites = parsed(rendered("junit", [result(0), result(25)], report(3))).findall("testsuite")
    assert [each.get("tests") for each in suites] == ["1", "1"]


def test_a_run_without_devices_is_a_file_without_suites() -> None:
    assert list(parsed(rendered("junit", [], report(1)))) == []


@pytest.mark.parametrize("kind", HOSTILE)
def test_any_text_of_a_device_leaves_the_file_whole(kind: str) -> None:
    text = HOSTILE[kind]
    row = failed(0, ErrorClass.OTHER, error_text=text, error_code=text, payload={text: text}, reported={text: [text]})
    document = rendered("junit", [row], report(1, facts=[Fact("description", text)]))
    failure = only_case(document).find("failure")
    assert failure is not None
    assert len(document) < 50_000, "a long text is cut"
    assert "cut: 1,000,000 characters" in str(failure.text) or kind != "long"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", document)
    document.encode()  # no half characters


def test_what_can_be_shown_comes_back_as_the_device_sent_it() -> None:
    text = HOSTILE["entities"] + HOSTILE["emoji"] + HOSTILE["image"]
    failure = only_case(rendered("junit", [failed(0, ErrorClass.OTHER, error_text=text)])).find("failure")
    assert failure is not None and failure.get("message") == text
    assert f"errorText: {text}" in str(failure.text).splitlines()


def test_all_that_harms_at_once_is_one_valid_file() -> None:
    assert len(parsed(rendered("junit", hostile())).findall("testsuite/testcase")) == len(HOSTILE)


def test_memory_does_not_grow_with_the_number_of_devices() -> None:
    def peak_bytes(count: int) -> int:
        tracemalloc.start()
        try:
            with CaseSpool() as spool:
                spool.add(cases_of(mixed(count)))
                deque(junit.render(report(1 + count // 10), spool), maxlen=0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak_bytes(2_000), peak_bytes(8_000)
    # Sections are values in memory, a few hundred bytes each; cases are not.
    assert many - few < 2_000_000
