"""Reads columns of twins for some devices at a time, by queries at a pace. Nothing of a page is kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.clients.twin_column_codec import parse_device_id, parse_values
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.query_pace import PERIOD_S, QueryPace
from azext_iotjobs.model.twin_columns import DEVICES_A_QUERY, TwinColumn, queries

TURN_S = 0.5  # between two looks at the stop flag


class _Stopped(Exception):
    """The stop flag is set, and it was not the time for the next query."""


class TwinReader:
    """Reads twins, as often as it is asked to, within the pace."""

    def __init__(
        self,
        hub: QueriesClient,
        columns: Sequence[TwinColumn],
        pace: QueryPace,
        clock: Clock,
        stop: StopFlag | None = None,
    ) -> None:
        """columns: 1 or more.  pace: of the queries; it counts them.

        stop: once it is set, the time for a query is not waited for.
        """
        self.columns = columns
        self._hub = hub
        self._pace = pace
        self._clock = clock
        self._stop = stop

    def read(self, addresses: Iterable[Address]) -> dict[Address, Mapping[str, Any]] | None:
        """The values of those devices and modules that have a twin; None: it was stopped before all were read.

        Raises HubAnswer, LinkError.
        """
        by_module: dict[str | None, dict[str, None]] = {}
        for each in addresses:
            by_module.setdefault(each.module_id, {})[each.device_id] = None
        found: dict[Address, Mapping[str, Any]] = {}
        try:
            for module_id, ids in by_module.items():
                for text in queries(self.columns, module_id, tuple(ids)):
                    found |= {Address(device, module_id): values for device, values in self._rows(text)}
        except _Stopped:
            return None
        return found

    def expected_s(self, count: int) -> float:
        """Seconds that the queries for so many devices take at least, by their pace."""
        query_count = -(-count // DEVICES_A_QUERY)
        return max(0.0, query_count * self._pace.gap_s - PERIOD_S)  # those of the first minute are made at once

    def _rows(self, text: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        pages = self._hub.run_pages(text)
        while True:
            self._await_turn()
            page = next(pages)
            yield from ((parse_device_id(row), parse_values(row, self.columns)) for row in page.items)
            if not page.next_token:
                return

    def _await_turn(self) -> None:
        while (wait_s := self._pace.wait_s(self._clock.monotonic())) > 0:
            if self._stop is not None and self._stop.is_set():
                raise _Stopped
            self._clock.sleep(min(wait_s, TURN_S))
        self._pace.made(self._clock.monotonic())
