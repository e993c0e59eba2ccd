"""Texts of reports for people."""

import pytest

from azext_iotjobs.cli.output.report.texts import cut, duration, heading, percent, visible
from tests.helpers.reports import HOSTILE


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (200, "3 min 20 s"), (3_599.6, "1 h 0 min")],
)
def test_durations_are_in_the_units_that_fit(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "total", "text"),
    [(0, 0, ""), (0, 5, "0 %"), (5, 5, "100 %"), (1, 100_000, "0.1 %"), (99_999, 100_000, "99.9 %"), (1, 3, "33.3 %")],
)
def test_only_all_are_100_percent_and_only_none_are_0(count: int, total: int, text: str) -> None:
    assert percent(count, total) == text


@pytest.mark.parametrize(
    ("column", "text"),
    [("deviceId", "Device id"), ("status", "Status"), ("tags.siteName", "tags.siteName")],
)
def test_a_column_is_headed_in_words_and_a_path_of_a_twin_as_it_is(column: str, text: str) -> None:
    assert heading(column) == text


@pytest.mark.parametrize("kind", ["controls", "directions", "surrogates", "noncharacters"])
def test_what_cannot_be_seen_is_an_escape(kind: str) -> None:
    assert visible(HOSTILE[kind]).isprintable()


def test_a_text_that_is_cut_says_how_long_it_was() -> None:
    assert cut("x" * 5_000, 3) == "xxx… (cut: 5,000 characters)"
    assert cut("xxx", 3) == "xxx"
