"""Groups of some rows, added up with those of others: a grouped query can be answered slice by slice.

Strategy: each aggregate has parts that add up without loss: a sum is kept as some doubles whose exact sum it is, and is
rounded once, at the end. Only the groups of one page are wanted: when there are very many, those that are behind the
page are not kept, which their sort keys tell.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import Any

from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.functions import sort_key_of
from azext_iotjobs.localhub.query.grouped_sql import SORT_KEY, Group, aggregates_of, key_names
from azext_iotjobs.localhub.query.nodes import Function
from azext_iotjobs.localhub.query.values import exact_terms, total

MAX_GROUPS = 10_000  # that are kept in memory: to sort them takes some milliseconds
FEW_TERMS = 64  # of a sum; more are made fewer

Key = tuple[Any, ...]


class AddedGroups:
    """The groups of one page: at most `count` after the sort key `after`.

    add: with rows of `group_parts_sql`, once for each row that the query selects.
    """

    def __init__(self, query: nodes.Query, *, after: str, count: int, max_groups: int = MAX_GROUPS) -> None:
        self._keys = key_names(query)
        self._functions = [each.function for each in aggregates_of(query)]
        self._after = after
        self._count = count
        self._max_groups = max(max_groups, 2 * count)
        self._behind: str | None = None  # sort keys from this one on are behind the page
        self._groups: dict[Key, tuple[str, list[_Aggregate]]] = {}  # by key: the sort key, and what is added up
        self._others: set[Key] = set()  # known not to be on the page
        if not self._keys:  # one group, even without rows
            self._groups[()] = (sort_key_of(), self._begin())

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, groups: Iterable[sqlite3.Row]) -> None:
        """groups: of `group_parts_sql`."""
        for group in groups:
            key = tuple(group[name] for name in self._keys)
            if (found := self._groups.get(key)) is None and (found := self._new(key)) is None:
                continue
            for number, aggregate in enumerate(found[1]):
                aggregate.add(group[f"made{number}"])

    def page(self) -> list[Group]:
        """The groups of the page, in the order of their sort keys, as rows of `grouped_sql`."""
        chosen = nsmallest(self._count, self._groups.items(), key=lambda item: item[1][0])
        return [
            {
                SORT_KEY: sort_key,
                **dict(zip(self._keys, key, strict=True)),
                **{f"made{number}": aggregate.value() for number, aggregate in enumerate(made)},
            }
            for key, (sort_key, made) in chosen
        ]

    def _new(self, key: Key) -> "tuple[str, list[_Aggregate]] | None":
        """A group that is met for the first time; None for one that is not on the page."""
        if key in self._others:
            return None
        sort_key = sort_key_of(*key)
        if sort_key <= self._after or (self._behind is not None and sort_key >= self._behind):
            if len(self._others) >= self._max_groups:
                self._others.clear()
            self._others.add(key)
            return None
        if len(self._groups) >= self._max_groups:
            self._drop_those_behind()
            return self._new(key)
        self._groups[key] = new = (sort_key, self._begin())
        return new

    def _drop_those_behind(self) -> None:
        """Keep half of the groups: the page is among these, whatever else is found."""
        in_order = sorted(self._groups.items(), key=lambda item: item[1][0])
        kept = self._max_groups // 2
        self._behind = in_order[kept][1][0]
        self._groups = dict(in_order[:kept])

    def _begin(self) -> "list[_Aggregate]":
        return [_MADE[function]() for function in self._functions]


class _Aggregate:
    """What an aggregate is of the rows so far."""

    def __init__(self) -> None:
        self._value: Any = None

    def add(self, part: Any) -> None:
        """That of other rows; None: there is none."""
        if part is not None:
            self._value = part if self._value is None else self._joined(self._value, part)

    def value(self) -> Any:
        """The value in a result; None: undefined."""
        return self._value

    def _joined(self, value: Any, part: Any) -> Any:
        raise NotImplementedError


class _Count(_Aggregate):
    def _joined(self, value: int, part: int) -> int:
        return value + part

    def value(self) -> int:
        return self._value or 0


class _Least(_Aggregate):
    def _joined(self, value: Any, part: Any) -> Any:
        return min(value, part)


class _Greatest(_Aggregate):
    def _joined(self, value: Any, part: Any) -> Any:
        return max(value, part)


class _Sum(_Aggregate):
    """A part is a JSON array: of how many numbers, and the terms of their sum."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = 0
        self._terms: list[float] = []
        self._most_terms = FEW_TERMS

    def add(self, part: Any) -> None:
        if part is None:
            return
        numbers, *terms = json.loads(part)
        self._numbers += numbers
        self._terms += terms
        if len(self._terms) > self._most_terms:
            self._terms = exact_terms(self._terms)
            self._most_terms = max(FEW_TERMS, 2 * len(self._terms))

    def value(self) -> float | None:
        return total(self._terms) if self._numbers else None


class _Average(_Sum):
    def value(self) -> float | None:
        whole = super().value()
        return None if whole is None else whole / self._numbers


_MADE: dict[Function, Callable[[], _Aggregate]] = {
    Function.COUNT: _Count,
    Function.SUM: _Sum,
    Function.AVG: _Average,
    Function.MIN: _Least,
    Function.MAX: _Greatest,
}
