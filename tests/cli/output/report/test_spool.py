"""The cases of a report between reading and rendering."""

import pytest

from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.model.errors import StateFull
from azext_iotjobs.model.report import CaseOutcome, Counts
from azext_iotjobs.model.result import ErrorClass
from tests.helpers.reports import HOSTILE, cases_of, failed, mixed


def test_cases_come_back_as_they_were_whatever_is_in_them() -> None:
    given = list(cases_of(failed(n, ErrorClass.OTHER, error_text=text) for n, text in enumerate(HOSTILE.values())))
    with CaseSpool() as spool:
        spool.add(given)
        assert list(spool.cases()) == given


def test_they_are_counted_by_outcome_by_section_and_by_reason() -> None:
    with CaseSpool(names_per_reason=2) as spool:
        spool.add(cases_of(mixed(20)))
        assert spool.counts == Counts(passed=12, failed=4, uncertain=1, open=3)
        assert spool.by_section == {1: Counts(passed=4, failed=2, uncertain=1, open=3), 2: Counts(passed=8, failed=2)}
        reasons = {each.reason: (each.case_count, each.first_names) for each in spool.reasons(CaseOutcome.FAILED)}
        assert reasons == {"offline": (2, ("pump-00001", "pump-00011")), "rejected": (2, ("pump-00002", "pump-00012"))}
        assert [case.name for case in spool.cases(section=2, outcome=CaseOutcome.FAILED)] == [
            "pump-00011",
            "pump-00012",
        ]


def test_no_room_for_them_is_an_error_that_says_where() -> None:
    with CaseSpool(max_pages=8) as spool, pytest.raises(StateFull, match="cannot be written: .*full") as raised:
        spool.add(cases_of(mixed(1_000)))
    assert "TMPDIR" in str(raised.value.hint)
