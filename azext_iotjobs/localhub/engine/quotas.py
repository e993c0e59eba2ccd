"""The meters of a hub whose tier limits it. A hub without limits has none of this, and does not consult it."""

import asyncio
from collections.abc import Mapping

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.errors import THROTTLING_BACKLOG_TIMEOUT, HubError
from azext_iotjobs.localhub.rules.quota import Meter, Quota, Sku, Throttle, quotas


class Quotas:
    """Lets requests pass, delays them or refuses them.

    clock: when it runs at a scale of 10, all rates are ten times as high, and delays a tenth as long. When it is moved,
    what was used before is given again; a request that waits already waits as long as it was to.
    """

    def __init__(self, granted: Mapping[Throttle, Quota], clock: HubClock) -> None:
        self.meters = {throttle: Meter(quota) for throttle, quota in granted.items()}
        self._clock = clock
        self._begun_at = clock.now()
        self._order = asyncio.Lock()

    def wait_s(self, throttle: Throttle, cost: int = 1) -> float:
        """The machine's seconds by which a request is to be delayed; it is counted now. Raises HubError 429."""
        passed_s = (self._clock.now() - self._begun_at).total_seconds()
        wait_s = self.meters[throttle].request(passed_s, cost)
        if wait_s is None:
            raise HubError(
                THROTTLING_BACKLOG_TIMEOUT,
                f"Too many requests: wait 10 seconds and try again. Operation type: {throttle.value}",
            )
        return self._clock.machine_s(wait_s)

    async def wait(self, throttle: Throttle, cost: int = 1) -> None:
        """Wait until a request may pass. Raises HubError 429."""
        if wait_s := self.wait_s(throttle, cost):
            await asyncio.sleep(wait_s)

    async def wait_in_order(self, throttle: Throttle) -> None:
        """Wait until a request may pass, first come, first served; one that is cancelled in the queue costs nothing."""
        async with self._order:
            await self.wait(throttle)


def make_quotas(sku: Sku, units: int, clock: HubClock) -> Quotas | None:
    """The meters of a tier; None for one without limits."""
    granted = quotas(sku, units)
    return Quotas(granted, clock) if granted else None
