"""Requests to a hub that throttles for longer than the transport waits: its quota is back a minute later."""

from collections.abc import Callable
from typing import TypeVar

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import AnswerTooLate, Throttled

TRIES = 5  # of one request, on top of the transport's: a bulk request uses a minute's quota of an S1 hub
PAUSE_S = 20.0

Result = TypeVar("Result")


def outlasting_throttling(send: Callable[[], Result], clock: Clock) -> Result:
    """What `send` gives, which may be called again after a refusal. Raises as it does, Throttled after TRIES too."""
    for _ in range(TRIES):
        try:
            return send()
        except (Throttled, AnswerTooLate):
            clock.sleep(PAUSE_S)
    return send()
