"""The meters of a hub whose tier limits it. A hub that is not limited has none of this, and does not ask."""

import asyncio
from collections.abc import Mapping

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.errors import THROTTLING_BACKLOG_TIMEOUT, HubError
from azext_iotjobs.localhub.rules.quota import Meter, Quota, Sku, Throttle, quotas


class Quotas:
    """Lets pass, holds up, or refuses.

    time_scale: how many seconds of the quotas' time a second has: 10 makes all of them ten times as fast, and what
    waits wait a tenth.
    """

    def __init__(self, granted: Mapping[Throttle, Quota], clock: HubClock, *, time_scale: float = 1.0) -> None:
        self.meters = {throttle: Meter(quota) for throttle, quota in granted.items()}
        self.time_scale = time_scale
        self._clock = clock
        self._begun_at = clock.now()
        self._turns = asyncio.Lock()

    def wait_s(self, throttle: Throttle, cost: int = 1) -> float:
        """Seconds that a request is to be held up; it counts from now on. Raises HubError 429."""
        passed_s = (self._clock.now() - self._begun_at).total_seconds()
        wait_s = self.meters[throttle].ask(passed_s * self.time_scale, cost)
        if wait_s is None:
            raise HubError(
                THROTTLING_BACKLOG_TIMEOUT,
                f"Too many requests: wait 10 seconds and try again. Operation type: {throttle.value}",
            )
        return wait_s / self.time_scale

    async def enter(self, throttle: Throttle, cost: int = 1) -> None:
        """Wait until a request may go on. Raises HubError 429."""
        if wait_s := self.wait_s(throttle, cost):
            await asyncio.sleep(wait_s)

    async def turn(self, throttle: Throttle) -> None:
        """Wait for one's turn, in the order of asking; who stops waiting has used nothing of what comes later."""
        async with self._turns:
            await self.enter(throttle)


def make_quotas(sku: Sku, units: int, clock: HubClock, time_scale: float) -> Quotas | None:
    """The meters of a tier; None for one without limits."""
    granted = quotas(sku, units)
    return Quotas(granted, clock, time_scale=time_scale) if granted else None
