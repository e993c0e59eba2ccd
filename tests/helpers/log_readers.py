"""Who waits for entries of a log of what was observed."""

from typing import Any

from azext_iotjobs.localhub.engine.observation_log import ObservationLog


def waiting_count(log: ObservationLog[Any]) -> int:
    """How many readers wait."""
    return sum(map(len, log._waiting.values()))
