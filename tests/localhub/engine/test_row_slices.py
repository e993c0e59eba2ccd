"""Slices are as large as others can wait for, and an index that leads to most rows is not asked for each."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from azext_iotjobs.localhub.engine.index_keeper import Found, IndexKeeper
from azext_iotjobs.localhub.engine.row_slices import FEWEST, LONG_S, RowSlices
from azext_iotjobs.localhub.engine.selector import SOURCES
from azext_iotjobs.localhub.query.lookups import Lookup
from azext_iotjobs.localhub.query.nodes import Collection
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.path_index import PathIndex
from azext_iotjobs.localhub.store.twins import Twins

DEVICES = 1000
RING = ("tags", "ring")


class Counted(IndexKeeper):
    """An index that counts how often it is asked."""

    asked = 0

    async def found(self, lookup: Lookup, *, after: int, count: int) -> Found | None:
        self.asked += 1
        return await super().found(lookup, after=after, count=count)


@pytest.fixture
def index() -> Iterator[Counted]:
    """Of devices of which one in a hundred is in another ring than the others."""
    with closing(Database(None)) as database:
        identities = Identities(database, Twins(database))
        for number in range(DEVICES):
            twin = replace(
                new_twin("2026-05-01T08:00:00.0000000Z"), tags={"ring": "rare" if number % 100 == 7 else "1"}
            )
            identities.create(Identity(device_id=f"d{number}", generation_id="g", etag=7, sign_in="sas"), twin)
        paths = PathIndex(database)
        paths.want([RING])
        while paths.grow(DEVICES):
            pass
        yield Counted(paths)


def slices(index: IndexKeeper | None, key: bytes = b"1", *, rows: int = 10, first: int = 10) -> RowSlices:
    return RowSlices(
        SOURCES[Collection.DEVICES],
        (Lookup(RING, (key,)),),
        index,
        after=0,
        last=DEVICES,
        rows_at_once=rows,
        first=first,
    )


def all_of(slices: RowSlices, took_s: float = LONG_S / 2) -> list[tuple[int | str, ...]]:
    """The values of their conditions."""

    async def read() -> list[tuple[int | str, ...]]:
        found = []
        while not slices.is_over:
            found.append((await slices.next()).values)
            slices.took(took_s)
        return found

    return asyncio.run(read())


def test_without_an_index_they_are_all_rows_in_a_row() -> None:
    assert all_of(slices(None, rows=400)) == [(0, 400), (400, 800), (800, 1200)]


def test_those_that_take_long_become_smaller_and_grow_again() -> None:
    long = all_of(slices(None, rows=400), took_s=2 * LONG_S)
    assert long[:4] == [(0, 400), (400, 600), (600, 600 + FEWEST), (700, 800)]
    some = slices(None, rows=400)
    some.took(2 * LONG_S)
    assert all_of(some, took_s=0)[:2] == [(0, 200), (200, 600)]


def test_of_what_few_have_they_are_these_rows_alone(index: Counted) -> None:
    assert all_of(slices(index, b"rare", rows=8)) == [("[8, 108, 208, 308, 408, 508, 608, 708]",), ("[808, 908]",)]


def test_a_page_begins_with_as_many_as_it_has(index: Counted) -> None:
    assert all_of(slices(index, b"rare", rows=8, first=1)) == [
        ("[8]",),
        ("[108, 208, 308, 408]",),
        ("[508, 608, 708, 808, 908]",),
    ]


def test_an_index_that_leads_to_most_rows_is_not_asked_for_each_slice(index: Counted) -> None:
    found = all_of(slices(index))
    assert [(begin, end) for begin, end in zip(found, found[1:], strict=False) if begin[1] != end[0]] == []
    assert (found[0][0], len(found)) == (0, DEVICES / 10)
    assert index.asked < len(found) / 8
