"""az iot local-hub clock: what is typed as a duration is what the hub takes."""

from datetime import timedelta

import pytest

from azext_iotjobs.cli.input.durations import UNITS, duration_s
from azext_iotjobs.localhub.rules import duration
from azext_iotjobs.model.errors import BadValue


def test_az_and_the_hub_know_the_same_units() -> None:
    assert duration.UNITS == UNITS


@pytest.mark.parametrize("text", ["90", "0.5", " 500ms ", "30 s", "2m", "5min", "1.5h", "7d", "0"])
def test_a_duration_is_the_same_for_both(text: str) -> None:
    assert duration.read_duration(text) == timedelta(seconds=duration_s(text, "--by"))


@pytest.mark.parametrize("text", ["", "-2h", "+2h", "2 weeks", "h", "1h30m", "PT2H", "nan", "1e3", "2h\n3", "1.h"])
def test_what_is_none_is_none_for_both(text: str) -> None:
    assert duration.read_duration(text) is None
    with pytest.raises(BadValue):
        duration_s(text, "--by")
