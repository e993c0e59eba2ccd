"""Background tasks: the one loop in which work is done that no request waits for, and alarms by the hub's clock.

A step that fails does not end the hub: it is repeated after a growing pause, and the reason is logged once.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from azext_iotjobs.localhub.clock import LONGEST_TIMER_S, HubClock
from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.outages import Outages

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
SHORTEST_WAIT_S = 0.05  # of a clock that runs at a high scale: the hub has other things to do too
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
    step: does what is due, and gives the machine's seconds until something is due again.
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


async def run_by_clock(
    name: str, step: Callable[[], float], outages: Outages, clock: HubClock, wake: asyncio.Event | None = None
) -> None:
    """As `run_repeatedly`, for what is due by the hub's clock; once that is moved, the next step follows at once.

    step: gives the hub's seconds until something is due again.
    """
    wake = asyncio.Event() if wake is None else wake

    def paced_step() -> float:
        hub_s = step()
        return max(clock.machine_s(hub_s), min(hub_s, SHORTEST_WAIT_S))

    clock.subscribe(wake.set)
    try:
        await run_repeatedly(name, paced_step, outages, wake)
    finally:
        clock.unsubscribe(wake.set)


class Alarm:
    """Calls something once, at an instant of the hub's clock, however that is moved."""

    def __init__(self, clock: HubClock, at: datetime, callback: Callable[[], None]) -> None:
        """at: when; one that has passed: in the next turn of the event loop."""
        self._clock = clock
        self._at = at
        self._callback = callback
        self._timer: asyncio.TimerHandle | None = None
        clock.subscribe(self._set_timer)
        self._set_timer()

    def cancel(self) -> None:
        """Do not call it, if it was not called yet."""
        self._clock.unsubscribe(self._set_timer)
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left_s = self._clock.machine_s((self._at - self._clock.now()).total_seconds())
        wait_s = min(max(0.0, left_s), LONGEST_TIMER_S)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._check)

    def _check(self) -> None:
        if self._clock.now() < self._at:
            self._set_timer()
        else:
            self.cancel()
            self._callback()
