"""BatchDriver: another driver operates the devices, and beside it their twins are looked at until they say so.

A device that is being verified has not ended, so its batch has not. Nobody waits for it when the run is to end: what
is left is looked at by whoever resumes the run.
"""

from azext_iotjobs.fleet_job.driver import BatchDriver, OnEvent
from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.outcomes import verified_attempt, verified_event
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.fleet_job import ActionKind, Definition
from azext_iotjobs.model.run import Batch
from azext_iotjobs.model.verification import Verdict
from azext_iotjobs.operations.verification.verifier import Verifier


class VerifyingDriver:
    """Operates devices by another driver, and verifies them."""

    def __init__(
        self,
        driver: BatchDriver,
        verifier: Verifier,
        clock: Clock,
        leased: LeasedRun,
        definition: Definition,
        on_event: OnEvent,
    ) -> None:
        """driver: operates the devices.  definition: what is executed.

        on_event: is called with what becomes of those that are verified.
        """
        self._driver = driver
        self._verifier = verifier
        self._clock = clock
        self._leased = leased
        self._retry = definition.rollout.retry
        # What a method has begun goes on without the hub; what the hub keeps for a device begins when it connects.
        is_kept_by_hub = definition.action.kind is not ActionKind.METHOD
        self._when_online_s = definition.delivery.when_online_s if is_kept_by_hub else None
        self._on_event = on_event

    @property
    def trouble(self) -> IotJobsError | None:
        """Why devices cannot be operated, or not be looked at, any more."""
        return self._driver.trouble or self._verifier.trouble

    def in_flight_count(self, drain: Drain) -> int:
        """What the driver has in flight."""
        return self._driver.in_flight_count(drain)

    def turn(self, batch: Batch, drain: Drain) -> None:
        """A turn of both; where the driver has nothing to do, wait a little for the twins."""
        decided = self._verifier.turn() if drain is Drain.NO else []
        if decided:
            self._record(decided, batch)
            return  # a threshold is compared before anything else begins
        if self._is_left_to_operate(batch, drain):
            self._driver.turn(batch, drain)
        else:
            self._verifier.nap()

    def close(self) -> None:
        """Let all threads end."""
        self._verifier.close()
        self._driver.close()

    def _is_left_to_operate(self, batch: Batch, drain: Drain) -> bool:
        tally = batch.tally
        return drain is not Drain.NO or tally.open > tally.verifying or self._driver.in_flight_count(drain) > 0

    def _record(self, decided: list[Verdict], batch: Batch) -> None:
        ended = [verified_attempt(each, self._retry, self._when_online_s) for each in decided]
        self._leased.verifying.write(self._clock.now(), ended)
        for verdict, end in zip(decided, ended, strict=True):
            self._on_event(verified_event(verdict, end, batch.ordinal))
