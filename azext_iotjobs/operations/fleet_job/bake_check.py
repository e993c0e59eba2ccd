"""Whether the devices of a batch that baked are still as they were verified; those that are not are failed."""

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.paging import Page
from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.outcomes import verified_attempt, verified_event
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.verification import Verdict, Verification, VerifyingDevice
from azext_iotjobs.operations.fleet_job.gate_requests import NAP_S, GateRequests
from azext_iotjobs.operations.verification.rounds import PageQuery
from azext_iotjobs.operations.verification.staying import who_did_not_stay
from azext_iotjobs.operations.verification.sweep import Step

DEVICES_AT_A_TIME = 1_000  # that are read


class BakeCheck:
    """Looks at the devices of one batch, query by query. One that is begun anew looks at all that are left."""

    def __init__(
        self,
        leased: LeasedRun,
        batch: int,
        verification: Verification,
        pace: QueryPace,
        clock: Clock,
        on_event: OnEvent,
    ) -> None:
        """batch: its number.  pace: of the queries.  on_event: is called with devices that have failed."""
        self._leased = leased
        self._batch = batch
        self._pace = pace
        self._clock = clock
        self._on_event = on_event
        self._steps = who_did_not_stay(self._page, verification, clock.now)
        self._query: PageQuery | None = None

    def turn(self, requests: GateRequests) -> bool:
        """Make the next query, as far as its pace allows; gives whether all have been looked at. Raises HubFault."""
        if self._query is None:
            return self._advance(None)
        wait_s = self._pace.wait_s(self._clock.monotonic())
        if wait_s > 0:
            self._clock.sleep(min(NAP_S, wait_s))
            return False
        query = self._query
        page = requests.call(lambda client: _page_of(client, query))
        if page is None:
            return False
        self._pace.made(self._clock.monotonic())
        return self._advance(page)

    def _advance(self, page: Page | None) -> bool:
        step: Step
        try:
            step = self._steps.send(page)
            while not isinstance(step, PageQuery):
                self._record(step)
                step = self._steps.send(None)
        except StopIteration:
            return True
        self._query = step
        return False

    def _record(self, decided: list[Verdict]) -> None:
        now = self._clock.now()
        ended = [verified_attempt(each, None) for each in decided]  # none is tried again in a batch that has ended
        self._leased.verifying.fail_verified(now, ended)
        for verdict, end in zip(decided, ended, strict=True):
            self._on_event(verified_event(verdict, end, self._batch))

    def _page(self, after: int) -> list[VerifyingDevice]:
        return self._leased.verifying.verified(self._batch, DEVICES_AT_A_TIME, after=after)


def _page_of(client: HubClient, query: PageQuery) -> Page:
    return next(client.queries.run_pages(query.text, query.token))
