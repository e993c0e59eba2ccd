"""What happens in a run, for observers that show or record it. `kind` is a stable word; times are aware UTC."""

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from azext_iotjobs.model.gates import GateKind, GateVerdict
from azext_iotjobs.model.in_progress import Awaited, WaitingToConnect
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.run import Batch, Run, Tally


@dataclass(frozen=True, kw_only=True)
class RunBegan:
    """A process executes the run: it starts or resumes."""

    at: datetime
    run: Run
    kind: str = "run-began"


@dataclass(frozen=True, kw_only=True)
class BatchBegan:
    """A batch begins."""

    at: datetime
    batch: Batch
    kind: str = "batch-began"


@dataclass(frozen=True, kw_only=True)
class DeviceOperated:
    """A device was operated and is being verified; DeviceEnded says what came of it. The store has it already."""

    at: datetime
    result: DeviceResult
    batch: int
    tries: int
    kind: str = "device-operated"


@dataclass(frozen=True, kw_only=True)
class DeviceWaits:
    """A device is offline, and waits to connect: its result says since when, and until when. The store has it."""

    at: datetime
    result: DeviceResult
    batch: int
    tries: int
    kind: str = "device-waits"


@dataclass(frozen=True, kw_only=True)
class DeviceConnected:
    """A device that waited is connected, as far as the hub's twins say so: it is operated, or verified, in a batch."""

    at: datetime
    device_id: str
    module_id: str | None
    batch: int  # that it is moved into
    kind: str = "device-connected"


@dataclass(frozen=True, kw_only=True)
class DeviceEnded:
    """An attempt on a device has ended; one that is tried again comes again. The store has it already."""

    at: datetime
    result: DeviceResult
    batch: int
    tries: int
    kind: str = "device-ended"


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """How far the run is; at most twice a second, and at each end of a batch."""

    at: datetime
    run: Tally
    batch: Batch | None
    in_flight_count: int  # calls, or hub jobs
    hub: JobTally | None = None  # the hub's own counts of its jobs in progress, added; None: there are none
    hub_ended_count: int = 0  # devices that have ended by these counts, and of which nothing is recorded yet
    awaited: tuple[Awaited, ...] = ()
    waiting: WaitingToConnect | None = None
    kind: str = "progressed"


@dataclass(frozen=True, kw_only=True)
class BatchEnded:
    """All devices of a batch have ended."""

    at: datetime
    batch: Batch
    kind: str = "batch-ended"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Nothing begins before an instant: a pause between batches, or before devices are tried again."""

    at: datetime
    until: datetime
    why: str
    kind: str = "waiting"


@dataclass(frozen=True, kw_only=True)
class GateAwaited:
    """A gate after a batch takes time: a command runs, or somebody has to approve."""

    at: datetime
    batch: int
    gate: GateKind  # COMMAND or MANUAL
    since: datetime
    until: datetime | None = None  # the command is ended then; None: the approval has no limit
    kind: str = "gate-awaited"


@dataclass(frozen=True, kw_only=True)
class GateJudged:
    """A gate after a batch has said go, stop or that it is inconclusive, and why. The store has it already."""

    at: datetime
    batch: int
    verdict: GateVerdict
    kind: str = "gate"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something that a person should know: the hub throttles, its job slot is taken, a hub job was found again."""

    at: datetime
    text: str
    kind: str = "said"


@dataclass(frozen=True, kw_only=True)
class HubJobMoved:
    """A hub job was created, adopted (found after a crash), or is further than at the last poll.

    Its result for each device is read when it has ended; until then the hub's counts are all there is.
    """

    at: datetime
    batch: int
    job_id: str
    status: str  # the hub's word, or "created", "adopted"
    tally: JobTally | None = None  # None: the hub does not count (yet)
    kind: str = "hub-job"


@dataclass(frozen=True, kw_only=True)
class RunEnded:
    """The run has ended or has broken off; its state and reason say how."""

    at: datetime
    run: Run
    waiting: WaitingToConnect | None = None  # who waits on: it was stopped, or has broken off
    is_as_before: bool = False  # it was resumed, and nothing could be done: who resumed it gets an error that says so
    kind: str = "run-ended"


Event = (
    RunBegan
    | BatchBegan
    | DeviceOperated
    | DeviceWaits
    | DeviceConnected
    | DeviceEnded
    | Progressed
    | BatchEnded
    | Waiting
    | GateAwaited
    | GateJudged
    | Notice
    | HubJobMoved
    | RunEnded
)


class RunObserver(Protocol):
    """Who is notified of events, on the thread that executes the run. It must not take long."""

    def on_event(self, event: Event) -> None:
        """Something has happened."""


class OrderedObserver:
    """Passes events on with instants that never go back, whatever the machine's clock does."""

    def __init__(self, observer: RunObserver) -> None:
        self._observer = observer
        self._last: datetime | None = None

    def on_event(self, event: Event) -> None:
        """Something has happened."""
        if self._last is not None and event.at < self._last:
            event = replace(event, at=self._last)
        self._last = event.at
        self._observer.on_event(event)
