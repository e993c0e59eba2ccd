"""What a simulated fleet came to, as the command's result."""

from collections.abc import Mapping, Sequence
from typing import Any

from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.simulator.events import Moment, What
from azext_iotjobs.simulator.expectations import Verdict
from azext_iotjobs.simulator.statistics import TROUBLE, Statistics

MAX_LISTED = 100  # device ids of one expectation; all are in the file of events
MAX_GAVE_UP = 20


def document(
    statistics: Statistics,
    verdicts: Sequence[Verdict],
    gave_up: Mapping[str, IotJobsError],
    ended_by: str,
    now: Moment,
) -> dict[str, Any]:
    """The result; times are in seconds.

    gave_up: why, by device.  ended_by: what ended the run.
    """
    counts, started = statistics.counts, statistics.started
    lasted_s = now.at - started.at
    ready_at = statistics.all_ready_at
    return {
        "startedAt": render_instant(started.wall, "milliseconds"),
        "seconds": round(lasted_s, 3),
        "endedBy": ended_by,
        "devices": {
            "count": statistics.device_count,
            "absent": counts[What.ABSENT],
            "connectedAtEnd": len(statistics.connected),
            "allConnectedAfterSeconds": None if ready_at is None else round(ready_at - started.at, 3),
            "gaveUp": len(gave_up),
        },
        "connects": counts[What.READY],
        "messages": {
            "sent": counts[What.SENT],
            "acknowledged": counts[What.ACKNOWLEDGED],
            "perSecond": _per_second(counts[What.ACKNOWLEDGED], lasted_s),
        },
        "methods": {
            "received": counts[What.METHOD],
            "answered": counts[What.ANSWER],
            "perSecond": _per_second(counts[What.ANSWER], lasted_s),
            "answerSeconds": _latency(statistics),
            "byName": [
                {
                    "name": name,
                    "received": method.received_count,
                    "answered": method.answered_count,
                    "statuses": {str(status): count for status, count in method.statuses.items()},
                }
                for name, method in sorted(statistics.methods.items(), key=lambda item: -item[1].received_count)
            ],
        },
        "twins": {
            "desiredChanges": counts[What.DESIRED],
            "reportsSent": counts[What.REPORT],
            "reportsAccepted": counts[What.REPORT_ACCEPTED],
        },
        "cloudToDeviceMessages": counts[What.MESSAGE],
        "expectations": [_verdict(each) for each in verdicts],
        "trouble": [
            {
                "kind": kind.value,
                "count": counts[kind],
                "firstDevices": statistics.trouble[kind].devices,
                "firstReason": statistics.trouble[kind].reason,
            }
            for kind in TROUBLE
            if kind in statistics.trouble
        ],
        "gaveUp": [{"deviceId": name, "error": str(error)} for name, error in list(gave_up.items())[:MAX_GAVE_UP]],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    listed = {} if verdict.came_true else {
        "reason": verdict.reason,
        "missingCount": len(verdict.missing),
        "missing": list(verdict.missing[:MAX_LISTED]),
    }  # fmt: skip
    return {
        "expectation": verdict.expectation.text,
        "cameTrue": verdict.came_true,
        "decidedAfterSeconds": round(verdict.after_s, 3),
        "devicesNeeded": verdict.needed_count,
        "devicesTrue": verdict.held_count,
        **listed,
    }


def _latency(statistics: Statistics) -> dict[str, float] | None:
    latency = statistics.latency
    p50, p99 = latency.percentiles(0.5, 0.99)
    if p50 is None or p99 is None:
        return None
    return {
        "mean": round(latency.sum_s / latency.count, 6),
        "p50": round(p50, 6),
        "p99": round(p99, 6),
        "max": round(latency.max_s, 6),
    }


def _per_second(count: int, seconds: float) -> float:
    return round(count / seconds, 1) if seconds > 0 else 0.0
