"""Which devices a hub job that runs still waits for, by the hub's rows: queried when its counts stand still.

A tier gives few queries a minute, and results of ended jobs need them too: a job is queried once its counts have not
moved for STILL_S, and again QUERY_AGAIN_S later at the soonest. It is information alone: a hub that does not answer
leaves the run as it is.
"""

from azext_iotjobs.clients.heartbeat_caller import HeartbeatCaller
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import parse_result
from azext_iotjobs.fleet_job.awaited import MAX_AWAITED
from azext_iotjobs.fleet_job.hub_job import HubJob
from azext_iotjobs.model.errors import HubAnswer, LinkError
from azext_iotjobs.model.ids import name_of
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.query import quoted, rows_of_job
from azext_iotjobs.model.result import ENDED

STILL_S = 10.0
QUERY_AGAIN_S = 60.0


@dataclass()
class _Known:
    moved_at: float  # monotonic
    queried_at: float | None = None
    devices: tuple[str, ...] = ()


class AwaitedDevices:
    """Queries for them, and remembers the answer."""

    def __init__(self, client: HubClient, caller: HeartbeatCaller) -> None:
        self._client = client
        self._caller = caller
        self._known: dict[str, _Known] = {}

    def of(self, job_id: str) -> tuple[str, ...]:
        """Some of a job's open devices, as last answered."""
        return self._known[job_id].devices if job_id in self._known else ()

    def moved(self, job_id: str, now: float) -> None:
        """A job's counts have changed: devices that were open may have ended."""
        before = self._known.get(job_id)
        self._known[job_id] = _Known(now, None if before is None else before.queried_at)

    def polled(self, hub_job: HubJob, now: float) -> bool:
        """A job that runs was polled; gives whether its devices were queried. now: monotonic."""
        known = self._known.setdefault(hub_job.job_id, _Known(now))
        if now - known.moved_at < STILL_S:
            return False
        if known.queried_at is not None and now - known.queried_at < QUERY_AGAIN_S:
            return False
        known.queried_at = now
        try:
            known.devices = self._caller.call(lambda: self._query(hub_job))
        except (HubAnswer, LinkError):  # which are awaited stays unknown; what the run needs is requested elsewhere
            return False
        return True

    def forget(self, job_id: str) -> None:
        """It has ended."""
        self._known.pop(job_id, None)

    def _query(self, hub_job: HubJob) -> tuple[str, ...]:
        is_open = " AND ".join(f"status <> {quoted(each)}" for each in ENDED)
        found = []
        for row in self._client.queries.run(f"{rows_of_job(hub_job.job_id)} AND {is_open}", top=MAX_AWAITED):
            result = parse_result(row, parse_success_status(DEFAULT_SUCCESS_STATUS))
            if quoted(result.device_id) in hub_job.condition:  # else it is not a device of ours
                found.append(name_of(result.device_id, result.module_id))
        return tuple(found[:MAX_AWAITED])
