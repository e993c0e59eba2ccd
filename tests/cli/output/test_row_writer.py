"""Rows in files: every form, safe cells, and a file that broke off at any place goes on to the same end."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.output.row_output import RowTarget
from azext_iotjobs.cli.output.row_writer import new_rows, write
from azext_iotjobs.model.errors import BadValue, ConflictingChoice

ROWS = [{"id": f"d{number}", "payload": {"n": number}, "none": None, "ok": True} for number in range(7)]
PAGES = [ROWS[:3], [], ROWS[3:5], ROWS[5:]]  # a page may be empty and others follow


class Stopped(Exception):
    """The process ends here."""


def target(path: Path, form: str = "csv", **more: Any) -> RowTarget:
    given = {"columns": ("id", "payload", "ok"), "request": "job j", "overwrites": False, **more}
    return RowTarget(path=str(path), form=form, **given)


def reader(stop_after: int | None = None) -> Callable[[str], Iterator[tuple[list[dict[str, Any]], str]]]:
    """Gives the pages from the one that a token names; ends the process after `stop_after` of them."""

    def read(token: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
        start = int(token or 0)
        for given, number in enumerate(range(start, len(PAGES))):
            if given == stop_after:
                raise Stopped
            yield PAGES[number], str(number + 1) if number + 1 < len(PAGES) else ""

    return read


def parsed(path: Path, form: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if form == "csv":
        return [row["id"] for row in csv.DictReader(io.StringIO(text))]
    rows = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    return [row["id"] for row in rows]


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
def test_a_file_holds_all_rows_and_nothing_stands_beside_it(tmp_path: Path, form: str) -> None:
    assert write(target(tmp_path / "f", form), reader()) == 7
    assert parsed(tmp_path / "f", form) == [row["id"] for row in ROWS]
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
@pytest.mark.parametrize("stop_after", range(len(PAGES) + 1))
def test_a_file_that_broke_off_is_gone_on_with_to_the_same_bytes(tmp_path: Path, form: str, stop_after: int) -> None:
    write(target(tmp_path / "whole", form), reader())
    if stop_after < len(PAGES):
        with pytest.raises(Stopped):
            write(target(tmp_path / "f", form), reader(stop_after))
        with open(tmp_path / "f", "ab") as file:
            file.write(b"half a li")  # what a page left that did not end
        written = sum(len(page) for page in PAGES[:stop_after])
        assert write(target(tmp_path / "f", form), reader()) == 7 - written
    else:
        write(target(tmp_path / "f", form), reader())
    assert (tmp_path / "f").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_file_without_rows_is_whole_too(tmp_path: Path, form: str) -> None:
    assert write(target(tmp_path / "f", form), lambda _token: [([], "")]) == 0
    assert parsed(tmp_path / "f", form) == []


def test_a_whole_file_is_not_written_over_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("mine")
    with pytest.raises(ConflictingChoice, match="already exists\\.$"):
        write(target(tmp_path / "f"), reader())
    assert (tmp_path / "f").read_text() == "mine"
    assert write(target(tmp_path / "f", overwrites=True), reader()) == 7


@pytest.mark.parametrize("other", [{"request": "job k"}, {"form": "jsonl"}, {"columns": ("id",)}])
def test_an_unfinished_file_of_something_else_is_left_alone(tmp_path: Path, other: dict[str, Any]) -> None:
    with pytest.raises(Stopped):
        write(target(tmp_path / "f"), reader(1))
    before = (tmp_path / "f").read_bytes()
    with pytest.raises(ConflictingChoice, match="has other rows"):
        write(target(tmp_path / "f", **{"form": "csv", **other}), reader())
    assert (tmp_path / "f").read_bytes() == before


@pytest.mark.parametrize(
    "note", ["", "{}", "[]", '{"bytes": "x"}', '{"bytes": 10000000, "token": "", "hasRows": true}']
)
def test_a_note_that_is_none_is_refused(tmp_path: Path, note: str) -> None:
    (tmp_path / "f").write_text("mine")
    (tmp_path / "f.unfinished").write_text(note)
    with pytest.raises(ConflictingChoice):
        write(target(tmp_path / "f"), reader())
    assert (tmp_path / "f").read_text() == "mine"


def test_a_place_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="--output-file"):
        write(target(tmp_path / "no folder" / "f"), reader())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\n=1"])
def test_what_a_spreadsheet_would_run_is_made_safe(tmp_path: Path, text: str) -> None:
    write(target(tmp_path / "f", columns=("id",)), lambda _token: [([{"id": text}], "")])
    with open(tmp_path / "f", encoding="utf-8", newline="") as file:
        (cell,) = (row["id"] for row in csv.DictReader(file))
    assert cell == f"'{text}"


def test_no_control_character_reaches_a_terminal_or_a_spreadsheet(tmp_path: Path) -> None:
    said = "\x1b[2J\x00\x9b1m\r\x7f caf\u00e9"
    write(target(tmp_path / "f", columns=("id",)), lambda _token: [([{"id": said}], "")])
    assert (tmp_path / "f").read_bytes() == "id\r\n\\x1b[2J\\x00\\x9b1m\\x0d\\x7f caf\u00e9\r\n".encode()


def test_a_cell_keeps_what_has_no_utf_8_form_and_turns_no_text_around(tmp_path: Path) -> None:
    rows = [{"id": "ü\ud800", "payload": "\u202egnp.exe\u200f", "ok": True}]
    write(target(tmp_path / "f"), lambda _: iter([(rows, "")]))
    (row,) = csv.DictReader(io.StringIO((tmp_path / "f").read_text(encoding="utf-8")))
    assert (row["id"], row["payload"]) == ("ü\\ud800", "\\u202egnp.exe\\u200f")


@pytest.mark.parametrize("value", [-1, -1.5, True, None, {"a": "=1"}, 'a,"b"\nc'])
def test_other_cells_are_as_they_were(tmp_path: Path, value: Any) -> None:
    write(target(tmp_path / "f", columns=("id",)), lambda _token: [([{"id": value}], "")])
    with open(tmp_path / "f", encoding="utf-8", newline="") as file:
        (cell,) = (row["id"] for row in csv.DictReader(file))
    shown = {None: "", True: "true"}.get(value, str(value)) if not isinstance(value, dict) else json.dumps(value)
    assert cell == shown


@pytest.mark.parametrize("form", ["csv", "jsonl", "json"])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_rows_that_come_one_by_one_make_the_same_file(tmp_path: Path, form: str, count: int) -> None:
    write(target(tmp_path / "pages", form), lambda _token: [(ROWS[:count], "")])
    with new_rows(target(tmp_path / "f", form)) as add:
        for row in ROWS[:count]:
            assert add(row) is True
            if form != "json":
                assert (tmp_path / "f").read_bytes().endswith(b"\n"), "a row is there once it has come"
    assert (tmp_path / "f").read_bytes() == (tmp_path / "pages").read_bytes()
    assert not (tmp_path / "f.unfinished").exists()


@pytest.mark.parametrize("size", ["-1", "1e999", '"x"', "null", "10000"])
def test_a_note_that_somebody_has_changed_is_not_followed(tmp_path: Path, size: str) -> None:
    with pytest.raises(Stopped):
        write(target(tmp_path / "f"), reader(1))
    note, before = tmp_path / "f.unfinished", (tmp_path / "f").read_bytes()
    document = json.loads(note.read_bytes()) | {"bytes": "SIZE"}
    note.write_text(json.dumps(document).replace('"SIZE"', size), encoding="utf-8")
    with pytest.raises(ConflictingChoice, match="is unfinished, but has other rows"):
        write(target(tmp_path / "f"), reader())
    assert (tmp_path / "f").read_bytes() == before


def test_rows_that_cannot_be_asked_for_again_go_into_a_new_file_only(tmp_path: Path) -> None:
    with pytest.raises(Stopped), new_rows(target(tmp_path / "f")) as add:
        add(ROWS[0])
        raise Stopped
    assert (tmp_path / "f.unfinished").exists(), "it was never brought to its end"
    before = (tmp_path / "f").read_bytes()
    with pytest.raises(ConflictingChoice, match="already exists"), new_rows(target(tmp_path / "f")):
        pass
    with pytest.raises(ConflictingChoice, match="has other rows"):
        write(target(tmp_path / "f", request="job k"), reader())
    assert (tmp_path / "f").read_bytes() == before
    with new_rows(target(tmp_path / "f", overwrites=True)) as add:
        add(ROWS[1])
    assert parsed(tmp_path / "f", "csv") == ["d1"]
    with pytest.raises(BadValue, match="cannot be written"), new_rows(target(tmp_path / "no folder" / "f")):
        pass
