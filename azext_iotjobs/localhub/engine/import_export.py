"""Carries import and export jobs out, some hundred lines at a time, so that other requests are served between.

An import stores how far it has come in the transaction that applies the lines: what a crash interrupts is applied once.
"""

import asyncio
import uuid
from typing import Protocol

from azext_iotjobs.localhub.blobs.container import Blob, BlobProperties, Container
from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.errors import JOB_NOT_FOUND, JOB_QUOTA_EXCEEDED, HubError, StoreDamaged
from azext_iotjobs.localhub.process.background import run_repeatedly
from azext_iotjobs.localhub.rules.job import HISTORY
from azext_iotjobs.localhub.rules.transfer_job import (
    ERRORS_BLOB,
    KEYLESS_NOTE,
    LIVE,
    MAX_LINE_BYTES,
    TransferKind,
    TransferSpec,
    TransferStatus,
    progress_percent,
)
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.row_reader import log_once
from azext_iotjobs.localhub.store.transfer_jobs import TransferJob, TransferJobs

LINES_AT_ONCE = 100  # applied in one transaction
ROWS_AT_ONCE = 200
IDLE_S = 60.0
TEXT_TYPE = BlobProperties(content_type="text/plain; charset=utf-8")


class LineCodec(Protocol):
    """Lines of files <-> identities with their twins."""

    def render(self, identity: Identity, *, excludes_keys: bool) -> str:
        """The line of an identity."""

    def apply(self, line: str) -> str | None:
        """Do what a line of an import says; gives the line that tells of its error, or None."""


class CannotGoOn(Exception):
    """A job fails; the text says why."""


class ImportExport:
    """The hub's import and export jobs."""

    def __init__(
        self,
        database: Database,
        jobs: TransferJobs,
        identities: Identities,
        storage: Storage,
        codec: LineCodec,
        clock: HubClock,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._identities = identities
        self._storage = storage
        self._codec = codec
        self._clock = clock
        self._changed = asyncio.Event()
        self._running: _Export | _Import | None = None

    async def run(self) -> None:
        """Carry jobs out, until cancelled."""
        try:
            await run_repeatedly("import and export jobs", self._step, self._database.outages, self._changed)
        finally:
            self._put_down()

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
            self._put_down()

    def forget(self) -> None:
        """The rows of all jobs are about to be removed."""
        self._put_down()

    def _step(self) -> float:
        self._jobs.forget_before(self._clock.now() - HISTORY)
        job = self._jobs.live()
        if job is None:
            return IDLE_S
        try:
            if self._running is None or self._running.job_id != job.job_id:
                self._running = self._begin(job)
            if self._running.step():
                self._jobs.end(job.job_id, TransferStatus.COMPLETED, self._clock.now())
                self._put_down()
        except (CannotGoOn, OSError) as err:
            reason = str(err) if isinstance(err, CannotGoOn) else f"The storage folder: {err.strerror}."
            self._put_down()
            self._jobs.end(job.job_id, TransferStatus.FAILED, self._clock.now(), reason)
        return 0.0

    def _begin(self, job: TransferJob) -> "_Export | _Import":
        output = self._container(job.spec.output_container)
        if job.spec.kind is TransferKind.EXPORT:
            self._jobs.begin(job.job_id, None)
            return _Export(job, self._jobs, self._identities, output, self._codec)
        blob = self._container(job.spec.input_container or "").get(job.spec.input_blob)
        if blob is None:
            raise CannotGoOn(f"The input container has no blob {job.spec.input_blob!a}.")
        if job.input_etag not in (None, blob.etag):
            raise CannotGoOn(
                "The hub ended while the job ran, and the input blob has changed since: what is before byte "
                f"{job.position} of the old one was applied."
            )
        self._jobs.begin(job.job_id, blob.etag)
        return _Import(job, blob, self._database, self._jobs, output, self._codec)

    def _container(self, name: str) -> Container:
        container = self._storage.container(name)
        if container is None:
            raise CannotGoOn(f"There is no container {name!a}.")
        return container

    def _put_down(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None


class _Export:
    """An export that runs."""

    def __init__(
        self, job: TransferJob, jobs: TransferJobs, identities: Identities, output: Container, codec: LineCodec
    ) -> None:
        self.job_id = job.job_id
        self._spec = job.spec
        self._jobs = jobs
        self._identities = identities
        self._codec = codec
        self._after = ("", "")
        self._done = 0
        self._total = identities.count_with_modules()
        self._writer = output.write(job.spec.output_blob, TEXT_TYPE)
        if job.spec.excludes_keys:
            self._writer.write(f"{KEYLESS_NOTE}\n".encode())

    def step(self) -> bool:
        """Write some lines; gives whether these were the last."""
        keys, found = self._identities.page(self._after, ROWS_AT_ONCE)
        for identity in found:
            try:
                line = self._codec.render(identity, excludes_keys=self._spec.excludes_keys)
            except StoreDamaged as err:  # concerns this one only
                log_once(err)
                continue
            self._writer.write(f"{line}\n".encode())
        if len(keys) < ROWS_AT_ONCE:
            self._writer.commit()
            return True
        self._after = keys[-1]
        self._done += len(keys)
        self._jobs.advance(self.job_id, 0, progress_percent(self._done, self._total))
        return False

    def close(self) -> None:
        """Remove what is not whole."""
        self._writer.close()


class _Import:
    """An import that runs."""

    def __init__(
        self,
        job: TransferJob,
        blob: Blob,
        database: Database,
        jobs: TransferJobs,
        output: Container,
        codec: LineCodec,
    ) -> None:
        self.job_id = job.job_id
        self._size = blob.size_bytes
        self._database = database
        self._jobs = jobs
        self._output = output
        self._codec = codec
        self._position = job.position
        self._file = open(blob.path, "rb")
        self._file.seek(job.position)

    def step(self) -> bool:
        """Apply some lines, all or none; gives whether these were the last. Then the log of errors is written."""
        self._file.seek(self._position)
        with self._database.transaction():
            for _ in range(LINES_AT_ONCE):
                is_first = self._file.tell() == 0
                line = self._file.readline(MAX_LINE_BYTES + 1)
                if not line:
                    break
                self._apply(line, is_first=is_first)
            position = self._file.tell()
            self._jobs.advance(self.job_id, position, progress_percent(position, self._size))
        self._position = position
        if line:
            return False
        self._write_log()
        return True

    def close(self) -> None:
        """Close the input."""
        self._file.close()

    def _apply(self, data: bytes, *, is_first: bool) -> None:
        if len(data) > MAX_LINE_BYTES:
            raise CannotGoOn(f"A line of the input has more than {MAX_LINE_BYTES} bytes.")
        line = data.decode("utf-8-sig" if is_first else "utf-8", "replace").strip()
        if not line or (is_first and not line.startswith("{")):  # an export without keys begins with a note
            return
        if (error := self._codec.apply(line)) is not None:
            self._jobs.add_error(self.job_id, error)

    def _write_log(self) -> None:
        with self._output.write(ERRORS_BLOB, TEXT_TYPE) as log:
            after = 0
            while lines := self._jobs.errors(self.job_id, after, 1000):
                after = lines[-1][0]
                log.write("".join(f"{text}\n" for _, text in lines).encode())
            log.commit()
