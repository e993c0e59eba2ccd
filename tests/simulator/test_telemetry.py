import json
from datetime import datetime, timezone

from azext_iotjobs.simulator.telemetry import TelemetryPlan, body

PLAN = TelemetryPlan(text="Ping", count=3, interval_s=2)


def test_messages_are_due_an_interval_apart_and_the_end_is_one_after_the_last() -> None:
    assert [PLAN.due_at(number, 100.0) for number in (1, 2, 3)] == [100.0, 102.0, 104.0]
    assert PLAN.ends_at(100.0) == 106.0


def test_a_message_holds_its_id_time_and_the_text_with_its_number() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert json.loads(body(PLAN, 2, "some-id", now)) == {
        "id": "some-id",
        "timestamp": "2026-01-02 03:04:05+00:00",
        "data": "Ping #2",
    }
