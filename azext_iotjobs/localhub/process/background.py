"""The one way in which something runs beside requests: turn after turn, until it is cancelled.

A turn that fails does not end the hub. It is taken again after a pause that grows, and why is said once.
"""

import asyncio
import logging
from collections.abc import Callable

from azext_iotjobs.localhub.errors import StoreDamaged, StoreTrouble
from azext_iotjobs.localhub.process.outages import Troubles

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
GOES_ON = "The hub stays up, and goes on trying."

logger = logging.getLogger(__name__)


class Backoff:
    """Pauses between tries: each is twice the one before, until one goes well."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    def pause_s(self) -> float:
        """How long to wait after another failure."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, LONGEST_PAUSE_S)
        return pause_s

    def reset(self) -> None:
        """A try went well."""
        self._next_s = FIRST_PAUSE_S


async def take_turns(
    name: str, turn: Callable[[], float], troubles: Troubles, woken: asyncio.Event | None = None
) -> None:  # fmt: skip
    """Take turns until cancelled.

    name: for the log.
    turn: does what is due, and gives the seconds until something is due again.
    woken: set when something is due earlier; after a failure nobody is woken before the pause is over.
    """
    backoff = Backoff()
    while True:
        if woken is not None:
            woken.clear()
        try:
            wait_s = turn()
        except StoreTrouble:  # the store has said so
            await asyncio.sleep(backoff.pause_s())
        except StoreDamaged as err:
            troubles.begin(name, err.text, GOES_ON)
            await asyncio.sleep(backoff.pause_s())
        except Exception as err:  # a mistake of ours; the other tasks and the doors go on
            if troubles.begin(name, repr(err), GOES_ON):
                logger.exception("%s failed", name)
            await asyncio.sleep(backoff.pause_s())
        else:
            backoff.reset()
            troubles.end(name)
            await _wait(wait_s, woken)


async def _wait(wait_s: float, woken: asyncio.Event | None) -> None:
    if woken is None:
        await asyncio.sleep(wait_s)
        return
    # Not wait_for: before Python 3.12 that loses a cancellation which comes together with the wake-up, and a hub that
    # is stopped just after a request would run on for ever.
    timer = asyncio.get_running_loop().call_later(wait_s, woken.set)
    try:
        await woken.wait()
    finally:
        timer.cancel()
