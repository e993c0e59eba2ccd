"""Carries import and export jobs out, some hundred lines at a time, so that other requests are served between.

An import stores how far it has come in the transaction that applies the lines: what a crash interrupts is applied once.
"""

import asyncio
import uuid

from azext_iotjobs.localhub.blobs.container import Container
from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.transfer_runs import CannotGoOn, Codecs, ExportRun, ImportRun
from azext_iotjobs.localhub.errors import JOB_NOT_FOUND, JOB_QUOTA_EXCEEDED, HubError
from azext_iotjobs.localhub.process.background import run_by_clock
from azext_iotjobs.localhub.rules.job import HISTORY
from azext_iotjobs.localhub.rules.transfer_job import (
    LIVE,
    TransferKind,
    TransferSpec,
    TransferStatus,
)
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.transfer_jobs import TransferJob, TransferJobs

IDLE_S = 60.0


class ImportExport:
    """The hub's import and export jobs."""

    def __init__(
        self,
        database: Database,
        jobs: TransferJobs,
        identities: Identities,
        storage: Storage,
        codecs: Codecs,
        clock: HubClock,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._identities = identities
        self._storage = storage
        self._codecs = codecs
        self._clock = clock
        self._changed = asyncio.Event()
        self._running: ExportRun | ImportRun | None = None

    async def run(self) -> None:
        """Carry jobs out, until cancelled."""
        try:
            await run_by_clock("import and export jobs", self._step, self._database.outages, self._clock, self._changed)
        finally:
            self._close_run()

    def create(self, spec: TransferSpec) -> TransferJob:
        """Enqueue a job. Raises HubError 403 while another one is live."""
        live = self._jobs.live()
        if live is not None:
            raise HubError(
                JOB_QUOTA_EXCEEDED,
                f"One import or export job may be live at a time: {live.job_id} is {live.status.value}.",
            )
        job_id = str(uuid.uuid4())
        self._jobs.add(job_id, spec, self._clock.now())
        self._changed.set()
        return self.get(job_id)

    def get(self, job_id: str) -> TransferJob:
        """A job. Raises HubError 404002."""
        job = self._jobs.get(job_id)
        if job is None:
            raise HubError(JOB_NOT_FOUND, f"Job not found: {job_id!a}.")
        return job

    def all(self) -> list[TransferJob]:
        """All jobs, the newest first."""
        return self._jobs.all()

    def cancel(self, job_id: str) -> None:
        """End a live job; what an import has applied stays. One that has ended is as it was. Raises HubError 404002."""
        if self.get(job_id).status in LIVE:
            self._jobs.end(job_id, TransferStatus.CANCELLED, self._clock.now())
            self._close_run()

    def forget(self) -> None:
        """The rows of all jobs are about to be removed."""
        self._close_run()

    def restart(self) -> None:
        """The rows are others now: one that is live goes on from there."""
        self._close_run()
        self._changed.set()

    def _step(self) -> float:
        self._jobs.forget_before(self._clock.now() - HISTORY)
        job = self._jobs.live()
        if job is None:
            return IDLE_S
        try:
            if self._running is None or self._running.job_id != job.job_id:
                self._running = self._begin(job)
            with self._database.transaction():  # what its last step did is not done without its end
                is_done = self._running.step()
                if is_done:
                    self._jobs.end(job.job_id, TransferStatus.COMPLETED, self._clock.now())
            if is_done:
                self._close_run()
        except (CannotGoOn, OSError) as err:
            reason = str(err) if isinstance(err, CannotGoOn) else f"The storage folder: {err.strerror}."
            self._close_run()
            self._jobs.end(job.job_id, TransferStatus.FAILED, self._clock.now(), reason)
        except Exception:  # whatever it is, the job goes on from what is stored
            self._close_run()
            raise
        return 0.0

    def _begin(self, job: TransferJob) -> "ExportRun | ImportRun":
        output = self._container(job.spec.output_container)
        if job.spec.kind is TransferKind.EXPORT:
            self._jobs.begin(job.job_id, None)
            return ExportRun(job, self._jobs, self._identities, output, self._codecs)
        source = self._container(job.spec.input_container or "")
        blob = source.get(job.spec.input_blob)
        if blob is None:
            raise CannotGoOn(f"The input container has no blob {job.spec.input_blob!a}.")
        if job.input_etag not in (None, blob.etag):
            raise CannotGoOn(
                "The hub ended while the job ran, and the input blob has changed since: what is before byte "
                f"{job.position} of the old one was applied."
            )
        self._jobs.begin(job.job_id, blob.etag)
        return ImportRun(job, blob, source, self._jobs, output, self._codecs)

    def _container(self, name: str) -> Container:
        container = self._storage.container(name)
        if container is None:
            raise CannotGoOn(f"There is no container {name!a}.")
        return container

    def _close_run(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None
