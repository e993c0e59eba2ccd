"""Who waits for entries of a log of what was observed."""

from typing import Any

from azext_iotjobs.localhub.engine.log_reading import ReadableLog


def waiting_count(log: ReadableLog[Any]) -> int:
    """How many readers wait."""
    return len(log.waits)
