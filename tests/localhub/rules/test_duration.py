"""Durations as the hub's own REST takes them. That az takes the same is in tests/cli/local_hub."""

from datetime import timedelta

import pytest

from azext_iotjobs.localhub.rules.duration import read_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("0.5", 0.5),
        (" 500ms ", 0.5),
        ("30 s", 30.0),
        ("2m", 120.0),
        ("5min", 300.0),
        ("1.5h", 5400.0),
        ("7d", 604800.0),
        ("0", 0.0),
    ],
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "-2h", "+2h", "2 weeks", "h", "1h30m", "PT2H", "nan", "1e3", "2h\n3", "1.h", "२h"]
)
def test_another_text_is_none(text: str) -> None:
    assert read_duration(text) is None


def test_a_duration_beyond_all_times_is_none() -> None:
    assert read_duration("999999999999d") is None and read_duration("9" * 13) is None
