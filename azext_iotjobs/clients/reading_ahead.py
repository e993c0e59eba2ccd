"""Read ahead: the hub makes its next page while what it gave before is used."""

import queue
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

from azext_iotjobs.model.errors import IotJobsError

Item = TypeVar("Item")

WAIT_S = 0.5  # at a time: on Windows Ctrl-C is seen between two waits


def read_ahead(items: Iterator[Item], size: int) -> Iterator[Item]:
    """The same items, taken on a thread, `size` at a time, while those before them are used.

    items: from here on nobody else takes of them.  size: 1 or more; a page of the hub's.
    At most two times `size` are in memory, and at most `size` are taken that nobody wants. Raises what they raise.
    """
    reader = _Reader(items, size)
    try:
        while taken := reader.taken():
            yield from taken
    finally:
        reader.end()


class _Reader(Generic[Item]):
    def __init__(self, items: Iterator[Item], size: int) -> None:
        self._items = items
        self._size = size
        self._wishes: queue.SimpleQueue[bool] = queue.SimpleQueue()  # whether more is wanted
        self._made: queue.SimpleQueue[list[Item] | IotJobsError | None] = queue.SimpleQueue()
        self._wishes.put(True)
        threading.Thread(target=self._read, daemon=True).start()

    def taken(self) -> list[Item]:
        """The next ones, [] behind the last; those after them are begun."""
        while True:
            try:
                made = self._made.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            if isinstance(made, IotJobsError):
                raise made
            if made is None:
                raise RuntimeError("reading ahead raised an error; its thread has printed it")
            self._wishes.put(True)
            return made

    def end(self) -> None:
        """Let the thread end; what it waits for is not awaited."""
        self._wishes.put(False)

    def _read(self) -> None:
        while self._wishes.get():
            made: list[Item] | IotJobsError | None = None
            try:
                made = list(islice(self._items, self._size))
            except IotJobsError as err:  # it is raised where the items are used
                made = err
            finally:
                self._made.put(made)
