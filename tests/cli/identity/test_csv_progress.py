"""How far an import is: a line now and then where no line can change, and the rate is that of this process."""

import logging

import pytest

from azext_iotjobs.cli.identity.csv_progress import CsvProgress
from tests.helpers.clock_double import ClockDouble


def test_without_a_terminal_a_line_comes_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    clock = ClockDouble()
    progress = CsvProgress("imported", 1000, clock, is_silent=False)
    with caplog.at_level(logging.WARNING):
        for done in range(500, 700, 10):  # 500 were done by another process
            progress.at(done)
            clock.sleep(5)
    lines = [each.getMessage() for each in caplog.records]
    assert lines == [
        "560/1000 imported, 2.0 a second, 220 s left",
        "620/1000 imported, 2.0 a second, 190 s left",
        "680/1000 imported, 2.0 a second, 160 s left",
    ]


def test_who_wants_errors_alone_sees_none(caplog: pytest.LogCaptureFixture) -> None:
    clock = ClockDouble()
    progress = CsvProgress("exported", 10, clock, is_silent=True)
    with caplog.at_level(logging.WARNING):
        for done in range(10):
            progress.at(done)
            clock.sleep(60)
        progress.end()
    assert caplog.records == []
