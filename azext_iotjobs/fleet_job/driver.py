"""The seam between the run's loop and what operates devices (operations/fleet_job/drivers)."""

from collections.abc import Callable
from typing import Protocol

from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_events import Event


class BatchDriver(Protocol):
    """Operates the devices of one batch at a time. It records its intent before each effect, and the result after."""

    @property
    def trouble(self) -> IotJobsError | None:
        """Why it cannot continue; None: it can."""

    def turn(self, batch: Batch, drain: Drain) -> None:
        """Do what can be done now; returns within about half a second. Raises StateError."""

    def in_flight_count(self, drain: Drain) -> int:
        """How many calls or hub jobs have to end before the run may, when it is drained like that."""

    def close(self) -> None:
        """Free what it holds: threads."""


OnEvent = Callable[[Event], None]
MakeDriver = Callable[
    [Clock, LeasedRun, Run, Definition, OnEvent], BatchDriver
]  # the clock: the run's own, which is steady
