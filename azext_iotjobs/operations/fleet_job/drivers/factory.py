"""Makes the driver that a run was made for."""

from collections.abc import Callable
from dataclasses import replace

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.driver import BatchDriver, MakeDriver, OnEvent
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.fleet_job import Definition, Driver
from azext_iotjobs.model.query_pace import query_pace
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_events import Notice
from azext_iotjobs.operations.fleet_job.drivers.connection_watch import ConnectionWatch
from azext_iotjobs.operations.fleet_job.drivers.direct_calls import DirectCallsDriver
from azext_iotjobs.operations.fleet_job.drivers.hub_jobs import HubJobsDriver
from azext_iotjobs.operations.fleet_job.drivers.verifying import VerifyingDriver
from azext_iotjobs.operations.fleet_job.drivers.when_online import WhenOnlineDriver
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
        executed = replace(definition, delivery=run.delivery)  # as it is for this run
        driver: BatchDriver = DRIVERS[run.driver](hub, clock, leased, run, executed, on_event)
        pace, say = query_pace(run.tier), _teller(clock, on_event)
        verification = executed.verification
        if verification is not None:
            verifier = Verifier(hub.queries, verification, leased.verifying, pace, clock, say)
            driver = VerifyingDriver(driver, verifier, clock, leased, executed, on_event)
        if run.delivery.when_online_s is not None:
            wanted = None if verification is None else verification.wanted
            watch = ConnectionWatch(hub.queries, leased.waiting, wanted, pace.shared(), clock, say)
            driver = WhenOnlineDriver(driver, watch, clock, leased, run, executed, on_event)
        return driver

    return make


def _teller(clock: Clock, on_event: OnEvent) -> Callable[[str], None]:
    return lambda text: on_event(Notice(at=clock.now(), text=text))
