"""Makes the driver that a run was made for."""

from collections.abc import Callable

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.driver import BatchDriver, MakeDriver, OnEvent
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.fleet_job import Definition, Driver
from azext_iotjobs.model.run import Run
from azext_iotjobs.operations.fleet_job.drivers.direct_calls import DirectCallsDriver
from azext_iotjobs.operations.fleet_job.drivers.hub_jobs import HubJobsDriver

DRIVERS: dict[Driver, type[HubJobsDriver] | type[DirectCallsDriver]] = {
    Driver.JOBS: HubJobsDriver,
    Driver.CALLS: DirectCallsDriver,
}


def driver_factory(client: Callable[[], HubClient]) -> MakeDriver:
    """What a RunContext makes its driver with.

    client: of the hub; it is called once, when the driver is needed.
    """

    def make(clock: Clock, leased: LeasedRun, run: Run, definition: Definition, on_event: OnEvent) -> BatchDriver:
        return DRIVERS[run.driver](client(), clock, leased, run, definition, on_event)

    return make
