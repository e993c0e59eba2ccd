"""Reading ahead: the same items in their order, a page before they are needed and no more; errors; ending early."""

import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from azext_iotjobs.clients.reading_ahead import read_ahead
from azext_iotjobs.model.errors import LinkLost
from tests.helpers.waiting import wait_until


class Pages:
    """Numbers from 1, and how far they were taken."""

    def __init__(self, last: int, breaks_behind: int | None = None) -> None:
        self.taken = 0
        self._last = last
        self._breaks_behind = breaks_behind

    def __iter__(self) -> Iterator[int]:
        while self.taken < self._last:
            if self.taken == self._breaks_behind:
                raise LinkLost("the hub is gone")
            self.taken += 1
            yield self.taken


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 100])
def test_all_items_come_in_their_order(count: int) -> None:
    assert list(read_ahead(iter(Pages(count)), 10)) == list(range(1, count + 1))


def test_one_page_is_taken_before_it_is_needed_and_not_two() -> None:
    pages = Pages(100)
    items = read_ahead(iter(pages), 10)
    assert next(items) == 1
    wait_until("the second page is taken", lambda: pages.taken == 20)
    assert list(islice(items, 9)) == list(range(2, 11))
    assert pages.taken == 20


def test_what_came_before_an_error_is_there_and_then_it_is_raised() -> None:
    items = read_ahead(iter(Pages(100, breaks_behind=20)), 10)
    assert list(islice(items, 20)) == list(range(1, 21))
    with pytest.raises(LinkLost, match="the hub is gone"):
        next(items)


def test_the_thread_ends_with_who_stops_early() -> None:
    before = set(threading.enumerate())  # some of other tests may be ending
    items = read_ahead(iter(Pages(10**9)), 10)
    next(items)
    (thread,) = set(threading.enumerate()) - before
    items.close()  # type: ignore[attr-defined]
    wait_until("the thread has ended", lambda: not thread.is_alive())
