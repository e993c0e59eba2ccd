"""Text of a file of devices -> its rows: a table as spreadsheets, IoT Central and our own results write it, or ids.

Strategy: the first line decides. If it names a column of ids with any of the delimiters, the text is a table. Otherwise
each line is one id. An id may contain commas and semicolons; so a text that is more likely a table without a column of
ids is an error, and not taken for a list of its lines.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from azext_iotjobs.cli.input.scalars import MAX_FILE_BYTES, shown
from azext_iotjobs.cli.output.csv_cells import original
from azext_iotjobs.cli.output.result_columns import COLUMNS
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import looks_like_connection_string
from azext_iotjobs.model.text import counted

# In the form of `plain_name`. The first of ID_NAMES that a row has is its id; IoT Central exports the second.
ID_NAMES = ("deviceid", "iotcdeviceid", "id")
CONNECTION_NAME = "connectionstring"
RESULT_NAMES = frozenset(name.lower() for name in COLUMNS) - {*ID_NAMES}
DELIMITERS = (",", ";", "\t")
DELIMITER_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # as Excel writes and reads it, before the header
HOW_TO_NAME_IDS = (
    "Name the column of ids deviceId (or Device ID, id, IOTC_DEVICEID). If each line is one id, put an id with a comma "
    'or a semicolon between double quotes: "x,1".'
)
HOW_TO_NAME_IDS_OF_LIST = (
    "A table has a column deviceId (or Device ID, id, IOTC_DEVICEID), and commas, semicolons or tabs between its "
    "cells. A list has its ids in one line, with commas between them, or one id a line. Put an id with a comma or a "
    "semicolon between double quotes."
)
NO_DEVICE = frozenset(ID_NAMES) - {"id"}
CENTRAL = "iotc"  # the start of the columns that IoT Central exports; hardly that of a device's id


class TableRow(NamedTuple):
    """A row of a table, or a line with one id; without empty cells."""

    line: int  # on which it begins, from 1
    cells: dict[str, str]  # by plain names


class TableForm(NamedTuple):
    """How a table is written."""

    delimiter: str
    skipped: int  # lines before the header
    names: list[str]


def plain_name(name: str) -> str:
    """A column's name in the form in which names are compared: that of `Device ID`, `device_id` and `deviceId`."""
    return re.sub(r"[\s_-]", "", name).lower()


def is_table(text: str) -> bool:
    """Whether the first line names a column of ids or of connection strings."""
    return form_of(text) is not None


def rows_in(text: str, where: str) -> Iterator[TableRow]:
    """The rows of a table, or each line as an id.

    where: the option and the file, for errors.
    Raises BadValue, naming the line, for a table without a column of ids, a row with more cells than the header and a
    quote that is not closed.
    """
    form = form_of(text)
    if form is None:
        yield from _lines(text, where)
        return
    twice = [name for name in form.names if name and form.names.count(name) > 1]
    if twice:
        raise BadValue(f"{where}, line {form.skipped + 1}: two columns are called {shown(twice[0])}.")
    id_name = next((name for name in ID_NAMES if name in form.names), None)
    found = records(io.StringIO(text, newline=""), form.delimiter, where)
    for line, cells in found:
        if line <= form.skipped + 1 or not any(each.strip() for each in cells):
            continue  # a line of empty cells, as spreadsheets leave them
        if any(each.strip() for each in cells[len(form.names) :]):
            raise BadValue(
                f"{where}, line {line}: it has {counted(len(cells), 'cell')}, and the header has {len(form.names)}.",
                hint="Put a cell that contains a delimiter between double quotes.",
            )
        texts = (original(each.strip()) for each in cells)
        row = {name: value for name, value in zip(form.names, texts, strict=False) if name and value}
        if id_name not in row and CONNECTION_NAME not in row:
            raise BadValue(f"{where}, line {line}: it has no device id.", hint="Add one, or remove the line.")
        yield TableRow(line, row)


def check_list(text: str, where: str) -> None:
    """Raise BadValue for lines of a list of ids that are more likely rows: each has the same number of cells.

    A list over several lines has commas at the ends of lines, or a different number of ids on each.
    text: the list.  where: the option, for errors.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    first = lines[0][1]
    header = next((each for each in lines if _names_ids(each[1])), None)
    counts = [{_cell_count(line, delimiter) for _, line in lines} for delimiter in DELIMITERS]
    has_cells = len(lines) > 1 and any(len(each) == 1 and max(each) > 1 for each in counts)
    has_cells = has_cells and not first.endswith(DELIMITERS)
    if header or has_cells or plain_name(first.split(",")[0].strip('"')).startswith(CENTRAL):
        number, line = header or lines[0]
        raise BadValue(
            f"{where}, line {number}: {shown(line.split(',')[0])} begins what looks like a table, in which no "
            "column of ids can be recognized.",
            hint=HOW_TO_NAME_IDS_OF_LIST,
        )


def _names_ids(line: str) -> bool:
    """Whether a line holds the name of a column of ids, which is hardly a device's."""
    return any(plain_name(each) in NO_DEVICE for each in re.split(r"[\s,;|]+", line))


