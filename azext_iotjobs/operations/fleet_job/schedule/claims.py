"""Claims on the hub: of several stores with a schedule of one fleet job, one starts each occurrence.

Strategy: before its run is made, a job without devices is created under an id that is made of the fleet job and the
instant. A hub takes an id once, and keeps jobs for 30 days. The job's condition says whose it is: no device id has
spaces, so it means none.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import NamedTuple

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.plan import AS_DASHES
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import Conflict, HubAnswer, Throttled
from azext_iotjobs.model.job import JobStatus, JobType
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.query import quoted
from azext_iotjobs.model.text import printable
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.transport.retry import SLOT_TAKEN

CLAIM_LIMIT_S = 60  # of the job: it has nothing to do
LOOKS, LOOK_PAUSE_S = 10, 1.0  # a hub's GET may lag behind its PUT
SLOT_WAIT_S, NAP_S = 600.0, 2.0
OWNER = re.compile(r"claim of store (\w{8}) by (.*)'", re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)  # as texts between quotes have a quote


class Claimer(NamedTuple):
    """Whose a claim is."""

    store_key: str  # "": it is not a claim
    by: str  # for people


def claimer_of(condition: str | None) -> Claimer | None:
    """Whose claim a job is, by its condition; None: it is none."""
    named = OWNER.search(condition or "")
    return Claimer(named[1], printable(ESCAPED.sub(r"\1", named[2]))) if named else None


class HubClaims:
    """Claims occurrences of one fleet job."""

    def __init__(self, client: HubClient, stored: StoredSchedule, clock: Clock, on_nap: Callable[[], None]) -> None:
        """on_nap: is called while a hub is waited for; what it raises ends that."""
        self._client = client
        self._stored = stored
        self._clock = clock
        self._on_nap = on_nap

    def taken_by(self, at: datetime, by: str, *, may_be_ours: bool) -> Claimer | None:
        """Claim an occurrence on the hub; gives who has it instead; None: it is ours.

        at: aware UTC.  by: who claims it, for people.
        may_be_ours: a process of this store may have claimed it before, and ended. Else one that has the key of this
        store was a process of a copy of it.
        Raises HubAnswer, LinkError: it may have been claimed.
        """
        job_id = claim_id(self._stored.fleet_job_id, at)
        name = f"claim of store {self._stored.store_key} by {printable(by)}"
        request = JobRequest(
            job_id=job_id,
            job_type=JobType.TWIN,
            condition=f"deviceId = {quoted(name)}",
            method=None,
            patch=TwinPatch(document={"tags": {"claim": name}}),
            start_at=None,
            max_execution_s=CLAIM_LIMIT_S,
        )
        try:
            self._create(request)
        except Conflict:
            owner = self._owner(job_id)
            return None if may_be_ours and owner.store_key == self._stored.store_key else owner
        return None

    def _create(self, request: JobRequest) -> None:
        """Have the hub create a job; while all its job slots are taken, it waits for one."""
        give_up_at = self._clock.monotonic() + SLOT_WAIT_S
        while True:
            try:
                self._client.jobs.create(request)
            except Throttled as refused:
                if refused.hub_code != SLOT_TAKEN or self._clock.monotonic() > give_up_at:
                    raise
            else:
                return
            self._on_nap()
            self._clock.sleep(NAP_S)

    def _owner(self, job_id: str) -> Claimer:
        """Whose a claim is that the hub has."""
        for _ in range(LOOKS):
            found = self._client.jobs.get(job_id)
            if found.status is not JobStatus.UNKNOWN:
                return claimer_of(found.condition) or Claimer("", f"a job {job_id} that is not a claim")
            self._on_nap()
            self._clock.sleep(LOOK_PAUSE_S)
        raise HubAnswer(f"The hub has a job {job_id} and does not show it yet.", status=409)


def claim_id(fleet_job_id: str, at: datetime) -> str:
    """The id of the job that claims an occurrence: the same from every store, and another for every fleet job."""
    name = fleet_job_id.translate(AS_DASHES)
    apart = hashlib.blake2b(fleet_job_id.encode(), digest_size=3).hexdigest()  # fw.eu, fw_eu and fw-eu have one name
    return f"{name}-{at.astimezone(timezone.utc):%Y%m%dt%H%M%Sz}-{apart}"
