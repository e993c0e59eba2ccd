"""One run of an import or export job: what it reads and writes, some lines at a time.

The caller makes each step one transaction. Files of blobs are whole or not there, whatever ends a run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from azext_iotjobs.localhub.blobs.container import Blob, BlobProperties, Container
from azext_iotjobs.localhub.errors import StoreDamaged
from azext_iotjobs.localhub.rules.transfer_job import ERRORS_BLOB, KEYLESS_NOTE, MAX_LINE_BYTES, progress_percent
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.row_reader import log_once
from azext_iotjobs.localhub.store.transfer_jobs import TransferJob, TransferJobs

LINES_AT_ONCE = 100  # applied in one transaction
ROWS_AT_ONCE = 200
MAX_CONFIGURATION_LINES = 1000  # a hub has at most a tenth of that
TEXT_TYPE = BlobProperties(content_type="text/plain; charset=utf-8")


class LineCodec(Protocol):
    """Lines of files <-> identities with their twins."""

    def render(self, identity: Identity, *, excludes_keys: bool) -> str:
        """The line of an identity."""

    def apply(self, line: str) -> str | None:
        """Do what a line of an import says; gives the line that tells of its error, or None."""


class ConfigurationCodec(Protocol):
    """Lines of files <-> configurations."""

    def render_all(self) -> list[str]:
        """The lines of all configurations."""

    def apply(self, line: str) -> str | None:
        """Do what a line of an import says; gives the line that tells of its error, or None."""


@dataclass(frozen=True, kw_only=True)
class Codecs:
    """What reads and writes the lines of both files."""

    devices: LineCodec
    configurations: ConfigurationCodec


class CannotGoOn(Exception):
    """A job fails; the text says why."""


class ExportRun:
    """An export that runs."""

    def __init__(
        self, job: TransferJob, jobs: TransferJobs, identities: Identities, output: Container, codecs: Codecs
    ) -> None:
        self.job_id = job.job_id
        self._spec = job.spec
        self._jobs = jobs
        self._identities = identities
        self._output = output
        self._codecs = codecs
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
                line = self._codecs.devices.render(identity, excludes_keys=self._spec.excludes_keys)
            except StoreDamaged as err:  # concerns this one only
                log_once(err)
                continue
            self._writer.write(f"{line}\n".encode())
        if len(keys) < ROWS_AT_ONCE:
            self._writer.commit()
            self._write_configurations()
            return True
        self._after = keys[-1]
        self._done += len(keys)
        self._jobs.advance(self.job_id, 0, progress_percent(self._done, self._total))
        return False

    def _write_configurations(self) -> None:
        if self._spec.configurations_blob is not None:
            lines = self._codecs.configurations.render_all()
            _write_lines(self._output, self._spec.configurations_blob, lines)

    def close(self) -> None:
        """Remove what is not whole."""
        self._writer.close()


class ImportRun:
    """An import that runs."""

    def __init__(
        self,
        job: TransferJob,
        blob: Blob,
        source: Container,
        jobs: TransferJobs,
        output: Container,
        codecs: Codecs,
    ) -> None:
        self.job_id = job.job_id
        self._spec = job.spec
        self._size = blob.size_bytes
        self._source = source
        self._jobs = jobs
        self._output = output
        self._codecs = codecs
        self._file = open(blob.path, "rb")
        self._file.seek(job.position)

    def step(self) -> bool:
        """Apply some lines; gives whether these were the last. Then the log of errors is written."""
        for _ in range(LINES_AT_ONCE):
            is_first = self._file.tell() == 0
            line = self._file.readline(MAX_LINE_BYTES + 1)
            if not line:
                break
            self._apply(line, self._codecs.devices.apply, is_first=is_first)
        position = self._file.tell()
        self._jobs.advance(self.job_id, position, progress_percent(position, self._size))
        if line:
            return False
        self._apply_configurations()
        self._write_log()
        return True

    def close(self) -> None:
        """Close the input."""
        self._file.close()

    def _apply_configurations(self) -> None:
        """Apply the lines of configurations; a hub has few, so that they are applied at once."""
        if self._spec.configurations_blob is None:
            return
        blob = self._source.get(self._spec.configurations_blob)
        if blob is None:
            raise CannotGoOn(f"The input container has no blob {self._spec.configurations_blob!a}.")
        with open(blob.path, "rb") as file:
            for number in range(MAX_CONFIGURATION_LINES + 1):
                line = file.readline(MAX_LINE_BYTES + 1)
                if not line:
                    return
                self._apply(line, self._codecs.configurations.apply, is_first=number == 0)
        raise CannotGoOn(f"There are more than {MAX_CONFIGURATION_LINES} lines of configurations.")

    def _apply(self, data: bytes, apply: Callable[[str], str | None], *, is_first: bool) -> None:
        if len(data) > MAX_LINE_BYTES:
            raise CannotGoOn(f"A line of the input has more than {MAX_LINE_BYTES} bytes.")
        line = data.decode("utf-8-sig" if is_first else "utf-8", "replace").strip()
        if not line or (is_first and not line.startswith("{")):  # an export without keys begins with a note
            return
        if (error := apply(line)) is not None:
            self._jobs.add_error(self.job_id, error)

    def _write_log(self) -> None:
        with self._output.write(ERRORS_BLOB, TEXT_TYPE) as log:
            after = 0
            while lines := self._jobs.errors(self.job_id, after, 1000):
                after = lines[-1][0]
                log.write("".join(f"{text}\n" for _, text in lines).encode())
            log.commit()


def _write_lines(output: Container, name: str, lines: list[str]) -> None:
    with output.write(name, TEXT_TYPE) as writer:
        writer.write("".join(f"{line}\n" for line in lines).encode())
        writer.commit()
