"""Reports are written: each target gets the form that it asks for."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from knack.log import get_logger

from azext_iotjobs.cli.output.file_writing import write_file
from azext_iotjobs.cli.output.report import junit, markdown, page
from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.report_target import STDOUT, ReportTarget
from azext_iotjobs.cli.output.streams import write_parts
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
            write_parts(parts)
        else:
            target.check()
            write_file(Path(target.path), target.option, parts)
            logger.warning("Report written to %s.", target.path)
