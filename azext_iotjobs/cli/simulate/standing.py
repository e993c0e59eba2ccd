"""How a simulation that runs fares, as a document of bounded size; numbers are those of the moment."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.simulate.report import latency_document, trouble_document
from azext_iotjobs.simulator.events import ActivityKind, Moment
from azext_iotjobs.simulator.expectations import Standing
from azext_iotjobs.simulator.statistics import Statistics

Document = dict[str, Any]
MAX_METHODS = 20  # those that were called most
MAX_NAME = 128  # characters


def standing_document(statistics: Statistics, standings: Iterable[Standing], now: Moment) -> Document:
    """How it fares.

    standings: of what is expected of it.  now: for the rates, which are those of the last seconds.
    """
    counts, rates = statistics.counts, statistics.rates(now)
    ready_at = statistics.all_ready_at
    return {
        "connected": len(statistics.connected),
        "absent": counts[ActivityKind.ABSENT],
        "allConnectedAfterSeconds": None if ready_at is None else round(ready_at - statistics.started.at, 3),
        "connectsPerSecond": round(rates["connects"], 1),
        "messages": {
            "sent": counts[ActivityKind.SENT],
            "acknowledged": counts[ActivityKind.ACKNOWLEDGED],
            "perSecond": round(rates["messages"], 1),
        },
        "methods": {
            "received": counts[ActivityKind.METHOD],
            "answered": counts[ActivityKind.ANSWER],
            "perSecond": round(rates["methods"], 1),
            "answerSeconds": latency_document(statistics.latency),
            "byName": _methods(statistics),
        },
        "cloudToDeviceMessages": counts[ActivityKind.MESSAGE],
        "expectations": [_expectation(each) for each in standings],
        "trouble": trouble_document(statistics),
    }


def _methods(statistics: Statistics) -> list[Document]:
    most = sorted(statistics.methods.items(), key=lambda item: -item[1].received_count)[:MAX_METHODS]
    return [
        {"name": name[:MAX_NAME], "received": method.received_count, "answered": method.answered_count}
        for name, method in most
    ]


def _expectation(standing: Standing) -> Document:
    return {
        "expectation": standing.expectation.text,
        "cameTrue": standing.came_true,
        "decidedAfterSeconds": None if standing.after_s is None else round(standing.after_s, 3),
        "devicesNeeded": standing.needed_count,
        "devicesTrue": standing.held_count,
        "reason": standing.reason,
    }
