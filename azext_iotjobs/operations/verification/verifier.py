"""Verifier: makes the queries of a sweep, at a pace, on a thread; waits out trouble; hands over what was decided.

It never waits for the hub: whoever uses it calls `turn` again and again, and does something else in between, or `nap`s.
"""

from collections.abc import Callable

from azext_iotjobs.clients.heartbeat_caller import OutageBackoff
from azext_iotjobs.clients.many_calls import Workers
from azext_iotjobs.clients.paging import Page
from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import HubAnswer, IotJobsError, LinkError
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.verification import Verdict, Verification
from azext_iotjobs.operations.verification.sweep import PageQuery, Step, Steps, Sweep, VerifyingDevices

NAP_S = 0.5
IDLE_S = 0.25  # between two questions whether there is anything to verify, or whether its time is over
ROUND_S = 1.0  # between two rounds at least
FIRST_PAUSE_S, PAUSE_GROWTH, LONGEST_PAUSE_S = 1.0, 1.5, 15.0  # between two rounds that decide nothing
ANSWER_S = 0.05  # most hubs answer in this time: a short wait saves a turn

Answer = Page | IotJobsError


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
        self.trouble: IotJobsError | None = None  # why it cannot continue
        self._queries = queries
        self._devices = devices
        self._pace = pace
        self._clock = clock
        self._say = say
        self._sweep = Sweep(devices, verification, clock.now)
        self._backoff = OutageBackoff()
        self._workers: Workers[PageQuery, Answer] = Workers(self._make)
        self._is_in_flight = False
        self._answer: Answer | None = None  # taken from the thread while we waited
        self._steps: Steps | None = None  # of the round
        self._query: PageQuery | None = None  # to be made, or in flight
        self._has_news = False  # whether the round has decided anything
        self._used_before = 0  # queries, before the round
        self._pause_s = FIRST_PAUSE_S
        self._next_round_at = self._next_check_at = float("-inf")  # monotonic

    def turn(self) -> list[Verdict]:
        """Do what can be done now; gives what was decided, which has to be recorded before the next turn."""
        if self.trouble is not None:
            return []
        if self._is_in_flight:
            answer = self._taken(0)
            return [] if answer is None else self._proceed(answer)
        if self._query is not None:
            return self._send()
        if self._steps is None and not self._begin():
            return []
        return self._advance(None)

    def nap(self, longest_s: float = NAP_S) -> None:
        """Wait a little for what comes next."""
        if self._is_in_flight:
            self._answer = self._answer or self._taken(longest_s)
        else:
            self._clock.sleep(min(longest_s, max(0.01, self._wait_s())))

    def close(self) -> None:
        """Let the thread end; what is in flight is not waited for."""
        self._workers.end()

    def _begin(self) -> bool:
        """Begin a round when one is due; gives whether it is."""
        now = self._clock.monotonic()
        if now < self._next_check_at:
            return False
        self._next_check_at = now + IDLE_S
        deadline = self._devices.first_deadline()
        if deadline is None:
            self._pause_s, self._next_round_at = FIRST_PAUSE_S, float("-inf")
            return False
        if now < self._next_round_at and self._clock.now() <= deadline:
            return False
        self._steps = self._sweep.round()
        self._has_news, self._used_before = False, self._pace.used_count
        return True

    def _end_round(self) -> None:
        now = self._clock.monotonic()
        self._steps = None
        self._pause_s = FIRST_PAUSE_S if self._has_news else min(LONGEST_PAUSE_S, self._pause_s * PAUSE_GROWTH)
        spread_s = (self._pace.used_count - self._used_before) * self._pace.gap_s
        self._next_round_at = now + max(self._pause_s, spread_s)
        self._next_check_at = now + ROUND_S

    def _advance(self, page: Page | None) -> list[Verdict]:
        """Take the round as far as its next query, or what it decides."""
        assert self._steps is not None
        step: Step
        try:
            step = self._steps.send(page)
            while not step:  # nothing was decided after all
                step = self._steps.send(None)
        except StopIteration:
            self._end_round()
            return []
        if isinstance(step, PageQuery):
            self._query = step
            return self._send()
        self._has_news = True
        return step

    def _send(self) -> list[Verdict]:
        now = self._clock.monotonic()
        if self._query is None or self._backoff.remaining_s(now) > 0 or self._pace.wait_s(now) > 0:
            return []
        self._pace.made(now)
        self._is_in_flight = True
        self._workers.begin(self._query)
        answer = self._taken(ANSWER_S)
        return [] if answer is None else self._proceed(answer)

    def _proceed(self, answer: Answer) -> list[Verdict]:
        self._is_in_flight = False
        if isinstance(answer, Page):
            self._query = None
            self._backoff.reset()
            return self._advance(answer)
        pause_s = None
        if isinstance(answer, HubAnswer | LinkError):
            pause_s = self._backoff.pause_after(answer, self._clock.monotonic())
        if pause_s is None:
            self.trouble = answer
        else:
            self._say(f"Verification: {answer} The next try is in {pause_s:.0f} s.")
        return []

    def _taken(self, timeout_s: float) -> Answer | None:
        if self._answer is not None:
            answer, self._answer = self._answer, None
            return answer
        return self._workers.next_ended(timeout_s)

    def _wait_s(self) -> float:
        """Seconds until there is something to do."""
        now = self._clock.monotonic()
        if self._query is not None:
            return max(self._backoff.remaining_s(now), self._pace.wait_s(now))
        return 0.0 if self._steps is not None else self._next_check_at - now

    def _make(self, query: PageQuery) -> Answer:
        """Runs on the thread."""
        try:
            return next(self._queries.run_pages(query.text, query.token))
        except IotJobsError as err:
            return err
