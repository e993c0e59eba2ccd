"""Rounds of queries: made at a pace, on a thread; trouble is waited out; what they find is handed over.

A round is a generator that yields queries and what it has found; it is sent the page that the hub gave. Nobody waits
for the hub: whoever has a round under way calls `turn` again and again, does something else in between, or `nap`s.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Generic, NamedTuple, TypeVar

from azext_iotjobs.clients.heartbeat_caller import OUTAGE_PAUSES_S, OutageBackoff
from azext_iotjobs.clients.many_calls import Workers
from azext_iotjobs.clients.paging import Page
from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import HubAnswer, IotJobsError, LinkError
from azext_iotjobs.model.query_pace import QueryPace

NAP_S = 0.5
ROUND_S = 1.0  # between two rounds at least
FIRST_PAUSE_S, PAUSE_GROWTH = 1.0, 1.5  # between two rounds that find nothing
ANSWER_S = 0.05  # most hubs answer in this time: a short wait saves a turn

Found = TypeVar("Found")
Answer = Page | IotJobsError


class PageQuery(NamedTuple):
    """A query to make now: one page of it."""

    text: str
    token: str = ""  # of the page; "": the first


Round = Generator[PageQuery | list[Found], Page | None, None]


class Rounds(Generic[Found]):
    """Makes the queries of one round after the other. Times are monotonic seconds."""

    def __init__(
        self,
        queries: QueriesClient,
        pace: QueryPace,
        clock: Clock,
        say: Callable[[str], None],
        what: str,
        longest_pause_s: float,
        patience: Sequence[float] = OUTAGE_PAUSES_S,
    ) -> None:
        """pace: of the queries; it counts them.

        say: is told what trouble is waited out.  what: stands before that: what the rounds are for.
        longest_pause_s: between two rounds that find nothing.
        patience: the pauses between requests to a hub that is away; after the last there is trouble.
        """
        self.trouble: IotJobsError | None = None  # why it cannot continue
        self.next_at = float("-inf")  # when the next round is due
        self._queries = queries
        self._pace = pace
        self._clock = clock
        self._say = say
        self._what = what
        self._longest_pause_s = longest_pause_s
        self._backoff = OutageBackoff(patience)
        self._workers: Workers[PageQuery, Answer] = Workers(self._make)
        self._is_in_flight = False
        self._answer: Answer | None = None  # taken from the thread while we waited
        self._round: Round[Found] | None = None
        self._query: PageQuery | None = None  # to be made, or in flight
        self._has_found = False  # whether the round has found anything
        self._used_before = 0  # queries, before the round
        self._pause_s = FIRST_PAUSE_S

    @property
    def is_under_way(self) -> bool:
        """Whether a round has begun, and has not ended."""
        return self._round is not None

    def begin(self, one: Round[Found]) -> None:
        """A round begins; none is under way."""
        self._round = one
        self._has_found, self._used_before = False, self._pace.used_count

    def forget(self) -> None:
        """There is nothing to query for: the next round is due at once, when there is."""
        self._pause_s, self.next_at = FIRST_PAUSE_S, float("-inf")

    def turn(self) -> list[Found]:
        """Take the round as far as it goes now; gives what it has found, which is to be recorded before the next."""
        if self.trouble is not None or self._round is None:
            return []
        if self._is_in_flight:
            answer = self._taken(0)
            return [] if answer is None else self._proceed(answer)
        return self._advance(None) if self._query is None else self._send()

    def nap(self, longest_s: float = NAP_S, *, idle_s: float = NAP_S) -> None:
        """Wait a little for what comes next. idle_s: where no round is under way."""
        if self._is_in_flight:
            self._answer = self._answer or self._taken(longest_s)
        else:
            self._clock.sleep(min(longest_s, max(0.01, self._wait_s(idle_s))))

    def close(self) -> None:
        """Let the thread end; what is in flight is not waited for."""
        self._workers.end()

    def _advance(self, page: Page | None) -> list[Found]:
        """Take the round as far as its next query, or what it finds."""
        assert self._round is not None
        step: PageQuery | list[Found]
        try:
            step = self._round.send(page)
            while not step:  # nothing was found after all
                step = self._round.send(None)
        except StopIteration:
            self._end()
            return []
        except HubAnswer as err:  # rows that are none
            self.trouble = err
            return []
        if isinstance(step, PageQuery):
            self._query = step
            return self._send()
        self._has_found = True
        return step

    def _end(self) -> None:
        self._round = None
        self._pause_s = FIRST_PAUSE_S if self._has_found else min(self._longest_pause_s, self._pause_s * PAUSE_GROWTH)
        spread_s = (self._pace.used_count - self._used_before) * self._pace.gap_s
        self.next_at = self._clock.monotonic() + max(self._pause_s, spread_s)

    def _send(self) -> list[Found]:
        now = self._clock.monotonic()
        if self._query is None or self._backoff.remaining_s(now) > 0 or self._pace.wait_s(now) > 0:
            return []
        self._pace.made(now)
        self._is_in_flight = True
        self._workers.begin(self._query)
        answer = self._taken(ANSWER_S)
        return [] if answer is None else self._proceed(answer)

    def _proceed(self, answer: Answer) -> list[Found]:
        self._is_in_flight = False
        if isinstance(answer, Page):
            self._query = None
            self._backoff.reset()
            return self._advance(answer)
        before_s, pause_s = self._backoff.pause_s, None
        if isinstance(answer, HubAnswer | LinkError):
            pause_s = self._backoff.pause_after(answer, self._clock.monotonic())
        if pause_s is None:
            self.trouble = answer
        elif pause_s > before_s:  # an outage of hours is not reported once a minute
            self._say(f"{self._what}: {answer} The next try is in {pause_s:.0f} s.")
        return []

    def _taken(self, timeout_s: float) -> Answer | None:
        if self._answer is not None:
            answer, self._answer = self._answer, None
            return answer
        return self._workers.next_ended(timeout_s)

    def _wait_s(self, idle_s: float) -> float:
        """Seconds until there is something to do."""
        now = self._clock.monotonic()
        if self._query is not None:
            return max(self._backoff.remaining_s(now), self._pace.wait_s(now))
        return 0.0 if self._round is not None else idle_s

    def _make(self, query: PageQuery) -> Answer:
        """Runs on the thread."""
        try:
            return next(self._queries.run_pages(query.text, query.token))
        except IotJobsError as err:
            return err
