"""Which devices a hub job that runs still waits for, by the hub's rows: asked when its counts stand still.

A tier gives few queries a minute, and rows of ended jobs need them too: a job is asked for once its counts have not
moved for STILL_S, and again ASK_AGAIN_S later at the soonest. It is information alone: a hub that does not answer it
leaves the run as it is.
"""

from dataclasses import dataclass

from azext_iotjobs.clients.heartbeat_caller import Steady
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import parse_result
from azext_iotjobs.fleet_job.awaited import MAX_AWAITED, name_of
from azext_iotjobs.fleet_job.hub_job import Part
from azext_iotjobs.model.errors import HubAnswer, LinkError
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.query import quoted, rows_of_job
from azext_iotjobs.model.result import ENDED

STILL_S = 10.0
ASK_AGAIN_S = 60.0


@dataclass
class _Known:
    moved_at: float  # monotonic
    asked_at: float | None = None
    devices: tuple[str, ...] = ()


class OpenDevices:
    """Asks for them, and keeps what was answered."""

    def __init__(self, client: HubClient, steady: Steady) -> None:
        self._client = client
        self._steady = steady
        self._known: dict[str, _Known] = {}

    def of(self, job_id: str) -> tuple[str, ...]:
        """Some of a job's open devices, as last heard of."""
        return self._known[job_id].devices if job_id in self._known else ()

    def moved(self, job_id: str, now: float) -> None:
        """A job's counts are others: who was open may have ended."""
        before = self._known.get(job_id)
        self._known[job_id] = _Known(now, None if before is None else before.asked_at)

    def looked(self, part: Part, now: float) -> bool:
        """A look at a job that runs; gives whether its devices were asked for. now: monotonic."""
        known = self._known.setdefault(part.job_id, _Known(now))
        if now - known.moved_at < STILL_S:
            return False
        if known.asked_at is not None and now - known.asked_at < ASK_AGAIN_S:
            return False
        known.asked_at = now
        try:
            known.devices = self._steady.ask(lambda: self._asked(part))
        except (HubAnswer, LinkError):  # who is awaited stays unknown; what the run needs is asked for elsewhere
            return False
        return True

    def forget(self, job_id: str) -> None:
        """It has ended."""
        self._known.pop(job_id, None)

    def _asked(self, part: Part) -> tuple[str, ...]:
        is_open = " AND ".join(f"status <> {quoted(each)}" for each in ENDED)
        found = []
        for row in self._client.queries.run(f"{rows_of_job(part.job_id)} AND {is_open}", top=MAX_AWAITED):
            result = parse_result(row, parse_success_status(DEFAULT_SUCCESS_STATUS))
            if quoted(result.device_id) in part.condition:  # else it is no device of ours
                found.append(name_of(result.device_id, result.module_id))
        return tuple(found[:MAX_AWAITED])
