"""BatchDriver: another driver operates the devices, and beside it those are looked for that wait to connect.

Whoever has connected is moved into the batch that runs, as far as it takes more. Nobody is waited for when the run is
to end: whoever resumes it looks for those that are left.
"""

from datetime import timedelta

from azext_iotjobs.fleet_job.driver import BatchDriver, OnEvent
from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.joining import room
from azext_iotjobs.fleet_job.outcomes import not_connected_event
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_events import DeviceConnected
from azext_iotjobs.model.when_online import Connected, WaitingDevice
from azext_iotjobs.operations.fleet_job.drivers.connection_watch import ConnectionWatch, Look


class WhenOnlineDriver:
    """Operates devices by another driver, and looks for those that wait to connect."""

    def __init__(
        self,
        driver: BatchDriver,
        watch: ConnectionWatch,
        clock: Clock,
        leased: LeasedRun,
        run: Run,
        definition: Definition,
        on_event: OnEvent,
    ) -> None:
        """driver: operates the devices.  watch: looks for those that wait.

        run, definition: what is executed.  on_event: is called with what becomes of those that waited.
        """
        self._driver = driver
        self._watch = watch
        self._clock = clock
        self._leased = leased
        self._on_event = on_event
        self._largest = max(definition.rollout.sizes.counts(run.device_count), default=1)
        verification = definition.verification
        self._verify_within = timedelta(seconds=0.0 if verification is None else verification.within_s)

    @property
    def trouble(self) -> IotJobsError | None:
        """Why devices cannot be operated, or not be looked for, any more."""
        return self._driver.trouble or self._watch.trouble

    def in_flight_count(self, drain: Drain) -> int:
        """What the driver has in flight."""
        return self._driver.in_flight_count(drain)

    def turn(self, batch: Batch, drain: Drain) -> None:
        """A turn of both; where the driver has nothing to do, wait a little for who connects."""
        free = room(batch, self._largest) if drain is Drain.NO else 0
        if free and (found := self._watch.turn()):
            self._record(found, batch, free)
            return  # a threshold is compared before anything else begins
        if drain is not Drain.NO or batch.tally.open or self._driver.in_flight_count(drain):
            self._driver.turn(batch, drain)
        else:
            self._watch.nap()

    def close(self) -> None:
        """Let all threads end."""
        self._watch.close()
        self._driver.close()

    def _record(self, found: list[Look], batch: Batch, free: int) -> None:
        """Store what was found. free: how many more the batch takes; the others are found again."""
        now = self._clock.now()
        ready = [each.device for each in found if not each.is_over][:free]
        over = [each.device for each in found if each.is_over]
        connected = [self._connected(each) for each in ready]
        self._leased.waiting.write(now, batch.ordinal, connected=connected, over=over)
        for each in ready:
            device_id, module_id = each.device_id, each.module_id
            self._on_event(DeviceConnected(at=now, device_id=device_id, module_id=module_id, batch=batch.ordinal))
        for each in over:
            self._on_event(not_connected_event(each, now))

    def _connected(self, device: WaitingDevice) -> Connected:
        """What is done with a device that waits no longer. One whose time is over is looked at once more, at once."""
        if not device.was_operated:
            return Connected(device, verify_by=None)
        now = self._clock.now()
        return Connected(device, verify_by=now if device.wait.until <= now else now + self._verify_within)
