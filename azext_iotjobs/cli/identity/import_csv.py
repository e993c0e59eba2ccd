"""Handler of az iot hub device-identity import-csv."""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.tiers import tier_of
from azext_iotjobs.cli.identity.csv_columns import Columns, MappedColumn, columns_of, parse_map
from azext_iotjobs.cli.identity.csv_progress import CsvProgress
from azext_iotjobs.cli.identity.csv_rows import RowReader
from azext_iotjobs.cli.identity.import_results import (
    MAX_LISTED,
    MAX_SHOWN,
    RESULT_COLUMNS,
    ImportResults,
    render_failure,
    say_failure,
)
from azext_iotjobs.cli.input.csv_files import CsvFile, opened
from azext_iotjobs.cli.input.display_name import display_name_tag
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.tag_paths import ROOT, TagPath
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.row_output import STDOUT, RowTarget, form_of
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_import import Existing, ImportRow, RowStatus
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, IotJobsError, MissingChoice
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.simulated_devices import registry_time
from azext_iotjobs.model.text import counted, printable
from azext_iotjobs.operations.identity.import_devices import DeviceImport, ImportOptions, ImportStopped

logger = get_logger(__name__)

FILE, RESULTS_FILE = "--file", "--results-file"


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
        if self.results_file is None:
            if self.overwrite:
                raise ConflictingChoice(f"--overwrite needs {RESULTS_FILE}.")
        elif self.results_file == STDOUT:
            raise BadValue(f"{RESULTS_FILE} -: results are kept in a file, so that an import can be continued.")
        elif _is_same_file(self.file, self.results_file):
            raise ConflictingChoice(f"{FILE} and {RESULTS_FILE} are the same file.")

    def target(self, *content: str) -> RowTarget | None:
        """The results file; None: there is none. content: which devices they are, and whose.

        An unfinished file is continued only by an import of the same rows into the same hub in the same way.
        """
        if self.results_file is None:
            return None
        return RowTarget(
            path=self.results_file,
            form=form_of(self.results_file, None, RESULTS_FILE),
            columns=RESULT_COLUMNS,
            request=json.dumps([*content, self.existing, self.replace_keys, sorted(self.map or ())]),
            overwrites=self.overwrite,
            option=RESULTS_FILE,
        )

    def for_hub(self, client: HubClient) -> ImportOptions:
        """The same for the import itself, at the pace that the hub's tier allows, where that is known."""
        tier = tier_of(client.target, client.known_tier)
        return ImportOptions(
            existing=Existing(self.existing),
            replaces_keys=self.replace_keys,
            a_minute=None if tier is None or tier.is_unlimited else tier.registry_operations_a_minute,
        )


def _is_same_file(one: str, other: str) -> bool:
    """Whether two names mean one file, also as hard links or in a folder that knows no capitals."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them is not there
        return False


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
    mapped = [parse_map(each) for each in options.map or ()]
    name_tag = display_name_tag(cmd.cli_ctx)
    with opened(options.file, FILE) as file:
        table = _table(file, mapped, name_tag)
        target = options.target(client.target.canonical, file.digest(), *name_tag)
        if target is not None:
            row_writer.check(target)
        total, failed = _counts(table)
        if options.dry_run:
            leave_with(cmd, Outcome.DEVICES_FAILED if failed else Outcome.SUCCESS, exit_zero=options.exit_zero)
            return _preview(client, table, total, failed)
        if not client.target.is_local:
            logger.warning("Importing %s: %s.", counted(total - failed, "device"), registry_time(total - failed))
        return _import(cmd, client, table, target, options, total)


def _table(file: CsvFile, mapped: Sequence[MappedColumn], name_tag: TagPath) -> Table:
    columns = columns_of(file.header, mapped, name_tag, file.where)
    if columns.others:
        logger.warning(
            "%s not imported: %s. --map COLUMN=tags.path makes tags of them.",
            counted(len(columns.others), "column is", "columns are"),
            printable(", ".join(columns.others)),
        )
    return Table(file, columns, RowReader(columns, name_tag, len(file.header)))


def _counts(table: Table) -> tuple[int, int]:
    """How many rows there are, and how many of them have faults. Raises BadValue for none, and for what is no CSV."""
    total = failed = 0
    for each in table.rows():
        total += 1
        failed += each.fault is not None
    if not total:
        raise BadValue(f"{table.file.where}: it has no rows.", hint="Below the header, give a line for each device.")
    return total, failed


def _preview(client: HubClient, table: Table, total: int, failed: int) -> dict[str, Any]:
    """What --dry-run gives; the first rows with faults are said on stderr, too."""
    failures = list(islice((each for each in table.rows() if each.fault is not None), MAX_LISTED))
    for each in failures[:MAX_SHOWN]:
        say_failure(each)
    if failed > MAX_SHOWN:
        logger.warning("%d more rows have faults.", failed - MAX_SHOWN)
    return {
        "dryRun": True,
        "hub": client.target.authority,
        "rows": total,
        "importable": total - failed,
        "failed": failed,
        "failures": [render_failure(each) for each in failures],
        "tags": {each.name: f"{'.'.join((ROOT, *each.path))}:{each.type.value}" for each in table.columns.tags},
        "notImported": list(table.columns.others),
    }


def _import(
    cmd: Any, client: HubClient, table: Table, target: RowTarget | None, options: ImportCsvOptions, total: int
) -> dict[str, Any]:
    progress = CsvProgress("imported", total, SystemClock(), is_silent=bool(cmd.cli_ctx.only_show_errors))
    with stopped_by_ctrl_c() as stop:
        run = DeviceImport(client, options.for_hub(client), SystemClock(), stop)
        results = ImportResults(run, progress)
        try:
            _carry_out(results, table, target)
        except ImportStopped:
            outcome = Outcome.STOPPED
        except IotJobsError:
            _say_how_to_continue(run, target, progress)
            raise
        else:
            outcome = Outcome.DEVICES_FAILED if run.state.counts[RowStatus.FAILED.value] else Outcome.SUCCESS
    if outcome is Outcome.STOPPED:
        _say_how_to_continue(run, target, progress)
    progress.end()
    leave_with(cmd, outcome, exit_zero=options.exit_zero)
    return results.summary(client.target.authority, total, None if target is None else target.name)


def _carry_out(results: ImportResults, table: Table, target: RowTarget | None) -> None:
    if target is not None:
        row_writer.write(target, lambda token: results.row_pages(table.rows(), token))
        return
    for _ in results.row_pages(table.rows(), ""):
        pass  # what failed is kept for the result


def _say_how_to_continue(run: DeviceImport, target: RowTarget | None, progress: CsvProgress) -> None:
    progress.end()
    done = counted(run.state.done_count, "row is", "rows are")
    if target is not None:
        logger.warning("%s done. The same command continues after them, by %s.", done, target.name)
    else:
        logger.warning("%s done. Started again, the command skips devices that are registered already.", done)
