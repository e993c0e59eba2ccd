"""What is in progress in a run, as its rows say: calls and hub jobs; and what the run waits for. Pure."""

from datetime import datetime

from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.late_dataclass import dataclass


@dataclass(frozen=True)
class CallInProgress:
    """A call that was begun and whose end is not recorded."""

    device_id: str
    module_id: str | None
    batch: int
    began_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class BeingVerified:
    """The devices of a batch that were operated, and whose twins do not say so yet."""

    batch: int
    count: int
    devices: tuple[tuple[str, str | None], ...]  # some of them, those whose time is over first
    since: datetime | None  # when the first of them was operated
    until: datetime | None  # when the time of the last is over


@dataclass(frozen=True, kw_only=True)
class WaitsToConnect:
    """A device of a run that was offline, and waits to connect."""

    device_id: str
    module_id: str | None
    since: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class WaitingToConnect:
    """The devices of a run that wait to connect."""

    count: int
    devices: tuple[WaitsToConnect, ...]  # some of them, those that have waited longest first; at least one
    until: datetime  # when the time of the last is over

    @property
    def since(self) -> datetime:
        """Since when the first of them waits."""
        return self.devices[0].since


@dataclass(frozen=True, kw_only=True)
class HubJobInProgress:
    """A hub job that was sent, and whose results are not recorded yet."""

    batch: int
    job_id: str
    status: str | None  # the hub's word, as last polled; None: the request may not have arrived
    submitted_at: datetime | None
    until: datetime | None  # the hub gives up then; None: not known
    size: int  # devices that it was made for
    open_count: int  # of these, whose end is not recorded
    tally: JobTally | None = None  # the hub's own counts, as last polled
    seen_at: datetime | None = None  # when that was
    awaited: tuple[str, ...] = ()  # some of the devices that the hub's rows call open; () when it was not queried

    @property
    def ended_count(self) -> int:
        """Devices that have ended by the hub's count, and whose results are not recorded yet."""
        if self.tally is None:
            return 0
        recorded = self.size - self.open_count
        ended = self.tally.succeeded_count + self.tally.failed_count
        return max(0, min(self.open_count, ended - recorded))


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """What a run waits for in one batch: calls, or a hub job."""

    batch: int
    device_ids: tuple[str, ...]  # some of them, modules as device/module; () when the hub has not listed them
    count: int
    since: datetime | None
    until: datetime | None  # it is over then, whatever the devices do; None: not known
    job_id: str | None = None  # None: calls, or verification
    is_verification: bool = False  # the devices were operated; their twins do not say so yet

    @property
    def continues_alone(self) -> bool:
        """Whether it is not awaited when the run is stopped."""
        return self.job_id is not None or self.is_verification
