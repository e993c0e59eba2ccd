"""Cells of results that stand in twins, read for some rows at a time; what was missing is said at the end."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.ids import Address, name_of
from azext_iotjobs.model.text import counted
from azext_iotjobs.model.twin_columns import DEVICES_A_QUERY, TwinColumn
from azext_iotjobs.operations.twin_columns.reader import TwinReader

logger = get_logger(__name__)

Row = dict[str, Any]
Pages = Iterator[tuple[Sequence[Mapping[str, Any]], str]]  # rows, and the token of the next page

MAX_NAMED = 3  # devices without a twin that are named
SLOW_S = 60.0  # from here on it is said that reading takes long


class TwinCells:
    """Puts the cells of the columns into rows."""

    def __init__(self, reader: TwinReader, hub: str | None = None, *, is_silent: bool = False) -> None:
        """hub: that a suggested command has to name; None: what was typed will do.  is_silent: errors alone."""
        self._columns = reader.columns
        self._reader = reader
        self._hub = hub
        self._is_silent = is_silent
        self._expected_s = 0.0
        self._example: Address | None = None  # the first that has a twin
        self._found_count = 0
        self._gone: list[str] = []  # the first of those that have no twin
        self._gone_count = 0
        self._unread_count = 0
        self._trouble: IotJobsError | None = None
        self._is_empty = {each.name: True for each in reader.columns}

    def expect(self, most: int) -> None:
        """Say so when the twins of so many devices take long to read."""
        self._expected_s = self._reader.expected_s(most)
        if self._expected_s > SLOW_S:
            logger.warning(
                "The twins of up to %s take %.0f minutes to read: a third of the queries that the hub allows is used.",
                counted(most, "device"),
                self._expected_s / 60,
            )

    def fill(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """The rows with their cells; those of a device without a twin are empty. Raises HubAnswer, LinkError."""
        given = list(rows)
        found = self._reader.read(map(_address_of, given))
        return [self._filled(row, found) for row in given]

    def fill_pages(self, pages: Pages) -> Pages:
        """Pages of rows with their cells, one after the other; what was missing is said behind the last."""
        line = StatusLine(is_silent=self._is_silent or self._expected_s <= SLOW_S)
        try:
            for rows, token in pages:
                yield self.fill(rows), token
                line.show(f"Twins of {counted(self._found_count + self._gone_count, 'device')} are read")
        finally:
            line.clear()
        self.report()

    @contextmanager
    def holding(self, put: Callable[[Row], object]) -> Iterator[Callable[[Row], None]]:
        """What takes row after row, and hands them on to `put` with their cells: as many at a time as a query reads.

        They are not read again: where twins cannot be read, cells stay empty. At the end what was missing is said.
        """
        held: list[Row] = []

        def hand_on() -> None:
            filled = self._filled_if_possible(held)  # an interrupt leaves them held
            held.clear()
            for row in filled:
                put(row)

        def add(row: Row) -> None:
            held.append(row)
            if len(held) >= DEVICES_A_QUERY:
                hand_on()

        try:
            yield add
        finally:
            hand_on()
            self.report()

    def report(self) -> None:
        """Say which devices have no twin, and which columns no twin has."""
        if self._gone_count:
            logger.warning(
                "%s no twin in the hub, so that these cells are empty: %s%s.",
                counted(self._gone_count, "device has", "devices have"),
                ", ".join(self._gone),
                ", …" if self._gone_count > len(self._gone) else "",
            )
        if self._unread_count:
            why = f": {self._trouble}" if self._trouble else ", since the command was stopped."
            logger.warning("The twins of %s were not read%s", counted(self._unread_count, "device"), why)
        for each in self._columns:
            if self._example is not None and self._is_empty[each.name]:
                self._say_is_empty(each, self._example)

    def _say_is_empty(self, column: TwinColumn, example: Address) -> None:
        kind = "device" if example.module_id is None else "module"
        hub = () if self._hub is None else ("-n", self._hub)
        fields = {name: value for name, value in example._asdict().items() if value is not None}
        logger.warning(
            "%s: no twin of %s has it. What a twin has: %s",
            column.title,
            counted(self._found_count, "device"),
            suggestion(f"iot hub {kind}-twin show", *hub, **fields),
        )

    def _filled_if_possible(self, rows: Sequence[Row]) -> list[Row]:
        if self._trouble is None:
            try:
                return self.fill(rows)
            except IotJobsError as err:
                self._trouble = err
        return [self._filled(row, None) for row in rows]

    def _filled(self, row: Mapping[str, Any], found: Mapping[Address, Mapping[str, Any]] | None) -> Row:
        address = _address_of(row)
        values: Mapping[str, Any] | None = {}
        if found is None:
            self._unread_count += 1
        elif (values := found.get(address)) is None:
            self._gone_count += 1
            if len(self._gone) < MAX_NAMED:
                self._gone.append(name_of(*address))
        else:
            self._found_count += 1
            self._example = self._example or address
            for name in values:
                self._is_empty[name] = False
        return {**row, **{each.name: (values or {}).get(each.name) for each in self._columns}}


def _address_of(row: Mapping[str, Any]) -> Address:
    return Address(row["deviceId"], row["moduleId"])
