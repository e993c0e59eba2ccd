"""Moves the hub's clock, and remembers with the hub's data how far it is ahead: their times never lie in the future.

Where the clock runs at a scale, it gets further ahead all the time. Then what is stored is how far it will be the next
time: after a crash the hub's time goes on from there, and never again through what has been.
"""

from contextlib import suppress
from datetime import timedelta

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.background import run_repeatedly
from azext_iotjobs.localhub.store.clock_offset import ClockOffset
from azext_iotjobs.localhub.store.database import Database

STORE_INTERVAL_S = 10.0
MAX_AHEAD = timedelta(days=3650)  # as long as any duration that az takes


class TooFarAhead(Exception):
    """The clock would be more than MAX_AHEAD ahead of the machine's."""


class ClockService:
    """The hub's clock, with its place in the hub's data."""

    def __init__(self, database: Database, clock: HubClock) -> None:
        self.clock = clock
        self._database = database
        self._stored = ClockOffset(database)

    def advance(self, by: timedelta) -> None:
        """Move the clock ahead; what is due by then is done now. by: above zero.

        Raises TooFarAhead, and StoreUnavailable, StoreDamaged; then it was not moved.
        """
        offset = self.clock.offset + by
        if offset > MAX_AHEAD:
            raise TooFarAhead
        self._stored.save(self._offset_ahead() + by)
        self.clock.move(by)

    def reload(self) -> None:
        """The hub's data are others, or gone: the clock is as far ahead as they say. Raises as `ClockOffset.load`."""
        self.clock.set_to(self._stored.load())

    async def run(self) -> None:
        """Store how far a clock at a scale is ahead, until cancelled."""
        if self.clock.scale != 1:
            await run_repeatedly("the hub's clock", self._step, self._database.outages)

    def end(self) -> None:
        """The hub ends: store how far the clock is ahead now, if it can be stored; what is there will do otherwise."""
        if self.clock.scale != 1:
            with suppress(StoreUnavailable, StoreDamaged):
                self._stored.save(self.clock.offset)

    def _step(self) -> float:
        self._stored.save(self._offset_ahead())
        return STORE_INTERVAL_S

    def _offset_ahead(self) -> timedelta:
        """The offset to be stored. A scale below 1 takes the clock back: what it is now is more than it will be."""
        return self.clock.offset_in(STORE_INTERVAL_S * 2) if self.clock.scale > 1 else self.clock.offset
