"""The seam between the run's loop and who operates devices (operations/fleet_job/drivers)."""

from collections.abc import Callable
from typing import Protocol

from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.store.sqlite.leased_run import LeasedRun
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_events import Event


class BatchDriver(Protocol):
    """Operates the devices of one batch at a time. It writes its intent before each effect, and what came of it."""

    @property
    def trouble(self) -> IotJobsError | None:
        """Why it cannot go on; None: it can."""

    def turn(self, batch: Batch, drain: Drain) -> None:
        """Do what can be done now; comes back within about half a second. Raises StateError."""

    def in_flight_count(self, drain: Drain) -> int:
        """How much of what was begun has to end before the run may, if it is drained like that."""

    def close(self) -> None:
        """Nobody needs it any more."""


Hear = Callable[[Event], None]
MakeDriver = Callable[[LeasedRun, Run, Definition, Hear], BatchDriver]
