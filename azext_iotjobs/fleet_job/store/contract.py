"""What a store of fleet jobs gives, and the values that go in and out: all that operations and commands know of it.

What only the holder of a run's lease may do is in leased_contract.py; schedules are in schedule_contract.py.

A store is one object with a part for each subject. `sql/` implements it over a database: `sqlite/`, one file on this
machine, and `postgres/`, a team's server. Every method raises StateError when the store itself cannot be used.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.model.fleet_job import Definition, Delivery, Driver, FleetJob, Origin
from azext_iotjobs.model.gates import GateAnswer
from azext_iotjobs.model.in_progress import BeingVerified, CallInProgress, HubJobInProgress, WaitingToConnect
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.result import ResultPage
from azext_iotjobs.model.rollout import BatchSizes
from azext_iotjobs.model.run import Batch, Narrowed, Run, StopRequest
from azext_iotjobs.model.tier import TierFacts

if TYPE_CHECKING:  # whoever executes no run starts without it
    from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
    from azext_iotjobs.fleet_job.store.schedule_contract import ClaimKey, Occurrences, Schedules

MAX_HUB_JOBS = 100  # of one run that are listed; a tier has ten slots at most

# -- values -----------------------------------------------------------------------------------------------------------


class Access(Enum):
    """What a store is opened for."""

    MAKE = "make"  # it is made when it is missing
    CHANGE = "change"  # one that is missing is empty, and is not made
    READ = "read"  # the same, and nothing is written
    PLAN = "plan"  # the same, for a command that would make it

    @property
    def writes(self) -> bool:
        """Whether anything may be written."""
        return self in (Access.MAKE, Access.CHANGE)


class StoreRights(NamedTuple):
    """What may be done in a store by whoever has signed in to it; everybody may look."""

    may_run: bool  # runs are made, executed, stopped, approved
    may_define: bool  # fleet jobs, groups and schedules are saved and removed


@dataclass(frozen=True)
class DeviceGroup:
    """A saved condition of a hub."""

    host: str
    name: str
    condition: str


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run to be."""

    fleet_job_id: str
    version: int
    run_key: str
    driver: Driver
    driver_reason: str
    delivery: Delivery
    sizes: BatchSizes
    at: datetime
    by: str
    tier: TierFacts | None = None
    narrowed: Narrowed | None = None
    claim: "ClaimKey | None" = None  # of the occurrence that it is of; None: somebody starts it


@dataclass(frozen=True, kw_only=True)
class ResultFilter:
    """Which devices of a run; None and empty are any."""

    words: frozenset[str] = frozenset()  # of plan.WORDS; one of them has to fit
    states: frozenset[str] = frozenset()  # of plan.STATE_WORDS
    error_classes: frozenset[str] = frozenset()  # of those that failed
    device_id: str | None = None


# -- the contract -----------------------------------------------------------------------------------------------------


class Definitions(Protocol):
    """Fleet jobs, each in its versions."""

    def add(
        self, fleet_job_id: str, host: str, definition: Definition, *, at: datetime, by: str, origin: Origin | None
    ) -> FleetJob:
        """Store a new fleet job, version 1. Raises ConflictingChoice when the id is taken.

        host: of its hub, canonical.  at: aware UTC.  by: who saves it, for people.  origin: None: it is not a copy.
        """

    def check_unused(self, fleet_job_id: str) -> None:
        """Raise ConflictingChoice when the id is taken."""

    def get(self, fleet_job_id: str, version: int | None = None) -> FleetJob:
        """A fleet job, in its newest version or another one. Raises NotFound."""

    def list_all(self, host: str | None = None) -> list[FleetJob]:
        """All of a hub (None: of every hub), the newest first."""

    def edit(self, fleet_job_id: str, definition: Definition, *, at: datetime, by: str) -> FleetJob:
        """Store another version; runs keep the one that they execute. Raises NotFound.

        A definition that changes nothing makes no version.
        """

    def of_run(self, run: Run) -> Definition:
        """The definition that a run executes. Raises NotFound."""


class Groups(Protocol):
    """Device groups: conditions that were saved under a name."""

    def add(self, host: str, name: str, condition: str) -> None:
        """Save a condition under a new name. Raises ConflictingChoice when it is taken."""

    def save(self, host: str, name: str, condition: str) -> None:
        """Save a condition under a name, in place of the one that had it."""

    def condition_of(self, host: str, name: str) -> str:
        """The condition that has a name. Raises NotFound."""

    def list_all(self) -> list[DeviceGroup]:
        """Those of all hubs, by name."""

    def users(self, host: str, name: str) -> list[str]:
        """The ids of the fleet jobs whose next run selects a group's devices."""

    def delete(self, host: str, name: str) -> None:
        """Remove a group. Raises NotFound."""


