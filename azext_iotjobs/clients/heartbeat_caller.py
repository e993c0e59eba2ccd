"""Requests of a caller that keeps a lease alive meanwhile: made on a thread; and the back-off while a hub is away."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from azext_iotjobs.clients.many_calls import Workers
from azext_iotjobs.model.errors import HubAnswer, HubFault, IotJobsError, LinkError, NotTrusted, Throttled

BEAT_INTERVAL_S = 0.5  # at most, between two beats
OUTAGE_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)  # between requests to a hub that is away: two minutes

Result = TypeVar("Result")


class HeartbeatCaller:
    """Makes requests; `beat` is called twice a second while the hub does not answer."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._workers: Workers[Callable[[], bool], bool] = Workers(lambda request: request())

    def call(self, request: Callable[[], Result]) -> Result:
        """What a request gives. Raises what it raises, and what `beat` does."""
        return self.begin(request)()

    def begin(self, request: Callable[[], Result]) -> Callable[[], Result]:
        """Make a request meanwhile; what is given waits for it, once, as `call` does."""
        results: list[Result] = []
        errors: list[IotJobsError] = []

        def make() -> bool:
            try:
                results.append(request())
            except IotJobsError as err:
                errors.append(err)
            return True

        def result() -> Result:
            while not (results or errors):  # what has ended may be another request that nobody waited for
                if self._workers.next_ended(BEAT_INTERVAL_S) is None:
                    self._beat()
            if errors:
                raise errors[0]
            return results[0]

        self._workers.begin(make)
        return result

    def close(self) -> None:
        """Let the thread end."""
        self._workers.end()


class OutageBackoff:
    """For how long requests pause while a hub is busy or away. `now` is in monotonic seconds."""

    def __init__(self, pauses_s: Sequence[float] = OUTAGE_PAUSES_S) -> None:
        """pauses_s: between two requests, one after the other; then waiting has not helped."""
        self.error: HubAnswer | LinkError | None = None  # that is waited out
        self._pauses_s = pauses_s
        self._tries = 0
        self._paused_until = 0.0

    @property
    def pause_s(self) -> float:
        """The pause that was last made; 0 when the hub has answered since."""
        return self._pauses_s[self._tries - 1] if self._tries else 0.0

    def remaining_s(self, now: float) -> float:
        """Seconds until the next request may be made; 0: now."""
        return max(0.0, self._paused_until - now)

    def reset(self) -> None:
        """The hub has answered."""
        self._tries, self.error = 0, None

    def pause_after(self, err: HubAnswer | LinkError, now: float) -> float | None:
        """Seconds until the next request; None: waiting does not help, or has not."""
        is_passing = isinstance(err, (Throttled, HubFault, LinkError)) and not isinstance(err, NotTrusted)
        if not is_passing or self._tries == len(self._pauses_s):
            return None
        pause_s = self._pauses_s[self._tries]
        self._tries += 1
        self._paused_until = now + pause_s
        self.error = err
        return pause_s
