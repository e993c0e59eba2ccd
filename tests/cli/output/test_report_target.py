"""Where a report goes: what is typed, and pipes and links beside files."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.cli.output.report.writing import write
from azext_iotjobs.cli.output.report_target import ReportOptions, ReportTarget, target_of
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.report import Case
from tests.helpers.reports import cases_of, mixed, report


def to(path: Path, form: str | None = None, *, overwrites: bool = False) -> ReportTarget:
    return target_of(str(path), "--output-file", form=form, overwrites=overwrites)


@pytest.mark.parametrize(
    ("typed", "path", "form"),
    [
        (ReportOptions(), "-", "markdown"),
        (ReportOptions(output_file="-", format="junit"), "-", "junit"),
        (ReportOptions(format="html"), "-", "html"),
        (ReportOptions(output_file="a.XML"), "a.XML", "junit"),
        (ReportOptions(output_file="a.htm"), "a.htm", "html"),
        (ReportOptions(output_file="a.xml", format="markdown"), "a.xml", "markdown"),
    ],
)
def test_the_form_is_as_typed_or_as_the_name_ends(typed: ReportOptions, path: str, form: str) -> None:
    target = typed.target()
    assert (target.path, target.form) == (path, form)


def test_there_is_nothing_to_overwrite_on_stdout() -> None:
    with pytest.raises(ConflictingChoice, match="--overwrite needs --output-file"):
        ReportOptions(overwrite=True).target()


@pytest.mark.skipif(os.name == "nt", reason="Windows needs a right to make links")
def test_no_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "r.md").symlink_to(tmp_path / "theirs")
    with pytest.raises(BadValue, match="symbolic link"):
        to(tmp_path / "r.md", overwrites=True)
    target = ReportTarget(path=str(tmp_path / "r.md"), form="markdown", option="--output-file", overwrites=True)
    with pytest.raises(BadValue, match="symbolic link"):
        write(report(1), cases_of(mixed(1)), [target])
    assert (tmp_path / "theirs").read_text() == "theirs"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_pipe_to_another_program_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    target = to(pipe, "markdown")
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8") as reader:
        write(report(1), cases_of(mixed(2)), [target])  # it fits the pipe
        assert reader.read().startswith("# ") and pipe.is_fifo()


def test_a_file_that_somebody_else_has_written_meanwhile_is_kept(tmp_path: Path) -> None:
    target = to(tmp_path / "r.md")
    (tmp_path / "r.md").write_text("theirs")
    with pytest.raises(ConflictingChoice, match="already exists"):
        write(report(1), cases_of(mixed(1)), [target])
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("r.md", "theirs")]


def test_what_breaks_off_leaves_the_old_report(tmp_path: Path) -> None:
    (tmp_path / "r.md").write_text("old")
    target = to(tmp_path / "r.md", overwrites=True)

    def broken() -> Iterator[Case]:
        yield from cases_of(mixed(2))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(report(1), broken(), [target])
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("r.md", "old")]
