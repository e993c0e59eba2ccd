"""Files that we write: no link is written through, whoever has put it where we write."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.event_log import EventFile
from azext_iotjobs.cli.identity.export_csv import ExportCsvOptions
from azext_iotjobs.cli.job import parent_links
from azext_iotjobs.cli.output.event_file import check_event_file
from azext_iotjobs.cli.output.file_writing import check_new_file
from azext_iotjobs.cli.output.report.writing import write as write_report
from azext_iotjobs.cli.output.report_target import target_of
from azext_iotjobs.cli.output.row_output import RowTarget, form_of
from azext_iotjobs.cli.output.row_writer import check, check_new, new_rows, write
from azext_iotjobs.cli.simulate.event_log import EventFile as SimulatedEvents
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, StateError
from tests.helpers.reports import report

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows needs a right to make links")


def target(path: Path, *, overwrites: bool = False, form: str = "csv") -> RowTarget:
    return RowTarget(path=str(path), form=form, columns=("id",), request="job j", overwrites=overwrites)


def read(token: str) -> list[tuple[list[dict[str, str]], str]]:
    return [([{"id": "d1"}], "")]


def write_results(path: Path, *, overwrites: bool) -> None:
    write(target(path, overwrites=overwrites), read)


def write_new_rows(path: Path, *, overwrites: bool) -> None:
    with new_rows(target(path, overwrites=overwrites)) as add:
        add({"id": "d1"})


def reports(path: Path) -> None:
    write_report(report(1), [], [target_of(str(path), "--output-file", overwrites=False)])


def write_run_events(path: Path, *, overwrites: bool) -> None:
    EventFile(str(path), overwrites=overwrites, adds=False).close()


def add_run_events(path: Path, *, overwrites: bool) -> None:
    EventFile(str(path), overwrites=False, adds=True).close()


def write_simulated_events(path: Path, *, overwrites: bool) -> None:
    SimulatedEvents(str(path), overwrites=overwrites).close()


WRITERS = [write_results, write_new_rows, write_run_events, add_run_events, write_simulated_events]
Writer = Callable[..., None]


@pytest.mark.parametrize("overwrites", [False, True])
@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing"])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_typed_name_that_is_a_link_is_refused_and_its_target_is_as_it_was(
    tmp_path: Path, writer: Writer, there: bool, overwrites: bool
) -> None:
    victim = tmp_path / "victim"
    if there:
        victim.write_text("precious")
    link = tmp_path / "r"
    link.symlink_to(victim)
    with pytest.raises((BadValue, ConflictingChoice), match="symbolic link|already exists"):
        writer(link, overwrites=overwrites)
    assert (victim.read_text() == "precious") if there else not victim.exists()


@pytest.mark.parametrize("name", ["r.unfinished", "r.unfinished.new"])
@pytest.mark.parametrize("writer", [write_results, write_new_rows])
def test_a_link_where_a_name_of_our_own_would_be_is_not_written_through(
    tmp_path: Path, writer: Writer, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / name).symlink_to(victim)
    writer(tmp_path / "r", overwrites=False)
    assert victim.read_text() == "precious" and (tmp_path / "r").read_bytes() == b"id\r\nd1\r\n"


def test_a_link_is_refused_before_anything_is_asked_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "r.csv").symlink_to(tmp_path / "victim.csv")
    refusals: tuple[Callable[[], None], ...] = (
        lambda: check(target(tmp_path / "r.csv")),
        lambda: check_new(target(tmp_path / "r.csv")),
        lambda: check_event_file(str(tmp_path / "r.csv"), overwrites=False),
        lambda: check_new_file(tmp_path / "r.csv", "--file", overwrites=False),
    )
    for refuse in refusals:
        with pytest.raises(BadValue, match="is a symbolic link") as raised:
            refuse()
        assert str(tmp_path / "victim.csv") in str(raised.value.hint)


def test_a_link_to_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "r").symlink_to("/dev/null")
    for writer in (write_run_events, add_run_events, write_simulated_events):
        writer(tmp_path / "r", overwrites=False)
    write_new_rows(tmp_path / "r", overwrites=True)


def test_a_note_is_its_owners_alone_and_is_whole_or_not_there(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def break_off(token: str) -> list[tuple[list[dict[str, str]], str]]:
        raise Stopped

    before = os.umask(0)
    try:
        with pytest.raises(Stopped):
            write(target(tmp_path / "r"), break_off)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "r.unfinished").stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["r", "r.unfinished"]


def test_a_jobs_parent_is_not_noted_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent_links, "state_folder", lambda: tmp_path / "config" / "hubs")
    folder = tmp_path / "config" / "parents" / "h"
    folder.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("j.json", "j.new"):
        (folder / name).symlink_to(victim)
    parent_links.note("h", "j", "*", "p")
    assert victim.read_text() == "precious"
    assert parent_links.with_parent("h", {"jobId": "j", "queryCondition": "*"})["parentJobId"] == "p"


def test_a_state_file_is_not_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "fleet-jobs.db").symlink_to(tmp_path / "victim")
    with pytest.raises(StateError):
        SqliteStore.open(tmp_path / "state")
    assert not (tmp_path / "victim").exists()


# -- forms -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "typed", "form"),
    [
        ("r.csv", None, "csv"),
        ("r.json", None, "json"),
        ("r.jsonl", None, "jsonl"),
        ("r.ndjson", None, "jsonl"),
        ("R.JSON", None, "json"),
        ("a.b/r", None, "csv"),
        ("r", None, "csv"),
        ("-", None, "csv"),
        (".r", None, "csv"),
        ("a.xml/r.jsonl", None, "jsonl"),
        ("r.xml", "jsonl", "jsonl"),
        ("r.csv", "json", "json"),
        ("-", "json", "json"),
    ],
)
def test_the_form_follows_the_files_name_unless_it_is_typed(name: str, typed: str | None, form: str) -> None:
    assert form_of(name, typed) == form


@pytest.mark.parametrize("name", ["r.xml", "r.csv.gz", "r.xlsx", "r.tsv", "a.csv/r.yaml", "r.csv ", "r.2026"])
def test_an_unknown_ending_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(BadValue, match=r"known endings are \.csv, \.jsonl, \.ndjson, \.json") as raised:
        form_of(name, None)
    assert "--format" in str(raised.value.hint)


@pytest.mark.parametrize("name", ["e.csv", "e.json", "e.xml"])
def test_events_are_json_lines_and_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadValue, match="events are JSON lines"):
        check_event_file(str(tmp_path / name), overwrites=True)
    for known in ("e.jsonl", "E.NDJSON", "e", "e.log"):
        check_event_file(str(tmp_path / known), overwrites=False)


@pytest.mark.parametrize("name", ["x" * 300 + ".md", "x" * 300 + "/r.md"])
def test_a_name_that_no_file_system_takes_is_refused_as_any_other(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    asking: tuple[Callable[[], object], ...] = (
        lambda: write(target(path), read),
        lambda: write_new_rows(path, overwrites=False),
        lambda: reports(path),
        lambda: ExportCsvOptions(file=str(path / "devices.csv")).check(),
        lambda: FleetJobContext(None, {}, str(path), None, Access.READ).store,
        lambda: FleetJobContext(None, {}, str(path), None, Access.MAKE).store,
    )
    for ask in asking:
        with pytest.raises((BadValue, StateError), match="cannot be (written|used)|no such folder"):
            ask()
    for check_only in (check, check_new):
        with suppress(BadValue):
            check_only(target(path))
    assert not list(tmp_path.iterdir())
