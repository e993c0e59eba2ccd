"""A test moves its hub's clock: devices come back, tokens are good, and the clock stays ahead with the data."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.testing import LocalHub, LocalHubRefused
from tests.helpers.waiting import wait_until

HOUR = timedelta(hours=1)


def offset(hub: LocalHub) -> float:
    return float(hub.request("GET", "/_local/clock")["offsetSeconds"])


def test_a_job_of_tomorrow_reaches_a_device_whose_token_is_used_up_by_then() -> None:
    with LocalHub() as hub, hub.simulate("pump-1"):
        method = {"methodName": "reboot", "payload": None, "responseTimeoutInSeconds": 30}
        job = {"jobId": "tomorrow", "type": "scheduleDeviceMethod", "cloudToDeviceMethod": method}
        when = {"startTime": render(hub.now() + 24 * HOUR), "maxExecutionTimeInSeconds": 3600}
        hub.request("PUT", "/jobs/v2/tomorrow", {**job, **when, "queryCondition": "*"})
        connected_at = hub.twin("pump-1")["lastActivityTime"]
        hub.advance("1d")
        wait_until("it has run", lambda: hub.request("GET", "/jobs/v2/tomorrow")["status"] == "completed")
        counts = hub.request("GET", "/jobs/v2/tomorrow")["deviceJobStatistics"]
        assert (counts["succeededCount"], counts["failedCount"]) == (1, 0)
        assert hub.twin("pump-1")["lastActivityTime"] > connected_at
        assert hub.call("pump-1", "reboot")["status"] == 200


def test_time_is_moved_by_what_people_write_by_seconds_or_a_timedelta_and_only_ahead() -> None:
    with LocalHub() as hub:
        before = datetime.now(timezone.utc)
        assert hub.advance("2h") - before >= 2 * HOUR
        assert hub.advance(timedelta(minutes=1, microseconds=1)) >= before + 2 * HOUR
        assert hub.advance(30) < hub.advance(0.5) < hub.now()
        assert offset(hub) == 7290.5 and hub.now() - 2 * HOUR > before
        for bad in ("-1h", 0, timedelta(0), timedelta(seconds=-1), "soon"):
            with pytest.raises(LocalHubRefused, match="only goes ahead"):
                hub.advance(bad)
        hub.reset()
        assert offset(hub) == 0


def test_the_clock_stays_ahead_with_the_data_also_after_a_crash(tmp_path: Path) -> None:
    hub = LocalHub(data_dir=tmp_path)
    with hub:
        hub.advance("2h")
        hub.create_device("pump-1")
        hub.kill()
        hub.start()
        assert offset(hub) == 7200 and hub.twin("pump-1")["deviceId"] == "pump-1"
        hub.advance("1h")
        hub.stop()
        hub.start()
        assert offset(hub) == 10800
        hub.reset()
        hub.stop()
        hub.start()
        assert offset(hub) == 0
    with LocalHub("--time-scale", "100", data_dir=tmp_path) as faster:
        wait_until("it is ahead", lambda: offset(faster) > 10)
        at = faster.now()
        faster.kill()
        faster.start()
        assert faster.now() >= at
