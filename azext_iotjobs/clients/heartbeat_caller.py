"""Requests of one who has something else to keep alive: made on a thread, and patient with a hub that is away."""

from collections.abc import Callable
from typing import TypeVar

from azext_iotjobs.clients.many_calls import Workers
from azext_iotjobs.model.errors import HubAnswer, HubFault, IotJobsError, LinkError, NotTrusted, Throttled

LONGEST_SILENCE_S = 0.5  # between two beats
PATIENCE_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)  # for a hub that is away: two minutes

Given = TypeVar("Given")


class Steady:
    """Asks the hub; `beat` is called twice a second while it does not answer."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._workers: Workers[Callable[[], bool], bool] = Workers(lambda call: call())

    def ask(self, call: Callable[[], Given]) -> Given:
        """What a call gives. Raises what it raises, and what `beat` does."""
        given: list[Given] = []
        raised: list[IotJobsError] = []

        def make() -> bool:
            try:
                given.append(call())
            except IotJobsError as err:
                raised.append(err)
            return True

        self._workers.begin(make)
        while self._workers.next_ended(LONGEST_SILENCE_S) is None:
            self._beat()
        if raised:
            raise raised[0]
        return given[0]

    def close(self) -> None:
        """Let the thread end."""
        self._workers.end()


class Patience:
    """For how long a hub that is busy or away is asked again. `now` is in monotonic seconds."""

    def __init__(self) -> None:
        self.passing: HubAnswer | LinkError | None = None  # what is waited out
        self._tries = 0
        self._paused_until = 0.0

    def left_s(self, now: float) -> float:
        """Seconds until it may be asked again; 0: now."""
        return max(0.0, self._paused_until - now)

    def answered(self) -> None:
        """It is there."""
        self._tries, self.passing = 0, None

    def pause_after(self, err: HubAnswer | LinkError, now: float) -> float | None:
        """Seconds until it is asked again; None: waiting does not help, or has not."""
        is_passing = isinstance(err, (Throttled, HubFault, LinkError)) and not isinstance(err, NotTrusted)
        if not is_passing or self._tries == len(PATIENCE_S):
            return None
        pause_s = PATIENCE_S[self._tries]
        self._tries += 1
        self._paused_until = now + pause_s
        self.passing = err
        return pause_s
