"""What became of the rows of an import: as rows of the results file, on stderr, and as the command's result."""

from collections.abc import Iterator
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.identity.csv_progress import CsvProgress
from azext_iotjobs.model.device_import import ImportRow, RowResult, RowStatus
from azext_iotjobs.model.text import printable
from azext_iotjobs.operations.identity.import_devices import DeviceImport, Page

logger = get_logger(__name__)

RESULT_COLUMNS = ("line", "deviceId", "status", "errorCode", "errorText")
MAX_SHOWN = 10  # failed rows on stderr
MAX_LISTED = 1000  # in the result


class ImportResults:
    """Follows an import, and shows how far it is."""

    def __init__(self, run: DeviceImport, progress: CsvProgress) -> None:
        self._failures: list[RowResult] = []  # of this process, the first of them
        self._shown_count = 0
        self._run = run
        self._progress = progress

    def row_pages(self, rows: Iterator[ImportRow], token: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
        """Import rows, and give the rows of the results file page by page; arguments as those of DeviceImport.pages."""
        for page in self._run.pages(rows, token):
            yield self._rows(page)
            self._progress.at(self._run.state.done_count)

    def summary(self, hub: str, row_count: int, file: str | None) -> dict[str, Any]:
        """The command's result.

        hub: its name.  row_count: of the table.  file: that has the results of all rows; None: there is none.
        """
        state = self._run.state
        return {
            "hub": hub,
            "rows": row_count,
            **{each.value: state.counts[each.value] for each in RowStatus},
            "left": row_count - state.done_count,
            "failures": [render_failure(each) for each in self._failures],
            "resultsFile": file,
        }

    def _rows(self, page: Page) -> tuple[list[dict[str, Any]], str]:
        results, token = page
        for each in results:
            if each.status is RowStatus.FAILED:
                self._failed(each)
        return [_result_row(each) for each in results], token

    def _failed(self, row: RowResult) -> None:
        if len(self._failures) < MAX_LISTED:
            self._failures.append(row)
        self._shown_count += 1
        if self._shown_count > MAX_SHOWN + 1:
            return
        self._progress.end()
        if self._shown_count > MAX_SHOWN:
            logger.warning("More rows that failed are not shown here; --results-file has all.")
            return
        say_failure(row)


def _result_row(row: RowResult) -> dict[str, Any]:
    return {
        "line": row.line,
        "deviceId": row.device_id,
        "status": row.status.value,
        "errorCode": None if row.fault is None else row.fault.code,
        "errorText": None if row.fault is None else row.fault.text,
    }


def say_failure(row: ImportRow | RowResult) -> None:
    """Say on stderr why a row failed."""
    assert row.fault is not None
    name = printable(row.device_id)
    text = printable(row.fault.text)
    who = f"{name}: " if name and name not in text else ""
    logger.warning("Line %d: %s%s", row.line, who, text)


def render_failure(row: ImportRow | RowResult) -> dict[str, Any]:
    """A row that failed, as results show it."""
    assert row.fault is not None
    return {
        "line": row.line,
        "deviceId": row.device_id,
        "errorCode": row.fault.code,
        "errorText": row.fault.text,
    }
