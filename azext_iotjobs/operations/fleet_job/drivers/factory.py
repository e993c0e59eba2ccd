"""Makes the driver that a run was made for."""

from collections.abc import Callable

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.driver import BatchDriver, MakeDriver, OnEvent
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.fleet_job import Definition, Driver
from azext_iotjobs.model.query_pace import query_pace
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_events import Notice
from azext_iotjobs.operations.fleet_job.drivers.direct_calls import DirectCallsDriver
from azext_iotjobs.operations.fleet_job.drivers.hub_jobs import HubJobsDriver
from azext_iotjobs.operations.fleet_job.drivers.verifying import VerifyingDriver
from azext_iotjobs.operations.verification.verifier import Verifier

DRIVERS: dict[Driver, type[HubJobsDriver] | type[DirectCallsDriver]] = {
    Driver.JOBS: HubJobsDriver,
    Driver.CALLS: DirectCallsDriver,
}


def driver_factory(client: Callable[[], HubClient]) -> MakeDriver:
    """What a RunContext makes its driver with.

    client: of the hub; it is called once, when the driver is needed.
    """

    def make(clock: Clock, leased: LeasedRun, run: Run, definition: Definition, on_event: OnEvent) -> BatchDriver:
        hub = client()
        driver = DRIVERS[run.driver](hub, clock, leased, run, definition, on_event)
        if definition.verification is None:
            return driver
        pace, say = query_pace(run.tier), _teller(clock, on_event)
        verifier = Verifier(hub.queries, definition.verification, leased.verifying, pace, clock, say)
        return VerifyingDriver(driver, verifier, clock, leased, definition.rollout.retry, on_event)

    return make


def _teller(clock: Clock, on_event: OnEvent) -> Callable[[str], None]:
    return lambda text: on_event(Notice(at=clock.now(), text=text))
