"""What an ended hub job did, by the hub's rows -> how the attempts on its devices ended."""

from collections.abc import Callable, Iterator
from dataclasses import field
from datetime import datetime

from azext_iotjobs.clients.heartbeat_caller import HeartbeatCaller
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import parse_result
from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.hub_job import VANISHED_AFTER_S, HubJob
from azext_iotjobs.fleet_job.outcomes import attempt_event, attempt_result, result_without_row, uncertain_result
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.attempt import Attempt, AttemptResult
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.fleet_job import Definition
from azext_iotjobs.model.job import Job, JobStatus
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query import quoted, rows_of_job
from azext_iotjobs.model.result import ENDED, DeviceResult

NOT_SAID = "The hub's job has ended without saying what it did to the device."


@dataclass(frozen=True, kw_only=True)
class Closing:
    """What is recorded when a hub job is closed; its devices that have no result here wait again."""

    ended: list[AttemptResult] = field(default_factory=list)
    note: str | None = None


class HubJobResults:
    """Reads the rows, and records page by page what they say."""

    def __init__(
        self,
        client: HubClient,
        clock: Clock,
        leased: LeasedRun,
        definition: Definition,
        on_event: OnEvent,
        caller: HeartbeatCaller,
    ) -> None:
        """leased, definition: the run, and what it executes.  on_event: is called with what is recorded."""
        self._client = client
        self._clock = clock
        self._leased = leased
        self._success = definition.action.success
        self._retry = definition.rollout.retry
        self._verification = definition.verification
        self._when_online_s = definition.delivery.when_online_s
        self._on_event = on_event
        self._caller = caller

    def read(self, hub_job: HubJob, job: Job, odd_for_s: Callable[[], float]) -> Closing | None:
        """Record what an ended job did; None: the hub's rows are behind its status, and have to be read again.

        job: as the hub describes it.  odd_for_s: for how long that is so; it is called only then.
        """
        left = {each.device_id: each for each in self._leased.hub_jobs.devices_of(hub_job)}  # of modules of one name
        ended_ids: set[str] = set()  # devices of the job that have ended; a row may come twice
        for results in self._pages(hub_job):
            ended, now = [], self._clock.now()
            for result in results:
                if result.status.lower() not in ENDED:
                    continue
                if quoted(result.device_id) in hub_job.condition:
                    ended_ids.add(result.device_id)
                if result.device_id not in left or _is_of_cancelling(result, job):
                    continue
                attempt = left.pop(result.device_id)
                ended.append((attempt, self._result_of(attempt, result, now)))
            self._record(hub_job, ended)
        return self._closing(hub_job, job, list(left.values()), len(ended_ids), odd_for_s)

    def uncertain(self, hub_job: HubJob, text: str) -> Closing:
        """Nobody can know what a job did, if anything. text: why."""
        now = self._clock.now()
        ended = [(each, uncertain_result(each, text, now)) for each in self._leased.hub_jobs.devices_of(hub_job)]
        return Closing(ended=self._report(hub_job, ended), note="not known")

    def _closing(
        self, hub_job: HubJob, job: Job, left: list[Attempt], ended_count: int, odd_for_s: Callable[[], float]
    ) -> Closing | None:
        is_cancelled = job.status is JobStatus.CANCELLED
        if job.tally is not None:
            is_late = ended_count < job.tally.device_count
        else:
            is_late = job.status is JobStatus.COMPLETED  # as far as one can know
        if left and not is_cancelled and is_late:
            if odd_for_s() <= VANISHED_AFTER_S:
                return None  # they are on their way
            return self.uncertain(hub_job, NOT_SAID)
        if is_cancelled and hub_job.was_cancel_asked:
            return Closing(note="cancelled")
        now = self._clock.now()
        ended = [(each, result_without_row(each, job, self._retry, now)) for each in left]
        return Closing(ended=self._report(hub_job, ended))

    def _result_of(self, attempt: Attempt, result: DeviceResult, now: datetime) -> AttemptResult:
        return attempt_result(
            attempt,
            result,
            now,
            retry=self._retry,
            verification=self._verification,
            when_online_s=self._when_online_s,
        )

    def _pages(self, hub_job: HubJob) -> Iterator[list[DeviceResult]]:
        """The rows, page by page; the hub makes the next page while one is recorded."""
        pages = self._client.queries.run_pages(rows_of_job(hub_job.job_id))
        coming = self._caller.begin(lambda: next(pages, None))
        while (page := coming()) is not None:
            coming = self._caller.begin(lambda: next(pages, None))
            yield [parse_result(each, self._success) for each in page.items]

    def _record(self, hub_job: HubJob, ended: list[tuple[Attempt, AttemptResult]]) -> None:
        if ended:
            self._leased.devices.write(self._clock.now(), ended=[each for _, each in ended])
            self._report(hub_job, ended)

    def _report(self, hub_job: HubJob, ended: list[tuple[Attempt, AttemptResult]]) -> list[AttemptResult]:
        now = self._clock.now()
        for attempt, end in ended:
            self._on_event(attempt_event(attempt, end, hub_job.batch, now))
        return [each for _, each in ended]


def _is_of_cancelling(result: DeviceResult, job: Job) -> bool:
    """Whether a row is only there because its job was cancelled before it operated the device."""
    is_operated = result.status.lower() == "completed" or bool(result.error_code)
    return job.status is JobStatus.CANCELLED and not is_operated
