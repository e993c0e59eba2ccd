"""Cells from twins: rows in their order, what was missing is said, and no row is lost that is not read again."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.cli.output.row_output import RowTarget
from azext_iotjobs.cli.output.row_sink import row_sink
from azext_iotjobs.cli.output.tables import device_rows, table_rows
from azext_iotjobs.cli.output.twin_cells import TwinCells
from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.model.errors import Forbidden
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.twin_columns import TwinColumn, parse_twin_column
from azext_iotjobs.operations.twin_columns.reader import TwinReader
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import response

COLUMNS = ("deviceId", "tags.site", "properties.reported.fw")
FORMULA = '=HYPERLINK("http://x")'
STEERING = "\x1b[31mred\x9b\u202eright"


class World:
    """A hub whose devices have the sites of `sites`, and the cells of two columns."""

    def __init__(self, **sites: Any) -> None:
        self.sites = sites
        self.queries: list[str] = []
        self.refuses = False
        columns = [parse_twin_column(name, "") for name in COLUMNS[1:]]
        self.cells = TwinCells(TwinReader(QueriesClient(self), columns, QueryPace(60), ClockDouble()))

    def send(self, request: Request) -> Response:
        """As a transport's."""
        self.queries.append(request.body["query"])
        if self.refuses:
            return response({}, status=403)
        return response(
            [
                {"deviceId": device, "c1": site}
                for device, site in self.sites.items()
                if f"'{device}'" in self.queries[-1]
            ]
        )


def rows_of(devices: Any) -> list[dict[str, Any]]:
    return [{"deviceId": each, "moduleId": None, "status": "completed"} for each in devices]


def test_rows_keep_their_order_and_their_cells(said: pytest.LogCaptureFixture) -> None:
    world = World(a="north", b={"of": [1, 2]})
    filled = world.cells.fill(rows_of("bxa"))
    assert [(row["deviceId"], row["tags.site"]) for row in filled] == [
        ("b", {"of": [1, 2]}),
        ("x", None),
        ("a", "north"),
    ]
    assert all(row["status"] == "completed" and row["properties.reported.fw"] is None for row in filled)
    world.cells.report()
    gone, typo = said.messages
    assert gone == "1 device has no twin in the hub, so that these cells are empty: x."
    assert typo.startswith("properties.reported.fw: no twin of 2 devices has it.")
    assert typo.endswith(" What a twin has: az iot hub device-twin show -d b")


def test_nothing_is_said_where_nothing_is_missing(said: pytest.LogCaptureFixture) -> None:
    world = World(a="north")
    world.cells._is_empty["properties.reported.fw"] = False
    assert list(world.cells.fill_pages(iter([(rows_of("a"), "")])))[0][0][0]["tags.site"] == "north"
    assert said.messages == []


def test_of_many_that_are_gone_some_are_named(said: pytest.LogCaptureFixture) -> None:
    world = World()
    world.cells.fill(rows_of("abcde"))
    world.cells.report()
    assert said.messages == ["5 devices have no twin in the hub, so that these cells are empty: a, b, c, …."]


def test_what_takes_long_is_said_before(said: pytest.LogCaptureFixture) -> None:
    cells = World().cells
    cells.expect(12_000)
    assert said.messages == []
    cells.expect(30_000)
    [message] = said.messages
    assert "30000 devices take 4 minutes" in message


def test_a_page_that_cannot_be_read_ends_the_reading() -> None:
    world = World(a="north")
    pages = world.cells.fill_pages(iter([(rows_of("a"), "1"), (rows_of("b"), "")]))
    assert next(pages)[1] == "1"
    world.refuses = True
    with pytest.raises(Forbidden):
        next(pages)


def test_rows_of_calls_are_kept_when_twins_cannot_be_read(said: pytest.LogCaptureFixture) -> None:
    world = World(**{f"d{number}": "s" for number in range(100)})
    kept: list[dict[str, Any]] = []
    with row_sink(None, COLUMNS[:2], kept, world.cells) as keep:
        for row in rows_of(world.sites):
            keep(row)
        assert len(kept) == 100  # as many as a query reads
        world.refuses = True
        for row in rows_of("abc"):
            keep(row)
    assert [row["tags.site"] for row in kept] == ["s"] * 100 + [None] * 3
    assert any("The twins of 3 devices were not read" in each for each in said.messages)


def test_rows_that_are_held_are_handed_on_whatever_ends_the_command() -> None:
    world = World(a="north")
    kept: list[dict[str, Any]] = []
    with pytest.raises(KeyboardInterrupt), row_sink(None, COLUMNS, kept, world.cells) as keep:
        keep(rows_of("a")[0])
        raise KeyboardInterrupt
    assert [row["tags.site"] for row in kept] == ["north"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_twins_hold_does_nothing_in_a_spreadsheet_or_at_a_terminal(tmp_path: Path, form: str) -> None:
    world = World(a=FORMULA, b=STEERING, c={"x": FORMULA})
    target = RowTarget(path=str(tmp_path / "f"), form=form, columns=COLUMNS, request="", overwrites=False)
    with row_sink(target, COLUMNS, [], world.cells) as keep:
        for row in rows_of("abc"):
            keep(row)
    text = (tmp_path / "f").read_text(encoding="utf-8")
    assert text.isascii() and "\x1b" not in text
    if form == "csv":
        sites = [row["tags.site"] for row in csv.DictReader(text.splitlines())]
        assert sites[0] == f"'{FORMULA}" and json.loads(sites[2]) == {"x": FORMULA}
    else:
        assert [json.loads(line)["tags.site"] for line in text.splitlines()] == list(world.sites.values())


def test_a_table_shows_short_cells_without_control_characters() -> None:
    world = World(a=STEERING, b={"x": [1, {"y": 2}]}, c="long " * 40)
    rows = [{name: row[name] for name in COLUMNS} for row in world.cells.fill(rows_of("abc"))]
    table = table_rows("iot hub fleet-job results", device_rows, rows)
    assert [row["Tags.site"] for row in table][1] == '{"x":[1,{"y":2}]}'
    assert all(row["Tags.site"].isprintable() and len(row["Tags.site"]) <= 40 for row in table)


def test_columns_with_long_names_stay_apart_in_a_table() -> None:
    long = "properties.reported.firmware.components.radio"
    [row] = table_rows("", device_rows, [{"deviceId": "a", f"{long}.version": 1, f"{long}.state": 2}])
    assert row == {
        "DeviceId": "a",
        "…orted.firmware.components.radio.version": "1",
        "…eported.firmware.components.radio.state": "2",
    }
    same = "x" * 40
    [row] = table_rows("", device_rows, [{f"tags.a.{same}": 1, f"tags.b.{same}": 2}])
    assert list(row.values()) == ["1", "2"]


def test_a_display_name_is_told_with_its_tag(said: pytest.LogCaptureFixture) -> None:
    world = World(a=None)
    column = TwinColumn("displayName", ("tags", "name"))
    cells = TwinCells(TwinReader(QueriesClient(world), [column], QueryPace(None), ClockDouble()), "h.example")
    cells.fill([{"deviceId": "a", "moduleId": None}])
    cells.report()
    shown = "az iot hub device-twin show -n h.example -d a"
    assert said.messages == [f"displayName (tags.name): no twin of 1 device has it. What a twin has: {shown}"]
