"""Verifier: has the queries of a sweep made, when there is something to look at; hands over what was decided.

It never waits for the hub: whoever uses it calls `turn` again and again, and does something else in between, or `nap`s.
"""

from collections.abc import Callable

from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.verification import Verdict, Verification
from azext_iotjobs.operations.verification.rounds import NAP_S, ROUND_S, Rounds
from azext_iotjobs.operations.verification.sweep import Sweep, VerifyingDevices

IDLE_S = 0.25  # between two questions whether there is anything to verify, or whether its time is over
LONGEST_PAUSE_S = 15.0  # between two rounds that decide nothing


class Verifier:
    """Verifies devices, turn by turn."""

    def __init__(
        self,
        queries: QueriesClient,
        verification: Verification,
        devices: VerifyingDevices,
        pace: QueryPace,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        """devices: those that are left to be verified.  pace: of the queries; it counts them.

        say: is told what trouble is waited out.
        """
        self._devices = devices
        self._clock = clock
        self._sweep = Sweep(devices, verification, clock.now)
        self._rounds: Rounds[Verdict] = Rounds(queries, pace, clock, say, "Verification", LONGEST_PAUSE_S)
        self._next_check_at = float("-inf")  # monotonic

    @property
    def trouble(self) -> IotJobsError | None:
        """Why it cannot continue."""
        return self._rounds.trouble

    def turn(self) -> list[Verdict]:
        """Do what can be done now; gives what was decided, which has to be recorded before the next turn."""
        if self.trouble is not None or (not self._rounds.is_under_way and not self._begin()):
            return []
        decided = self._rounds.turn()
        if not self._rounds.is_under_way:
            self._next_check_at = self._clock.monotonic() + ROUND_S
        return decided

    def nap(self, longest_s: float = NAP_S) -> None:
        """Wait a little for what comes next."""
        self._rounds.nap(longest_s, idle_s=self._next_check_at - self._clock.monotonic())

    def close(self) -> None:
        """Let the thread end; what is in flight is not waited for."""
        self._rounds.close()

    def _begin(self) -> bool:
        """Begin a round when one is due; gives whether it is."""
        now = self._clock.monotonic()
        if now < self._next_check_at:
            return False
        self._next_check_at = now + IDLE_S
        deadline = self._devices.first_deadline()
        if deadline is None:
            self._rounds.forget()
            return False
        if now < self._rounds.next_at and self._clock.now() <= deadline:
            return False
        self._rounds.begin(self._sweep.round())
        return True
