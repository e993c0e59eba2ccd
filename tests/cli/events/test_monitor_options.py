"""From where events are read, as it was typed."""

from datetime import datetime, timezone

import pytest

from azext_iotjobs.cli.events.monitor import ReadingOptions
from azext_iotjobs.model.errors import BadValue

NOW = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        (None, None),
        ("0", 0),
        ("1764576000123", 1764576000123),
        ("2026-12-01T08:00:00Z", 1796112000000),
        ("2026-12-01T09:00+01:00", 1796112000000),
    ],
)
def test_events_are_read_from_milliseconds_or_an_instant(text: str | None, milliseconds: int | None) -> None:
    assert ReadingOptions(our_enqueued_time=text).enqueued_after_ms(NOW) == milliseconds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "ISO 8601"),
        ("-1", "ISO 8601"),
        ("99999999999999999", "not a time"),
        ("2026-12-01T08:00:01Z", "is to come"),
    ],
)
def test_a_beginning_that_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadValue, match=f"--enqueued-time.*{said}"):
        ReadingOptions(our_enqueued_time=text).enqueued_after_ms(NOW)