def form_of(text: str) -> TableForm | None:
    """The form of the table that a text is, or begins; None when it is not a table."""
    rest = text.lstrip()
    skipped = text[: len(text) - len(rest)].count("\n")
    stated = DELIMITER_LINE.fullmatch(rest.partition("\n")[0].rstrip("\r"))
    if stated:
        rest, skipped = rest.partition("\n")[2], skipped + 1
    forms = []
    for delimiter in (stated[1],) if stated else DELIMITERS:
        try:
            header = next(csv.reader(io.StringIO(rest, newline=""), delimiter=delimiter), [])
        except csv.Error:
            continue
        names = [plain_name(each) for each in header]
        if {*ID_NAMES, CONNECTION_NAME} & set(names):
            forms.append(TableForm(delimiter, skipped, names))
    return max(forms, key=lambda form: len(form.names), default=None)


def records(lines: Iterable[str], delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins.

    lines: with their ends, as they are.  delimiter: between cells.  where: the option and the file, for errors.
    Raises BadValue for a quote that is not closed.
    """
    csv.field_size_limit(MAX_FILE_BYTES)  # a device's response to a method has up to 128 KB
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as err:
            raise BadValue(
                f"{where}, line {begins}: a quote is not closed, or stands inside a cell ({err}).",
                hint="Put a cell that contains a double quote between double quotes, and double the quote inside it.",
            ) from None
        if cells is None:
            return
        yield begins, cells


def _lines(text: str, where: str) -> Iterator[TableRow]:
    lines = [(number, line.strip()) for number, line in enumerate(io.StringIO(text, newline=None), 1) if line.strip()]
    _check_no_table(lines, where)
    for number, line in lines:
        yield TableRow(number, {"deviceid": _unquoted(line, f"{where}, line {number}")})


def _check_no_table(lines: Sequence[tuple[int, str]], where: str) -> None:
    """Raise BadValue for lines that are more likely rows of a table than ids."""
    if not lines:
        return
    number, first = lines[0]
    if stated := DELIMITER_LINE.fullmatch(first):
        raise BadValue(
            f"{where}, line {number}: {shown(stated[0])} begins a table, but it has no column of ids.",
            hint=HOW_TO_NAME_IDS,
        )
    name = plain_name(first.strip('"'))
    if name in RESULT_NAMES or name.startswith(f"{CENTRAL}device"):
        whose = "results" if name in RESULT_NAMES else "IoT Central's export"
        raise BadValue(
            f"{where}, line {number}: {shown(first)} is a column of {whose}; a column of ids is missing.",
            hint=HOW_TO_NAME_IDS,
        )
    header = next((each for each in lines if _names_ids(each[1])), None)
    if header is not None:
        raise BadValue(
            f"{where}, line {header[0]}: {shown(header[1])} looks like a table's header, but it is not in the first "
            "line, or has no commas, semicolons or tabs between its cells.",
            hint=f"Remove the lines above it. {HOW_TO_NAME_IDS}",
        )
    for delimiter in DELIMITERS:
        rows = [(number, line) for number, line in lines if _cell_count(line, delimiter) > 1]
        if len(rows) > 1 or (rows and delimiter == "\t"):
            name = {"\t": "a tab"}.get(delimiter, shown(delimiter))
            number, line = rows[0]
            raise BadValue(  # only its first cell: the others may hold a key
                f"{where}, line {number}: {shown(line.split(delimiter)[0])} begins what looks like a row of a table, "
                f"with {name} between its cells; none of its columns is called deviceId.",
                hint=HOW_TO_NAME_IDS,
            )


def _cell_count(line: str, delimiter: str) -> int:
    if looks_like_connection_string(line):
        return 1
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:
        return 1


def _unquoted(line: str, where: str) -> str:
    """A line without the quotes around it."""
    if '"' not in line or looks_like_connection_string(line):
        return line
    if len(line) < 2 or line[0] != '"' or line[-1] != '"' or '"' in line[1:-1]:
        raise BadValue(
            f"{where}: {shown(line)} contains a double quote that does not enclose all of it.", hint=HOW_TO_NAME_IDS
        )
    return line[1:-1].strip()
