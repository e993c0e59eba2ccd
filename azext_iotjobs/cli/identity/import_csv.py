"""Handler of az iot hub device-identity import-csv."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.tiers import tier_of
from azext_iotjobs.cli.identity.csv_columns import Columns, Mapped, columns_of, parse_map
from azext_iotjobs.cli.identity.csv_progress import CsvProgress
from azext_iotjobs.cli.identity.csv_rows import RowReader
from azext_iotjobs.cli.input.csv_files import CsvFile, opened
from azext_iotjobs.cli.input.display_name import display_name_tag
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.row_output import STDOUT, RowTarget, form_of
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_import import Existing, ImportRow, RowResult, RowStatus
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError, MissingChoice
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.simulated_devices import registry_time
from azext_iotjobs.model.text import counted, printable
from azext_iotjobs.operations.identity.import_devices import DeviceImport, ImportOptions, ImportStopped, Page

logger = get_logger(__name__)

FILE, RESULTS_FILE = "--file", "--results-file"
RESULT_COLUMNS = ("line", "deviceId", "status", "errorCode", "errorText")
MAX_SHOWN = 10  # failed rows on stderr
MAX_LISTED = 1000  # in the result


class ImportCsvOptions(NamedTuple):
    """How a table of devices is imported, as typed."""

    file: str
    map: Sequence[str] | None = None
    existing: str = Existing.SKIP.value
    replace_keys: bool = False
    results_file: str | None = None
    overwrite: bool = False
    dry_run: bool = False
    exit_zero: bool = False

    def check(self) -> None:
        """Raise UserError for options that do not go together."""
        if self.replace_keys and self.existing != Existing.UPDATE.value:
            raise MissingChoice("--replace-keys is about devices that are updated.", hint="Give --existing update too.")
        if self.overwrite and self.results_file is None:
            raise ConflictingChoice(f"--overwrite needs {RESULTS_FILE}.")

    @property
    def mapped(self) -> list[Mapped]:
        """The columns that become tags. Raises BadValue."""
        return [parse_map(each) for each in self.map or ()]

    def target(self, hub: str, digest: str) -> RowTarget | None:
        """The results file; None: there is none.

        hub: whose devices they are.  digest: of the table: an unfinished file belongs to one table and one hub.
        """
        if self.results_file is None:
            return None
        if self.results_file == STDOUT:
            raise BadValue(f"{RESULTS_FILE} -: results are kept in a file, so that an import can be gone on with.")
        request = json.dumps([hub, digest, self.existing, self.replace_keys, sorted(self.map or ())])
        return RowTarget(
            path=self.results_file,
            form=form_of(self.results_file, None, RESULTS_FILE),
            columns=RESULT_COLUMNS,
            request=request,
            overwrites=self.overwrite,
            option=RESULTS_FILE,
        )


class Table(NamedTuple):
    """A table of devices, and how its rows are read."""

    file: CsvFile
    columns: Columns
    reader: RowReader

    def rows(self) -> Iterator[ImportRow]:
        """All rows. Raises BadValue for what is no CSV."""
        return self.reader.rows(self.file.records())


@takes_option_groups
def import_csv(cmd: Any, client: HubClient, *, options: ImportCsvOptions) -> dict[str, Any]:
    """Register the devices of a table."""
    options.check()
    with opened(options.file, FILE) as file:
        table = _table(cmd, file, options.mapped)
        target = options.target(client.target.canonical, file.digest())
        if target is not None:
            row_writer.check(target)
        total, faulty = _count(table.rows())
        if not total:
            raise BadValue(f"{file.where}: it has no rows.", hint="Below the header, give a line for each device.")
        if options.dry_run:
            return _preview(client, table, total, faulty)
        if not client.target.is_local:
            logger.warning("Importing %s: %s.", counted(total - faulty, "device"), registry_time(total - faulty))
        return _import(cmd, client, table, target, options, total)


def _table(cmd: Any, file: CsvFile, mapped: Sequence[Mapped]) -> Table:
    tag = display_name_tag(cmd.cli_ctx)
    columns = columns_of(file.header, mapped, tag, file.where)
    if columns.others:
        logger.warning(
            "%s not imported: %s. --map COLUMN=tags.path makes tags of them.",
            counted(len(columns.others), "column is", "columns are"),
            printable(", ".join(columns.others)),
        )
    return Table(file, columns, RowReader(columns, tag, len(file.header)))


def _count(rows: Iterable[ImportRow]) -> tuple[int, int]:
    """How many rows there are, and how many of them cannot be sent. Raises BadValue for what is no CSV."""
    total = faulty = 0
    for each in rows:
        total += 1
        faulty += each.fault is not None
    return total, faulty


def _preview(client: HubClient, table: Table, total: int, faulty: int) -> dict[str, Any]:
    """What --dry-run gives."""
    failures = (each for each in table.rows() if each.fault is not None)
    return {
        "dryRun": True,
        "hub": client.target.authority,
        "rows": total,
        "importable": total - faulty,
        "failed": faulty,
        "failures": [_shown_fault(each) for each, _ in zip(failures, range(MAX_LISTED), strict=False)],
        "tags": {each.name: f"{'.'.join(('tags', *each.path))}:{each.type.value}" for each in table.columns.tags},
        "notImported": list(table.columns.others),
    }


def _import(
    cmd: Any, client: HubClient, table: Table, target: RowTarget | None, options: ImportCsvOptions, total: int
) -> dict[str, Any]:
    progress = CsvProgress("imported", total, SystemClock(), is_silent=bool(cmd.cli_ctx.only_show_errors))
    with stopped_by_ctrl_c() as stop:
        run = DeviceImport(client, _import_options(client, options), SystemClock(), stop)
        collected = _Collected(run, progress)
        outcome = Outcome.SUCCESS
        try:
            if target is None:
                for _ in collected.pages(table.rows(), ""):
                    pass
            else:
                row_writer.write(target, lambda token: collected.row_pages(table.rows(), token))
        except ImportStopped:
            outcome = Outcome.STOPPED
        except IotJobsError:
            progress.end()
            _say_how_to_go_on(run, target)
            raise
    progress.end()
    failed = run.state.counts[RowStatus.FAILED.value]
    if outcome is Outcome.STOPPED:
        _say_how_to_go_on(run, target)
    elif failed:
        outcome = Outcome.DEVICES_FAILED
    leave_with(cmd, outcome, exit_zero=options.exit_zero)
    return _summary(client, run, collected, total, target)


def _import_options(client: HubClient, options: ImportCsvOptions) -> ImportOptions:
    tier = tier_of(client.target, client.known_tier)
    paced_by = None if tier is None or tier.is_unlimited else tier
    return ImportOptions(
        existing=Existing(options.existing),
        replaces_keys=options.replace_keys,
        a_minute=None if paced_by is None else paced_by.registry_operations_a_minute,
    )


class _Collected:
    """What an import gives, as rows of the results file; failed rows are kept for the result."""

    def __init__(self, run: DeviceImport, progress: CsvProgress) -> None:
        self.failures: list[RowResult] = []  # the first of them
        self._run = run
        self._progress = progress
        self._shown = 0

    def pages(self, rows: Iterator[ImportRow], token: str) -> Iterator[Page]:
        """Import, and show how far it is."""
        for results, next_token in self._run.pages(rows, token):
            for each in results:
                if each.status is RowStatus.FAILED:
                    self._failed(each)
            yield results, next_token
            self._progress.at(self._run.state.done_count)

    def row_pages(self, rows: Iterator[ImportRow], token: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
        """The same as rows of the results file."""
        for results, next_token in self.pages(rows, token):
            yield [_result_row(each) for each in results], next_token

    def _failed(self, row: RowResult) -> None:
        assert row.fault is not None
        if len(self.failures) < MAX_LISTED:
            self.failures.append(row)
        if self._shown < MAX_SHOWN:
            self._progress.end()
            who = f"{printable(row.device_id)}: " if row.device_id else ""
            logger.warning("Line %d: %s%s", row.line, who, printable(row.fault.text))
        elif self._shown == MAX_SHOWN:
            logger.warning("More rows that failed are not shown here.")
        self._shown += 1


def _result_row(row: RowResult) -> dict[str, Any]:
    return {
        "line": row.line,
        "deviceId": row.device_id,
        "status": row.status.value,
        "errorCode": None if row.fault is None else row.fault.code,
        "errorText": None if row.fault is None else row.fault.text,
    }


def _shown_fault(row: ImportRow | RowResult) -> dict[str, Any]:
    assert row.fault is not None
    return {
        "line": row.line,
        "deviceId": row.device_id,
        "errorCode": row.fault.code,
        "errorText": row.fault.text,
    }


def _say_how_to_go_on(run: DeviceImport, target: RowTarget | None) -> None:
    done = run.state.done_count
    if target is not None:
        logger.warning(
            "%s done. The same command goes on behind them, from %s.", counted(done, "row is", "rows are"), target.name
        )
    elif done:
        logger.warning(
            "%s done. Started again, the command skips the devices that are there.", counted(done, "row is", "rows are")
        )


def _summary(
    client: HubClient, run: DeviceImport, collected: _Collected, total: int, target: RowTarget | None
) -> dict[str, Any]:
    counts = run.state.counts
    return {
        "hub": client.target.authority,
        "rows": total,
        **{each.value: counts[each.value] for each in RowStatus},
        "left": total - run.state.done_count,
        "failures": [_shown_fault(each) for each in collected.failures],
        "resultsFile": None if target is None else target.name,
    }
