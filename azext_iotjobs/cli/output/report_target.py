"""Where a report goes, and in which form: a file, or stdout."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from azext_iotjobs.cli.output.file_writing import check_new_file
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.late_dataclass import dataclass

FORMATS = ("junit", "markdown", "html")
FORMAT_OF_ENDING = {".xml": "junit", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html"}
DEFAULT_FORMAT = "markdown"
STDOUT = "-"


@dataclass(frozen=True, kw_only=True)
class ReportTarget:
    """A file for a report, or stdout."""

    path: str  # or STDOUT
    form: str  # one of FORMATS
    option: str  # which names the file, for errors
    overwrites: bool

    def check(self) -> None:
        """Raise what writing would, as far as that can be known before: ConflictingChoice, BadValue."""
        if self.path != STDOUT:
            check_new_file(Path(self.path), self.option, overwrites=self.overwrites)


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


def targets_of(paths: Sequence[str], option: str, *, overwrites: bool) -> tuple[ReportTarget, ...]:
    """The files of one report, checked. Raises as `target_of`; ConflictingChoice for one that is given twice, too."""
    targets = tuple(target_of(each, option, overwrites=overwrites) for each in paths)
    for number, each in enumerate(targets):
        if Path(each.path).resolve() in [Path(other.path).resolve() for other in targets[:number]]:
            raise ConflictingChoice(f"{option} {each.path} is given twice.")
    return targets


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