class Candidates(Protocol):
    """The devices that the next run may have. They are this connection's alone until `Runs.add` takes them."""

    def collect(self, devices: Iterable[tuple[str, str | None]], seed: int) -> int:
        """Note devices (and modules on them) in their order; gives how many. They are read one by one.

        seed: of the sample that may be taken of them.
        """

    def collect_of_run(self, run: Run, words: frozenset[str], seed: int) -> int:
        """Note devices of an earlier run by their results; gives how many.

        words: of plan.WORDS.  seed: of the sample that may be taken of them.
        """

    def sort(self) -> None:
        """Put them in the order of their ids."""

    def among(self, device_ids: Sequence[str]) -> list[str]:
        """Those of `device_ids` that are candidates."""

    def exclude(self, device_ids: Sequence[str]) -> int:
        """Take devices, with their modules, away; gives how many are left."""

    def keep_first(self, count: int) -> int:
        """Keep the first `count`; gives how many are left."""

    def keep_sample(self, count: int) -> int:
        """Keep a random sample, the same each time for the same seed; gives how many are left."""


class Runs(Protocol):
    """Runs, their batches, and what is in progress in them."""

    def add(self, new: NewRun) -> Run:
        """Make a run of the candidates, in batches; from here on they are fixed.

        Raises NotFound; RunUnfinished while another run of the fleet job has not ended; LeaseLost for an occurrence
        whose claim somebody took over.
        """

    def get(self, fleet_job_id: str, number: int | None = None) -> Run:
        """A run; without a number the last one. Raises NotFound."""

    def get_by_key(self, key: int) -> Run:
        """A run by its key in this store. Raises NotFound."""

    def list_all(self, fleet_job_id: str) -> list[Run]:
        """All runs of a fleet job, the last first."""

    def last(self, fleet_job_id: str) -> Run | None:
        """The last run; None: it has not run yet."""

    def unfinished_of_each(self) -> dict[str, Run]:
        """The run that has not ended of every fleet job that has one, by its id."""

    def request_stop(self, run: Run, request: StopRequest) -> None:
        """Record a request; the process that executes the run will see it.

        A request to cancel is not turned into one to stop; of a run that has ended nothing is requested.
        """

    def answer_gate(self, run: Run, batch: Batch, answer: GateAnswer) -> bool:
        """Record that somebody has approved a batch, or rejected it; the process that executes the run will see it.

        batch: as it was read.  False: its gates stand otherwise by now, and nothing is recorded.
        """

    def batches(self, run: Run, after: int = 0, limit: int | None = None) -> list[Batch]:
        """Batches of a run in their order, those behind `after`."""

    def batch(self, run: Run, ordinal: int) -> Batch:
        """One batch of a run. Raises NotFound."""

    def current_batch(self, run: Run) -> Batch | None:
        """The first batch of a run that has not ended; None: all have."""

    def hub_jobs_in_progress(self, run: Run, limit: int = MAX_HUB_JOBS) -> list[HubJobInProgress]:
        """Hub jobs of a run that were sent and whose end is not recorded, in their order."""

    def calls_in_progress(self, run: Run) -> list[CallInProgress]:
        """Calls that were begun and whose end is not recorded, the first begun first."""

    def being_verified(self, run: Run, limit: int) -> BeingVerified | None:
        """Devices of a run that are being verified; None: there are none. limit: of those that are named."""

    def waiting_to_connect(self, run: Run, limit: int) -> WaitingToConnect | None:
        """Devices of a run that wait to connect; None: there are none. limit: of those that are named, 1 or more."""


class Results(Protocol):
    """What came of each device of a run."""

    def pages(self, run: Run, wanted: ResultFilter, token: str = "") -> Iterator[ResultPage]:
        """Results of a run, page by page, from the one that `token` leads to."""

    def check_device(self, run: Run, device_id: str) -> None:
        """Raise NotFound for a device that a run does not have."""


class History(Protocol):
    """Removing what is not needed any more."""

    def ended_before(self, before: datetime, host: str | None = None) -> list[int]:
        """The keys of runs that ended before an instant."""

    def prune(self, before: datetime, host: str | None = None) -> int:
        """Remove runs that ended before an instant, with their results; gives how many. Saved fleet jobs stay."""

    def delete_fleet_job(self, fleet_job_id: str) -> None:
        """Remove a fleet job, its runs and results. Raises NotFound; WrongState while a run is running."""


class FleetJobStore(Protocol):
    """Where fleet jobs live."""

    @property
    def definitions(self) -> Definitions:
        """Fleet jobs themselves."""

    @property
    def groups(self) -> Groups:
        """Device groups."""

    @property
    def candidates(self) -> Candidates:
        """Devices that the next run may have."""

    @property
    def runs(self) -> Runs:
        """Runs and their batches."""

    @property
    def results(self) -> Results:
        """What came of devices."""

    @property
    def schedules(self) -> "Schedules":
        """Schedules of fleet jobs."""

    @property
    def occurrences(self) -> "Occurrences":
        """What became of their occurrences."""

    @property
    def history(self) -> History:
        """Removal of old records."""

    def rights(self) -> StoreRights:
        """What may be done here by whoever has signed in."""

    def transaction(self) -> AbstractContextManager[None]:
        """What is changed within it is stored as one: all of it or nothing."""

    def take_lease(self, run: Run, holder: Holder, now: datetime) -> "LeasedRun":
        """Take the lease of a run. Raises LeaseHeld, saying who has it and until when; NotFound."""
