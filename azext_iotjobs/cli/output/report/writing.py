"""Reports are written: each target gets the form that it asks for."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from knack.log import get_logger

from azext_iotjobs.cli.output.file_writing import is_file, open_new, open_there, write_all
from azext_iotjobs.cli.output.report import junit, markdown, page
from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.report_target import STDOUT, ReportTarget
from azext_iotjobs.cli.output.streams import give_up_result
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.report import Case, Report

logger = get_logger(__name__)

Render = Callable[[Report, CaseSpool], Iterator[str]]
RENDER: dict[str, Render] = {"junit": junit.render, "markdown": markdown.render, "html": page.render}


def write(report: Report, cases: Iterable[Case], targets: Iterable[ReportTarget]) -> None:
    """Write a report to each target; `cases` are read once, before anything is written.

    Raises BadValue for what cannot be written, ConflictingChoice for a file that is there by now.
    """
    with CaseSpool() as spool:
        spool.add(cases)
        write_spooled(report, spool, targets)


def write_spooled(report: Report, spool: CaseSpool, targets: Iterable[ReportTarget]) -> None:
    """The same of cases that were read before."""
    for target in targets:
        parts = (part.encode("utf-8", "backslashreplace") for part in RENDER[target.form](report, spool))
        if target.path == STDOUT:
            _write_to_stdout(parts)
        else:
            _write_to_file(target, parts)
            logger.warning("Report written to %s.", target.path)


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
        if os.path.exists(path) and not is_file(path):
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
