"""What an ended hub job did, as the hub's rows say -> how the devices of its part have ended."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from azext_iotjobs.clients.heartbeat_caller import Steady
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import parse_result
from azext_iotjobs.fleet_job.driver import Hear
from azext_iotjobs.fleet_job.hub_job import VANISHED_AFTER, Part
from azext_iotjobs.fleet_job.outcomes import ended_of, not_known, result_of, without_row
from azext_iotjobs.fleet_job.store.sqlite.leased_run import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.job import Job, JobStatus
from azext_iotjobs.model.query import quoted, rows_of_job
from azext_iotjobs.model.result import ENDED, DeviceResult
from azext_iotjobs.model.run import Attempt, Ended
from azext_iotjobs.model.run_events import DeviceEnded

NOT_SAID = "The hub's job has ended, and does not say what it did to the device."


@dataclass(frozen=True, kw_only=True)
class Closing:
    """What is recorded when a part is closed; its devices that are not among the ended ones wait again."""

    ended: list[Ended] = field(default_factory=list)
    note: str | None = None


class JobRows:
    """Reads them, and records page by page what they say."""

    def __init__(
        self, client: HubClient, clock: Clock, leased: LeasedRun, definition: Definition, hear: Hear, steady: Steady
    ) -> None:  # fmt: skip
        self._client = client
        self._clock = clock
        self._leased = leased
        self._success = definition.action.success
        self._retry = definition.rollout.retry
        self._hear = hear
        self._steady = steady

    def read(self, part: Part, job: Job, odd_for_s: Callable[[], float]) -> Closing | None:
        """Record what an ended job did; None: the hub's rows are behind its status, and have to be read again.

        odd_for_s: since when that is so; it is asked only when it is.
        """
        left = {each.device_id: each for each in self._leased.devices_of(part)}  # a job is for modules of one name
        told: set[str] = set()  # devices of the job that have an end; a row may come twice
        for results in self._pages(part):
            ended = []
            for result in results:
                if result.status.lower() not in ENDED:
                    continue
                if quoted(result.device_id) in part.condition:
                    told.add(result.device_id)
                if result.device_id not in left or _is_of_cancelling(result, job):
                    continue
                attempt = left.pop(result.device_id)
                ended.append((attempt, ended_of(attempt, result, self._retry, self._clock.now())))
            self._record(part, ended)
        return self._closing(part, job, list(left.values()), len(told), odd_for_s)

    def not_known(self, part: Part, text: str) -> Closing:
        """Nobody can say what a job did, if it did anything."""
        now = self._clock.now()
        ended = [(each, not_known(each, text, now)) for each in self._leased.devices_of(part)]
        return Closing(ended=self._told(part, ended), note="not known")

    def _closing(
        self, part: Part, job: Job, left: list[Attempt], told_count: int, odd_for_s: Callable[[], float]
    ) -> Closing | None:  # fmt: skip
        is_cancelled = job.status is JobStatus.CANCELLED
        if job.tally is not None:
            is_late = told_count < job.tally.device_count
        else:
            is_late = job.status is JobStatus.COMPLETED  # as far as one can know
        if left and not is_cancelled and is_late:
            if odd_for_s() <= VANISHED_AFTER.total_seconds():
                return None  # they are on their way
            return self.not_known(part, NOT_SAID)
        if is_cancelled and part.was_cancel_asked:
            return Closing(note="cancelled")
        now = self._clock.now()
        return Closing(ended=self._told(part, [(each, without_row(each, job, self._retry, now)) for each in left]))

    def _pages(self, part: Part) -> Iterator[list[DeviceResult]]:
        pages = self._client.queries.run_pages(rows_of_job(part.job_id))
        while (page := self._steady.ask(lambda: next(pages, None))) is not None:
            yield [parse_result(each, self._success) for each in page.items]

    def _record(self, part: Part, ended: list[tuple[Attempt, Ended]]) -> None:
        if ended:
            self._leased.write(self._clock.now(), ended=[each for _, each in ended])
            self._told(part, ended)

    def _told(self, part: Part, ended: list[tuple[Attempt, Ended]]) -> list[Ended]:
        now = self._clock.now()
        for attempt, end in ended:
            self._hear(DeviceEnded(at=now, result=result_of(attempt, end), batch=part.batch, tries=end.tries))
        return [each for _, each in ended]


def _is_of_cancelling(result: DeviceResult, job: Job) -> bool:
    """Whether a row is there because its job was cancelled before it operated the device."""
    is_operated = result.status.lower() == "completed" or bool(result.error_code)
    return job.status is JobStatus.CANCELLED and not is_operated
