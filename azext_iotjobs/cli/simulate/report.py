"""The result of a simulation of many devices, as the command prints it."""

from collections.abc import Mapping, Sequence
from typing import Any

from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.simulator.events import ActivityKind, Moment
from azext_iotjobs.simulator.expectations import Verdict
from azext_iotjobs.simulator.histogram import Histogram
from azext_iotjobs.simulator.statistics import TROUBLE, Statistics

MAX_LISTED = 100  # device ids of an expectation; the file of events has all
MAX_GAVE_UP = 20  # devices, with their errors


def document(
    statistics: Statistics,
    verdicts: Sequence[Verdict],
    gave_up: Mapping[str, IotJobsError],
    ended_by: str,
    now: Moment,
) -> dict[str, Any]:
    """The result; times in it are in seconds.

    gave_up: why devices gave up, by id.  ended_by: what ended the run.  now: when it ended.
    """
    counts, started = statistics.counts, statistics.started
    lasted_s = now.at - started.at
    return {
        "startedAt": render_instant(started.wall, "milliseconds"),
        "seconds": round(lasted_s, 3),
        "endedBy": ended_by,
        "devices": {**_devices(statistics), "gaveUp": len(gave_up)},
        "connects": counts[ActivityKind.READY],
        "messages": {
            "sent": counts[ActivityKind.SENT],
            "acknowledged": counts[ActivityKind.ACKNOWLEDGED],
            "perSecond": per_second(counts[ActivityKind.ACKNOWLEDGED], lasted_s),
        },
        "methods": _methods(statistics, lasted_s),
        "twins": {
            "desiredChanges": counts[ActivityKind.DESIRED],
            "reportsSent": counts[ActivityKind.REPORT],
            "reportsAccepted": counts[ActivityKind.REPORT_ACCEPTED],
        },
        "cloudToDeviceMessages": counts[ActivityKind.MESSAGE],
        "expectations": [verdict_document(each) for each in verdicts],
        "trouble": trouble_document(statistics),
        "gaveUp": [{"deviceId": name, "error": str(error)} for name, error in list(gave_up.items())[:MAX_GAVE_UP]],
    }


def _devices(statistics: Statistics) -> dict[str, Any]:
    ready_at = statistics.all_ready_at
    return {
        "count": statistics.device_count,
        "absent": statistics.counts[ActivityKind.ABSENT],
        "connectedAtEnd": len(statistics.connected),
        "allConnectedAfterSeconds": None if ready_at is None else round(ready_at - statistics.started.at, 3),
    }


def _methods(statistics: Statistics, lasted_s: float) -> dict[str, Any]:
    counts = statistics.counts
    return {
        "received": counts[ActivityKind.METHOD],
        "answered": counts[ActivityKind.ANSWER],
        "perSecond": per_second(counts[ActivityKind.ANSWER], lasted_s),
        "answerSeconds": latency_document(statistics.latency),
        "byName": [
            {
                "name": name,
                "received": method.received_count,
                "answered": method.answered_count,
                "statuses": {str(status): count for status, count in method.statuses.items()},
            }
            for name, method in sorted(statistics.methods.items(), key=lambda item: -item[1].received_count)
        ],
    }


def trouble_document(statistics: Statistics) -> list[dict[str, Any]]:
    """What went wrong, by kind."""
    return [
        {
            "kind": kind.value,
            "count": statistics.counts[kind],
            "firstDevices": statistics.trouble[kind].devices,
            "firstReason": statistics.trouble[kind].reason,
        }
        for kind in TROUBLE
        if kind in statistics.trouble
    ]


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """What came of an expectation."""
    document = {
        "expectation": verdict.expectation.text,
        "cameTrue": verdict.came_true,
        "decidedAfterSeconds": round(verdict.after_s, 3),
        "devicesNeeded": verdict.needed_count,
        "devicesTrue": verdict.held_count,
    }
    if not verdict.came_true:
        document["reason"] = verdict.reason
        document["missingCount"] = verdict.missing_count
        document["missing"] = list(verdict.missing[:MAX_LISTED])
    return document


def latency_document(latency: Histogram) -> dict[str, float] | None:
    """How long answers took, in seconds; None: there are none yet."""
    p50, p99 = latency.percentiles(0.5, 0.99)
    if p50 is None or p99 is None:
        return None
    return {
        "mean": round(latency.sum_s / latency.count, 6),
        "p50": round(p50, 6),
        "p99": round(p99, 6),
        "max": round(latency.max_s, 6),
    }


def per_second(count: int, seconds: float) -> float:
    """How many each second."""
    return round(count / seconds, 1) if seconds > 0 else 0.0
