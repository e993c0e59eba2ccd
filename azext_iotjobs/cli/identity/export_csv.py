"""Handler of az iot hub device-identity export-csv."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from azext_iotjobs.cli.identity.csv_export import ExportColumn, cells_of, export_columns
from azext_iotjobs.cli.identity.csv_progress import CsvProgress
from azext_iotjobs.cli.input.device_selection import SelectionOptions
from azext_iotjobs.cli.input.display_name import display_name_tag
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output.csv_cells import csv_line
from azext_iotjobs.cli.output.exit_code import end_without_result
from azext_iotjobs.cli.output.file_writing import check_new_file, is_file, write_file
from azext_iotjobs.cli.output.row_output import STDOUT
from azext_iotjobs.cli.output.streams import write_parts
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, NotFound
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.selection import ALL, Selection
from azext_iotjobs.operations.identity.export_devices import ExportedDevice, exported_pages

FILE = "--file"


class ExportCsvOptions(NamedTuple):
    """What is exported of each device, and where to, as typed."""

    file: str
    our_include_keys: bool = False
    columns: str | None = None
    overwrite: bool = False

    def check(self) -> None:
        """Raise UserError for a file that cannot be written, before anything is asked of the hub."""
        if self.file == STDOUT:
            if self.our_include_keys and sys.stdout.isatty():
                raise BadValue(
                    f"{FILE} -: keys are not written to a terminal.", hint="Name a file; only you may read it then."
                )
            return
        path = Path(self.file)
        check_new_file(path, FILE, overwrites=self.overwrite)
        if self.our_include_keys and os.path.exists(path) and not is_file(path):
            raise BadValue(f"{FILE} {path} cannot be written: keys are written to files alone.")


@takes_option_groups
def export_csv(
    cmd: Any, client: HubClient, *, selected: SelectionOptions, options: ExportCsvOptions
) -> dict[str, Any] | None:
    """Write devices into a table."""
    options.check()
    columns = export_columns(options.columns, display_name_tag(cmd.cli_ctx), with_keys=options.our_include_keys)
    selection = (
        selected.read() if selected.names_devices else Selection(condition=ALL, excluded=selected.read_excluded())
    )
    total = client.selections.count(selection)
    if not total:
        end_without_result(NotFound("No device is selected; nothing was written."), Outcome.NO_DEVICE, exit_zero=False)
    progress = CsvProgress("exported", total, SystemClock(), is_silent=bool(cmd.cli_ctx.only_show_errors))
    pages = exported_pages(client, selection, SystemClock(), with_keys=options.our_include_keys)
    lines = _Lines(columns, progress)
    try:
        if options.file == STDOUT:
            write_parts(lines.of(pages))
        else:
            write_file(Path(options.file), FILE, lines.of(pages), is_private=options.our_include_keys)
    finally:
        progress.end()
    if options.file == STDOUT:
        return None
    return {
        "hub": client.target.authority,
        "file": options.file,
        "deviceCount": lines.count,
        "columns": [each.name for each in columns],
    }


class _Lines:
    """The lines of a table; `count` is how many devices it has so far."""

    def __init__(self, columns: Sequence[ExportColumn], progress: CsvProgress) -> None:
        self.count = 0
        self._columns = columns
        self._progress = progress

    def of(self, pages: Iterable[Sequence[ExportedDevice]]) -> Iterator[bytes]:
        """The header, and the devices of each page in one piece."""
        yield csv_line(each.name for each in self._columns)
        for page in pages:
            yield b"".join(csv_line(cells_of(each, self._columns)) for each in page)
            self.count += len(page)
            self._progress.at(self.count)
