"""A copy of a store that is killed, at each point at which it changes or stores anything, loses no schedule.

The process is a real one and ends by SIGKILL. Whatever is stored then, the schedule is set in one store at most, its
text is in one of them, and the same copy, made again, completes it.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.postgres.place import parse_place
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import ConflictingChoice, NotFound
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.text import command
from azext_iotjobs.operations.fleet_job.schedule import saved
from azext_iotjobs.operations.fleet_job.store_copy import CopiedJob, StoreCopy
from tests.fleet_job.store.test_contract import NOW, save
from tests.helpers.killable_process import KILLED, needs_fork
from tests.helpers.postgres_server import PostgresServer
from tests.helpers.short_form import some
from tests.operations.fleet_job.test_store_copy import DAILY

pytestmark = needs_fork
SET = command("iot hub fleet-job schedule set")


def opened(place: str) -> SqlStore:
    if not place.startswith("postgresql:"):
        return SqliteStore.open(Path(place))
    from azext_iotjobs.fleet_job.store.contract import Access
    from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore

    return PostgresStore.open(parse_place(place), Access.MAKE)


def copied(source: SqlStore, target: SqlStore, name: str = "there") -> list[CopiedJob]:
    copying = StoreCopy(source, True, lambda _: SET, lambda: NOW)
    return list(copying.into(target, copying.chosen(), name))


class KilledAt:
    """Ends this process at the n-th point, counted from 1."""

    def __init__(self, number: int) -> None:
        """number: 0: never."""
        self.passed = 0
        self._number = number

    def point(self) -> None:
        self.passed += 1
        if self.passed == self._number:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, store: SqlStore) -> None:
        """Have points around whatever a store changes, and before and after it is stored."""
        database: Any = store.database
        begin = database.transaction
        depth = 0

        @contextmanager
        def transaction(of_run: int | None = None) -> Iterator[None]:
            nonlocal depth
            with begin(of_run):
                depth += 1
                try:
                    yield
                finally:
                    depth -= 1
                if not depth:
                    self.point()
            if not depth:
                self.point()

        def changing(change: Callable[..., Any]) -> Callable[..., Any]:
            def changed(*given: Any) -> Any:
                result = change(*given)
                self.point()
                return result

            return changed

        database.transaction = transaction
        for name in ("change", "change_many"):
            setattr(database, name, changing(getattr(database, name)))


def copy_until_killed(source: str, target: str, number: int) -> None:
    """The program of the process."""
    killed = KilledAt(number)
    stores = opened(source), opened(target)
    for each in stores:
        killed.watch(each)
    copied(*stores)
    os._exit(0)


def killed_copy(source: str, target: str, number: int) -> bool:
    """Copy in a process that is killed at its n-th point; gives whether it came so far."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    process = context.Process(target=copy_until_killed, args=(source, target, number))
    process.start()
    process.join(60)
    assert process.exitcode in (KILLED, 0)
    return process.exitcode == KILLED


def places(kinds: str, folder: Path, request: pytest.FixtureRequest) -> tuple[str, str]:
    def place(kind: str, name: str) -> str:
        if kind == "file":
            return str(folder / name)
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.url()

    first, second = kinds.split(" to ")
    return place(first, "a"), place(second, "b")


def fill(store: SqlStore) -> StoredSchedule:
    """A fleet job with a schedule, and one without; gives the schedule."""
    save(store)
    save(store, "plain")
    return store.schedules.save("job", DAILY, at=NOW, by="ann", store_key="abcdefgh")


def points(kinds: str, folder: Path, request: pytest.FixtureRequest) -> list[int]:
    """Numbers of the points at which a copy is killed: all from a file to a file, else some in short."""
    killed = KilledAt(0)
    with ExitStack() as stack:
        paths = places(kinds, folder / "whole", request)
        source, target = (stack.enter_context(closing(opened(each))) for each in paths)
        fill(source)
        for each in (source, target):
            killed.watch(each)
        copied(source, target)
    numbers = range(1, killed.passed + 1)
    return list(numbers) if kinds == "file to file" else some(numbers, 6, kinds)


@pytest.mark.parametrize("kinds", ["file to file", "file to server", "server to file"])
def test_no_kill_loses_a_schedule_and_the_copy_made_again_completes_it(
    kinds: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    stages: set[tuple[bool, ...]] = set()
    for number in points(kinds, tmp_path, request):
        paths = places(kinds, tmp_path / str(number), request)
        with closing(opened(paths[0])) as source, closing(opened(paths[1])) as target:
            schedule = fill(source)
            assert killed_copy(*paths, number)
            aside = source.schedules.moving("job")
            found = [source.schedules.get("job"), None if aside is None else aside.stored, target.schedules.get("job")]
            stages.add(tuple(each is not None for each in found))
            assert found[0] is None or found[2] is None, f"point {number}: two stores would start each occurrence"
            assert {each for each in map(repr, found) if each != "None"} == {repr(schedule)}, f"point {number}"
            if aside is not None:
                with pytest.raises(NotFound, match="is on its way to there"):
                    saved.get(source, "job")
            if found[:2] == [None, None]:  # it has moved; what is left is copied as after any error
                with pytest.raises(ConflictingChoice, match="A fleet job job already exists"):
                    copied(source, target)
            else:
                assert [each.fleet_job_id for each in copied(source, target)] == ["job", "plain"]
            moved = source.schedules.get("job"), source.schedules.moving("job"), target.schedules.get("job")
            assert moved == (None, None, schedule), f"point {number}"
    assert kinds != "file to file" or stages == {
        (True, False, False),
        (False, True, False),
        (False, True, True),
        (False, False, True),
    }


def test_a_schedule_on_its_way_into_one_store_is_not_moved_into_another(tmp_path: Path) -> None:
    source, one, other = (SqliteStore.open(tmp_path / each) for each in "abc")
    save(source)
    source.schedules.save("job", DAILY, at=NOW, by="ann", store_key="abcdefgh")
    source.schedules.give_up("job", "one")
    with pytest.raises(
        ConflictingChoice, match="^copy_from: The schedule of fleet job job is on its way to one: "
    ) as err:
        copied(source, other, "other")
    assert "az iot hub fleet-job schedule set" in str(err.value.hint)
    assert other.definitions.list_all() == [] and source.schedules.moving("job") is not None
    assert copied(source, one, "one")[0].has_schedule
    assert one.schedules.get("job") is not None and source.schedules.moving("job") is None
    for each in (source, one, other):
        each.close()


@pytest.mark.parametrize("how", ["set", "remove"])
def test_who_sets_or_removes_it_has_decided(tmp_path: Path, how: str) -> None:
    store = SqliteStore.open(tmp_path)
    save(store)
    store.schedules.save("job", DAILY, at=NOW, by="ann", store_key="abcdefgh")
    store.schedules.give_up("job", "one")
    if how == "set":
        saved.set_schedule(store, "job", DAILY, by="bob", at=NOW, new_key=lambda: "hgfedcba")
    else:
        store.schedules.remove("job")
    assert store.schedules.moving("job") is None and (store.schedules.get("job") is not None) is (how == "set")
    store.close()
