"""Background tasks: the one loop in which work is done that no request waits for.

A step that fails does not end the hub: it is repeated after a growing pause, and the reason is logged once.
"""

import asyncio
import logging
from collections.abc import Callable

from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.outages import Outages

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
EFFECT = "The hub stays up and keeps trying."

logger = logging.getLogger(__name__)


class Backoff:
    """Pauses between attempts: each is twice as long as the one before, until an attempt succeeds."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    def pause_s(self) -> float:
        """How long to wait after another failure."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, LONGEST_PAUSE_S)
        return pause_s

    def reset(self) -> None:
        """An attempt succeeded."""
        self._next_s = FIRST_PAUSE_S


async def run_repeatedly(
    name: str, step: Callable[[], float], outages: Outages, wake: asyncio.Event | None = None
) -> None:
    """Repeat a step until cancelled.

    name: of the task, for the log.
    step: does what is due, and gives the seconds until something is due again.
    wake: set when something is due earlier; it does not shorten the pause after a failure.
    """
    backoff = Backoff()
    while True:
        if wake is not None:
            wake.clear()
        try:
            wait_s = step()
        except StoreUnavailable:  # the store has logged it
            await asyncio.sleep(backoff.pause_s())
        except StoreDamaged as err:
            outages.begin(name, err.text, EFFECT)
            await asyncio.sleep(backoff.pause_s())
        except Exception as err:  # a bug of ours; other tasks and the listeners are not affected
            if outages.begin(name, repr(err), EFFECT):
                logger.exception("%s failed", name)
            await asyncio.sleep(backoff.pause_s())
        else:
            backoff.reset()
            outages.end(name)
            await _wait(wait_s, wake)


async def _wait(wait_s: float, wake: asyncio.Event | None) -> None:
    if wake is None:
        await asyncio.sleep(wait_s)
        return
    # Not wait_for: before Python 3.12 that loses a cancellation which comes together with the wake-up, and a hub that
    # is stopped just after a request would never end.
    timer = asyncio.get_running_loop().call_later(wait_s, wake.set)
    try:
        await wake.wait()
    finally:
        timer.cancel()
