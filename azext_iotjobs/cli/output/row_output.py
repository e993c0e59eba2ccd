"""Where rows of devices go: to az's result, or to a file in one of several forms."""

from pathlib import Path
from typing import NamedTuple

from knack.log import get_logger

from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import counted

logger = get_logger(__name__)

FORMATS = ("csv", "jsonl", "json")
FORMAT_OF_ENDING = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json"}
STDOUT = "-"
OPTION = "--output-file"
MANY_ROWS = 50_000  # az keeps a result in memory until it is printed: 100,000 rows took 350 MB


@dataclass(frozen=True, kw_only=True)
class RowTarget:
    """A file for rows, or stdout."""

    path: str  # or STDOUT
    form: str  # one of FORMATS
    columns: tuple[str, ...]
    request: str  # which rows they are: an unfinished file is resumed only for the same ones
    overwrites: bool
    option: str = OPTION  # that named the file, for errors

    @property
    def name(self) -> str:
        """What a person calls it."""
        return "stdout" if self.path == STDOUT else self.path


class RowOutputOptions(NamedTuple):
    """Which columns of the rows are shown, and a file for them."""

    columns: str | None = None
    output_file: str | None = None
    format: str | None = None
    overwrite: bool = False

    def check_file_is_named(self) -> None:
        """Raise ConflictingChoice for an option about the file when there is no file."""
        if self.output_file is None and (self.format is not None or self.overwrite):
            raise ConflictingChoice(f"--format and --overwrite need {OPTION}.")

    def target(self, columns: tuple[str, ...], request: str) -> RowTarget | None:
        """Where the rows go; None: to az's result.

        columns: of the rows, in order.  request: which rows they are.
        Raises BadValue for a file name whose ending stands for no form.
        """
        if self.output_file is None:
            return None
        form = form_of(self.output_file, self.format)
        return RowTarget(path=self.output_file, form=form, columns=columns, request=request, overwrites=self.overwrite)


def form_of(path: str, typed: str | None, option: str = OPTION) -> str:
    """The form of a file: as typed, or as its name ends. Raises BadValue for an unknown ending.

    typed: one of FORMATS; None: nothing is.  option: that named the file, for errors.
    """
    if typed is not None:
        return typed
    ending = Path(path).suffix
    if path == STDOUT or not ending:
        return "csv"
    form = FORMAT_OF_ENDING.get(ending.lower())
    if form is None:
        raise BadValue(
            f"{option} {path}: no format has the ending {ending}; known endings are {', '.join(FORMAT_OF_ENDING)}.",
            hint=f"Give another name, or give the format: --format {' | '.join(FORMATS)}. `report` writes reports."
            if option == OPTION
            else "Give another name.",
        )
    return form


def warn_of_many_rows(count: int) -> None:
    """Warn when az has to hold very many rows in memory. count: rows of the result."""
    if count > MANY_ROWS:
        logger.warning(
            "%s: az keeps all of them in memory until the last one has arrived. %s writes them as they arrive.",
            counted(count, "row"),
            OPTION,
        )
