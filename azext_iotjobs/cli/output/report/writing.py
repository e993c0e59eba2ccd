"""Where a report goes, and in which form: a file, or stdout."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.output.file_writing import check_link, is_file, open_new, open_there, write_all
from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.streams import give_up_result
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.report import Case, Report

logger = get_logger(__name__)

FORMATS = ("junit", "markdown", "html")
FORMAT_OF_ENDING = {".xml": "junit", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html"}
DEFAULT_FORMAT = "markdown"
STDOUT = "-"
Render = Callable[[Report, CaseSpool], Iterator[str]]


@dataclass(frozen=True, kw_only=True)
class ReportTarget:
    """A file for a report, or stdout."""

    path: str  # or STDOUT
    form: str  # one of FORMATS
    option: str  # which names the file, for errors
    overwrites: bool

    def check(self) -> None:
        """Raise what writing would, as far as that can be known before: ConflictingChoice, BadValue."""
        if self.path == STDOUT:
            return
        path = Path(self.path)
        check_link(path, self.option)
        if path.is_dir():
            raise BadValue(f"{self.option} {path} cannot be written: it is a folder.")
        if not path.parent.is_dir():
            raise BadValue(f"{self.option} {path} cannot be written: there is no folder {path.parent}.")
        if is_file(path) and not self.overwrites:
            raise ConflictingChoice(f"{self.option} {path} already exists.", hint="Give another name, or --overwrite.")


class ReportOptions(NamedTuple):
    """The form of a report, and a file for it."""

    output_file: str | None = None
    format: str | None = None
    overwrite: bool = False

    def target(self) -> ReportTarget:
        """Where it goes; without a file to stdout, as Markdown unless a form is given. Raises UserError."""
        option = "--output-file"
        if self.output_file in (None, STDOUT):
            if self.overwrite:
                raise ConflictingChoice(f"--overwrite needs {option} with a file.")
            return ReportTarget(path=STDOUT, form=self.format or DEFAULT_FORMAT, option=option, overwrites=False)
        return target_of(self.output_file or "", option, form=self.format, overwrites=self.overwrite)


def target_of(path: str, option: str, *, form: str | None = None, overwrites: bool) -> ReportTarget:
    """The file of a report, checked.

    path: as it was typed.  option: which names it.  form: None: as the file's name ends.
    Raises BadValue for an ending that stands for no form, and for what cannot be written; ConflictingChoice.
    """
    ending = Path(path).suffix.lower()
    chosen = form or FORMAT_OF_ENDING.get(ending)
    if not path.strip() or chosen is None:
        raise BadValue(
            f"{option} {path}: the name of a report ends in {', '.join(FORMAT_OF_ENDING)}.",
            hint=f"Give such a name, such as {option} report.html",
        )
    target = ReportTarget(path=path, form=chosen, option=option, overwrites=overwrites)
    target.check()
    return target


def write(report: Report, cases: Iterable[Case], targets: Iterable[ReportTarget]) -> None:
    """Write a report to each target; `cases` are read once, before anything is written.

    Raises BadValue for what cannot be written, ConflictingChoice for a file that is there by now.
    """
    with CaseSpool(cases) as spool:
        for target in targets:
            parts = (part.encode("utf-8", "backslashreplace") for part in _renderer(target.form)(report, spool))
            if target.path == STDOUT:
                _write_to_stdout(parts)
            else:
                _write_to_file(target, parts)
                logger.warning("Report written to %s.", target.path)


def _renderer(form: str) -> Render:
    from azext_iotjobs.cli.output.report import junit, markdown, page  # here: what only checks a target needs none

    return {"junit": junit.render, "markdown": markdown.render, "html": page.render}[form]


def _write_to_stdout(parts: Iterable[bytes]) -> None:
    try:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    except OSError as err:  # who reads has had enough, or there is no room
        give_up_result(sys.stdout, err)


def _write_to_file(target: ReportTarget, parts: Iterable[bytes]) -> None:
    """A file is there as a whole or not at all; a pipe is written to as it is."""
    target.check()
    path = Path(target.path)
    try:
        if path.exists() and not is_file(path):
            _write_all(open_there(path, target.option), parts)
            return
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
        try:
            _write_all(open_new(unfinished), parts)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as err:
        raise BadValue(f"{target.option} {path} cannot be written: {err.strerror}.") from err


def _write_all(file: int, parts: Iterable[bytes]) -> None:
    try:
        for part in parts:
            write_all(file, part)
    finally:
        os.close(file)
