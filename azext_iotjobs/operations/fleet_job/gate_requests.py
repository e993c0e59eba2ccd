"""Requests that gates make to the hub: the lease is renewed meanwhile, and trouble that passes is waited out."""

from collections.abc import Callable
from typing import TypeVar

from azext_iotjobs.clients.heartbeat_caller import HeartbeatCaller, OutageBackoff
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import HubAnswer, LinkError
from azext_iotjobs.model.run_events import Notice

NAP_S = 0.5

OpenClient = Callable[[], HubClient]
Result = TypeVar("Result")


class GateRequests:
    """Makes one request after the other; each call returns as soon as the hub answers, or within half a second."""

    def __init__(self, client: OpenClient, clock: Clock, leased: LeasedRun, on_event: OnEvent) -> None:
        """client: of the hub; called once, when it is needed.  on_event: is called with trouble that is waited out."""
        self.trouble: HubAnswer | LinkError | None = None  # why the last request was given up
        self._open_client = client
        self._client: HubClient | None = None
        self._clock = clock
        self._on_event = on_event
        self._caller = HeartbeatCaller(lambda: leased.beat(clock.now()))
        self._backoff = OutageBackoff()

    def call(self, request: Callable[[HubClient], Result]) -> Result | None:
        """What a request gives; None: it has to be made again, unless there is `trouble`."""
        left_s = self._backoff.remaining_s(self._clock.monotonic())
        if left_s > 0:
            self._clock.sleep(min(NAP_S, left_s))
            return None
        if self._client is None:
            self._client = self._open_client()
        client = self._client
        try:
            result = self._caller.call(lambda: request(client))
        except (HubAnswer, LinkError) as err:
            self._wait_out(err)
            return None
        self._backoff.reset()
        return result

    def forget(self) -> None:
        """What is asked next is another matter."""
        self.trouble = None
        self._backoff.reset()

    def close(self) -> None:
        """Let the thread end."""
        self._caller.close()

    def _wait_out(self, err: HubAnswer | LinkError) -> None:
        pause_s = self._backoff.pause_after(err, self._clock.monotonic())
        if pause_s is None:
            self.trouble = err
        else:
            self._on_event(Notice(at=self._clock.now(), text=f"{err} The next try is in {pause_s:.0f} s."))
