"""The hub jobs of a run that are not closed: their rows, and what this process knows of them besides."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from azext_iotjobs.fleet_job.driver import OnEvent
from azext_iotjobs.fleet_job.engine import Drain
from azext_iotjobs.fleet_job.hub_job import HubJob, HubJobState, HubJobStep, next_step
from azext_iotjobs.fleet_job.plan import PlannedHubJob
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.run_events import HubJobMoved, Notice
from azext_iotjobs.operations.fleet_job.drivers.hub_job_results import Closing
from azext_iotjobs.operations.fleet_job.drivers.poll_schedule import FIRST_PAUSE_S, PollSchedule


@dataclass()
class TrackedHubJob:
    """A hub job that is not closed."""

    row: HubJob  # as it is stored
    is_own_intent: bool = False  # this process recorded the intent, and has sent nothing since
    is_cancel_asked: bool = False  # by this process, whatever the hub answered
    has_ended: bool = False  # in the hub; its results are read next
    tally: JobTally | None = None  # as last reported
    has_tally: bool = False  # whether one was reported, be it None
    _schedule: PollSchedule | None = None

    @property
    def schedule(self) -> PollSchedule:
        """When it is polled next."""
        if self._schedule is None:
            self._schedule = PollSchedule()
        return self._schedule

    def poll_anew(self, next_at: float = 0.0) -> None:
        """Poll it often again, first at `next_at` (monotonic)."""
        self._schedule = PollSchedule(next_at=next_at)

    @property
    def next_poll_at(self) -> float | None:
        """When it is polled next (monotonic); None: it was not polled yet."""
        return None if self._schedule is None else self._schedule.next_at

    def step(self, drain: Drain) -> HubJobStep:
        """What is to be done with it now."""
        return next_step(self.row, drain, is_own_intent=self.is_own_intent, is_cancel_asked=self.is_cancel_asked)


class TrackedHubJobs:
    """All that are not closed. Every change is stored before it counts."""

    def __init__(self, clock: Clock, leased: LeasedRun, on_event: OnEvent) -> None:
        self.slot = PollSchedule()  # when a job slot of the hub is tried again
        self._clock = clock
        self._leased = leased
        self._on_event = on_event
        self._by_id = {each.job_id: TrackedHubJob(each) for each in leased.hub_jobs.open()}

    def __iter__(self) -> Iterator[TrackedHubJob]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, job: TrackedHubJob) -> bool:
        return job.row.job_id in self._by_id

    def in_order(self) -> list[TrackedHubJob]:
        """Those whose results are read come last: a tier gives few queries a minute, and meanwhile the hub works."""
        return sorted(self, key=lambda each: each.has_ended)

    def has_any(self, state: HubJobState) -> bool:
        """Whether one of them is in a state."""
        return any(each.row.state is state for each in self)

    def next_poll_at(self) -> float:
        """When the first of them, or a job slot, is polled next; monotonic."""
        polls = (each.next_poll_at for each in self)
        return min([self.slot.next_at, *(each for each in polls if each is not None)])

    def add(self, hub_job: HubJob, planned: PlannedHubJob) -> None:
        """Plan one for some devices."""
        self._leased.hub_jobs.add(hub_job, planned, self._clock.now())
        self._by_id[hub_job.job_id] = TrackedHubJob(hub_job)

    def save(self, job: TrackedHubJob, **changes: Any) -> None:
        """Store that members of its row have changed."""
        row = replace(job.row, **changes)
        self._leased.hub_jobs.save(row, self._clock.now())
        job.row = row

    def submitted(self, job: TrackedHubJob, how: str) -> None:
        """The hub has it. how: "created" or "adopted"."""
        self.save(job, state=HubJobState.SUBMITTED, submitted_at=self._clock.now())
        job.poll_anew(self._clock.monotonic() + FIRST_PAUSE_S)
        self.report(job, how)

    def close(self, job: TrackedHubJob, closing: Closing) -> None:
        """Record the last of its results; nothing is left to be done with it."""
        self._leased.hub_jobs.close(job.row, self._clock.now(), ended=closing.ended, note=closing.note)
        self._by_id.pop(job.row.job_id)
        self.slot.next_at = 0.0  # the slot that it held may be free

    def report(self, job: TrackedHubJob, status: str, tally: JobTally | None = None) -> None:
        """Notify the observer of where it stands."""
        now = self._clock.now()
        row = job.row
        self._on_event(HubJobMoved(at=now, batch=row.batch, job_id=row.job_id, status=status, tally=tally))

    def say(self, text: str) -> None:
        """Notify the observer of something that a person should know."""
        self._on_event(Notice(at=self._clock.now(), text=text))
