"""CSV files of any size: read record by record, as often as needed, in the encodings and forms of spreadsheets."""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from azext_iotjobs.cli.input import device_tables, stdin
from azext_iotjobs.cli.input.scalars import existing_file, not_a_file, shown
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import check_file_name

HEAD_BYTES = 64 * 1024  # in which the header is
CHUNK_BYTES = 1024 * 1024
Record = tuple[int, list[str]]  # the line on which it begins, from 1; its cells


class CsvFile(NamedTuple):
    """A table of devices in a file that is open."""

    where: str  # the option and the file, for errors
    header: tuple[str, ...]  # as it is written
    file: IO[bytes]
    encoding: str
    form: device_tables.TableForm

    def records(self) -> Iterator[Record]:
        """The records below the header, without empty ones. Raises BadValue, naming the line, for what is no CSV."""
        self.file.seek(0)
        text = io.TextIOWrapper(self.file, self.encoding, newline="")
        try:
            for line, cells in device_tables.records(text, self.form.delimiter, self.where):
                if line > self.form.skipped + 1 and any(each.strip() for each in cells):
                    yield line, cells
        except UnicodeDecodeError as err:
            raise self._not_text(err) from None
        finally:
            if not self.file.closed:  # as it is when an error ends whoever reads
                text.detach()  # the file stays open

    def digest(self) -> str:
        """A fingerprint of the content."""
        self.file.seek(0)
        digest = hashlib.sha256()
        while chunk := self.file.read(CHUNK_BYTES):
            digest.update(chunk)
        return digest.hexdigest()

    def _not_text(self, err: UnicodeDecodeError) -> BadValue:
        line = _undecodable_line(self.file, self.encoding)
        return BadValue(
            f"{self.where}{'' if line is None else f', line {line}'}: this is not {self.encoding} ({err.reason}).",
            hint="Save the file as CSV UTF-8.",
        )


@contextmanager
def opened(path: str, option: str) -> Iterator[CsvFile]:
    """Open a table of devices; - is standard input, which is copied so that it can be read again.

    option: its name, for errors.
    Raises BadValue for a file that is not there or cannot be read, and for one without a column of ids.
    """
    where = f"{option} {'standard input' if path == stdin.MARK else path}"
    with _copy_of_stdin(option) if path == stdin.MARK else _file(path, option) as file:
        head = file.read(HEAD_BYTES)
        encoding = json.detect_encoding(head)
        text = head.decode(encoding, "ignore")  # what is cut off at its end is in no header
        form = device_tables.form_of(text)
        if form is None:
            raise BadValue(
                f"{where}, line 1: {shown(text.partition(chr(10))[0].strip())} names no column of device ids.",
                hint="Name one of the columns IOTC_DEVICEID or deviceId.",
            )
        first = device_tables.records(io.StringIO(text, newline=""), form.delimiter, where)
        header = next(cells for line, cells in first if line > form.skipped)
        yield CsvFile(where, tuple(each.strip() for each in header), file, encoding, form)


@contextmanager
def _file(path: str, option: str) -> Iterator[IO[bytes]]:
    found = existing_file(path)
    if found is None:
        check_file_name(path, option)
        raise BadValue(f"{option}: {not_a_file(path)}")
    try:
        file = open(found, "rb")
    except OSError as err:
        raise BadValue(f"{option}: {path} cannot be read: {err.strerror}.") from err
    with file:
        yield file


@contextmanager
def _copy_of_stdin(option: str) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:  # without a name: nobody else can open it, and it ends with the process
        shutil.copyfileobj(stdin.taken(option).buffer, file)
        file.seek(0)
        yield file


def _undecodable_line(file: IO[bytes], encoding: str) -> int | None:
    """The first line that is not text; None where lines cannot be told apart before they are decoded."""
    if not encoding.startswith("utf-8"):
        return None
    file.seek(0)
    for number, line in enumerate(file, start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    return None
