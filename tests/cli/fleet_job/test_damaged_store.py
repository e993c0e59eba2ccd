"""A fleet store whose file was damaged: every command works, or ends in one error that says what is wrong.

The short form is the same on every run; IOTJOBS_TORTURE=1 flips many more bytes. A failure prints the mutation.
"""

import itertools
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.commands import table_of
from azext_iotjobs.cli.fleet_job import groups, read, results
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.output.hints import spelled
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.fleet_job.store.sqlite.schema import MIGRATIONS
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.fleet_job.store.stored_json import render_answer
from azext_iotjobs.model.errors import IotJobsError, StateDamaged
from azext_iotjobs.model.fleet_job import Definition, Driver
from azext_iotjobs.model.gates import GateAnswer, Gates, QueryGate
from azext_iotjobs.model.rollout import Retry, RetryWhen, parse_batch_sizes
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.share import parse_share
from azext_iotjobs.operations.fleet_job import definitions as operation
from azext_iotjobs.operations.fleet_job import run_loop
from tests.helpers.fleet_job_hub_double import StopDouble, World, definition_of
from tests.helpers.fleet_job_setup import METHOD, failing, ids, threshold
from tests.helpers.short_form import IN_FULL

FLIPS, CUTS, DOCUMENTS = (2_000, 60, 10_000) if IN_FULL else (16, 3, 12)
NAMES = itertools.cycle(["job", "other"])  # by calls, by jobs: in turn, where both would take long
THIRDS = itertools.cycle(range(3))  # of the commands that change something: in turn too
CMD = SimpleNamespace(cli_ctx=SimpleNamespace(only_show_errors=True, config=SimpleNamespace(get=lambda *_, **__: None)))
ODD_VALUES: list[Any] = [
    None,
    -1,
    10**15,
    1.5,
    float("inf"),
    "",
    "stepping",
    "\x00",
    b"\xff\xfe",
    "{",
    "[]",
    "{}",
    "[1, 2]",
    '"text"',
    "null",
    '{"a": ' * 5_000,
    "9" * 5_000,
]

Mutation = tuple[str, Callable[[Path], None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with everything in it: runs that are completed, stopped and running, by calls and by jobs; groups."""
    folder = tmp_path_factory.mktemp("whole") / "state"
    for driver, name in ((Driver.CALLS, "job"), (Driver.JOBS, "other")):
        world = World(folder, fails=failing("d001", "d003"), counts=lambda query: 0)
        store = world.open()
        retry = Retry(tries={"offline": 1}, when=RetryWhen.AT_END)
        query = QueryGate(condition="tags.alarm = true", most=parse_share("5", "max"))
        rollout: dict[str, Any] = {
            "sizes": parse_batch_sizes("3", "--batch"),
            "threshold": threshold("90%", min_sample=2),
            "retry": retry,
            "gates": Gates(success=parse_share("30%", "success"), query=query),
        }
        definition = definition_of(METHOD, ids(6), driver, **rollout)
        job = world.save(store, definition, name)
        run = world.new_run(store, job)
        run_loop.execute(run, world.context(store))
        run_loop.execute(world.new_run(store, job), world.context(store, StopDouble(after=2)))
        words = frozenset({"failed"})
        made = operation.rerun(store, store.runs.get(name, 1), words, f"{name}-again", by="me", at=world.clock.now())
        world.new_run(store, made)
        answer = render_answer(GateAnswer(is_approved=True, by="ann", reason=None, at=world.clock.now()))
        store.database.change("UPDATE batch SET answer = ? WHERE gated_at IS NOT NULL", (answer,))
        store.groups.save(job.host, "north", "tags.site = 'north'")
        store.close()
    return folder


def context_of(folder: Path, *, reads: bool = True) -> FleetJobContext:
    return FleetJobContext(None, {}, str(folder), None, access=Access.READ if reads else Access.CHANGE)


def reading(folder: Path, name: str) -> list[tuple[str, Callable[[], Any]]]:
    """The commands that only read."""
    return [
        ("list", lambda: read.list_fleet_jobs(CMD, context_of(folder))),
        ("show", lambda: read.show(CMD, context_of(folder), name)),
        ("list-runs", lambda: read.list_runs(CMD, context_of(folder), name)),
        ("results", lambda: results.show_results(CMD, context_of(folder), name, run=1)),
        ("group list", lambda: groups.list_groups(CMD, context_of(folder))),
    ]


def changing(folder: Path, name: str, tmp_path: Path) -> list[tuple[str, Callable[[], Any]]]:
    """The commands that change something, each on a copy of its own."""

    def on_copy(do: Callable[[World, SqliteStore, Path], Any]) -> Callable[[], Any]:
        def run() -> Any:
            copy = tmp_path / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder, copy, symlinks=True)
            world = World(copy, counts=lambda query: 0)
            store = SqliteStore.open(copy, Access.CHANGE)
            store.database.change("PRAGMA synchronous=OFF")  # no machine loses its power here
            try:
                return do(world, store, copy)
            finally:
                store.close()

        return run

    def definition(store: SqliteStore) -> Definition:
        return store.definitions.get(name).definition

    def resume(world: World, store: SqliteStore, _: Path) -> Any:
        run = store.runs.get(name)
        return run_loop.resume(run, world.context(store, StopDouble(after=50)))

    def run_anew(world: World, store: SqliteStore, _: Path) -> Any:
        job = store.definitions.get(f"{name}-again")
        run = world.new_run(store, job)
        return run_loop.execute(run, world.context(store, StopDouble(after=50)))

    def cancel(world: World, store: SqliteStore, _: Path) -> Any:
        run = store.runs.get(name)
        return run_loop.cancel(run, world.context(store), by="me", reason=None)

    def rerun(world: World, store: SqliteStore, _: Path) -> Any:
        words = frozenset({"failed"})
        return operation.rerun(store, store.runs.get(name, 1), words, None, by="me", at=world.clock.now())

    return [
        ("resume", on_copy(resume)),
        ("run", on_copy(run_anew)),
        ("cancel", on_copy(cancel)),
        ("rerun", on_copy(rerun)),
        ("copy", on_copy(lambda w, s, _: operation.copy(s, name, None, "h", by="me", at=w.clock.now()))),
        (
            "update",
            on_copy(
                lambda w, s, _: operation.edit(
                    s, name, Definition(action=METHOD, targets=definition(s).targets), by="me", at=w.clock.now()
                )
            ),
        ),
        ("delete", on_copy(lambda _, s, __: operation.delete(s, name))),
        ("prune", on_copy(lambda w, s, _: operation.prune(s, 30, w.clock.now() + timedelta(days=90)))),
        ("group delete", on_copy(lambda _, s, __: s.groups.delete("h.example", "north"))),
    ]


def commands(folder: Path, name: str, tmp_path: Path) -> list[tuple[str, Callable[[], Any]]]:
    """All in full; in short those that read, and a third of the others."""
    changes = changing(folder, name, tmp_path)
    return [*reading(folder, name), *(changes if IN_FULL else changes[next(THIRDS) :: 3])]


def try_all(folder: Path, tmp_path: Path, what: str) -> int:
    """Run the commands; gives how many ended in an error. Fails for an exception that is not ours."""
    errors = 0
    path = folder / FILE_NAME
    before = path.read_bytes() if path.is_file() else b""
    for name in ("job", "other") if IN_FULL else (next(NAMES),):
        for verb, command in commands(folder, name, tmp_path):
            try:
                result = command()
                if verb in ("list", "show", "list-runs", "results"):
                    json.dumps(result)
                    table_of(f"iot hub fleet-job {verb}", result)
            except IotJobsError as err:
                errors += 1
                if isinstance(err, StateDamaged):
                    assert FILE_NAME in str(err) and err.hint is not None and " mv " in err.hint, (
                        f"{what}, {verb}: {err}"
                    )
            except Exception as err:  # noqa: BLE001 — which mutation it was is what a reader needs
                pytest.fail(f"{what}; {verb} -j {name}: {type(err).__name__}: {err}")
        assert not path.is_file() or path.read_bytes() == before, f"{what}: reading has changed the file"
    return errors


def fields(folder: Path) -> Iterator[tuple[str, str]]:
    """Every column of every table."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as raw:
        tables = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if not table.startswith("sqlite_"):
                for row in raw.execute(f"PRAGMA table_info({table})"):
                    yield table, row[1]


def altered(path: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """Change rows as no program of ours would: no rule of the tables holds."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        for statement, values in statements:
            raw.execute(statement, values)


def loosened(path: Path) -> None:
    """Take NOT NULL away, in the schema's own text."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        version = raw.execute("PRAGMA schema_version").fetchone()[0]
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'")
        raw.execute(f"PRAGMA schema_version = {version + 1}")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Callable[[], Path]:
    def copy() -> Path:
        target = tmp_path / "damaged"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
        return target

    return copy


def test_the_store_that_is_damaged_here_is_whole_before(copied: Callable[[], Path], tmp_path: Path) -> None:
    target, turns = copied(), 1 if IN_FULL else 6  # every command of both
    # The pending run of the rerun refuses another one.
    assert sum(try_all(target, tmp_path, "nothing") for _ in range(turns)) == 2
    store = SqliteStore.open(target)
    assert {run.state for name in ("job", "other") for run in store.runs.list_all(name)} == {
        RunState.COMPLETED,
        RunState.STOPPED,
    }
    store.close()


def test_a_value_of_another_kind_in_any_column_is_no_raw_exception(
    copied: Callable[[], Path], folder: Path, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6) if IN_FULL else 1
    dice = random.Random(seed)
    errors = 0
    for table, column in fields(folder):
        for value in ODD_VALUES if IN_FULL else dice.sample(ODD_VALUES, 1):
            target = copied()
            loosened(target / FILE_NAME)
            what = f"seed {seed}: {table}.{column} = {value!r:.40}"
            try:
                altered(target / FILE_NAME, (f"UPDATE OR REPLACE {table} SET {column} = ?", (value,)))
            except sqlite3.Error:  # its triggers need the other one
                continue
            errors += try_all(target, tmp_path, what)
    assert errors > 50


def documents(value: Any) -> Iterator[Any]:
    """A JSON value with each of its members, one after the other, left out or made another kind."""
    if isinstance(value, dict):
        for name, inner in value.items():
            rest = {key: item for key, item in value.items() if key != name}
            yield rest
            yield from ({**value, name: odd} for odd in (None, "odd", 7, [], {}, [1], {"a": 1}, True))
            yield from ({**value, name: changed} for changed in documents(inner))
        yield {**value, "unknown": 1}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield [*value[:index], *value[index + 1 :]]
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in documents(inner))
    yield from ([], {}, "odd", 7, None)


@pytest.mark.parametrize(
    ("table", "column"), [("definition", "document"), ("run", "delivery"), ("fleet_job", "origin")]
)
def test_a_document_with_a_member_of_another_kind_is_no_raw_exception(
    copied: Callable[[], Path], folder: Path, tmp_path: Path, table: str, column: str
) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as raw:
        text = raw.execute(f"SELECT max({column}) FROM {table}").fetchone()[0]
    changed = [json.dumps(each) for each in documents(json.loads(text))]
    changed = random.Random(2).sample(changed, min(DOCUMENTS, len(changed)))
    errors = 0
    for each in changed:
        target = copied()
        altered(target / FILE_NAME, (f"UPDATE {table} SET {column} = ?", (each,)))
        errors += try_all(target, tmp_path, f"{table}.{column} = {each}")
    assert errors > len(changed) / 2


def test_flipped_bytes_and_cut_files_are_no_raw_exception(
    copied: Callable[[], Path], folder: Path, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6) if IN_FULL else 3
    dice = random.Random(seed)
    whole = (folder / FILE_NAME).read_bytes()
    for number in range(FLIPS):
        target, content = copied(), bytearray(whole)
        places = [dice.randrange(100 if number % 4 == 0 else len(content)) for _ in range(dice.choice((1, 1, 3, 30)))]
        for place in places:
            content[place] ^= 1 << dice.randrange(8)
        (target / FILE_NAME).write_bytes(content)
        try_all(target, tmp_path, f"seed {seed}: bytes {places[:5]} of flip {number}")
    for size in [0, 1, 15, 100, *(dice.randrange(len(whole)) for _ in range(CUTS))]:
        target = copied()
        (target / FILE_NAME).write_bytes(whole[:size])
        try_all(target, tmp_path, f"seed {seed}: cut at {size}")


def running(sql: str) -> Callable[[Path], None]:
    return lambda path: altered(path, (sql, ()))


def holding(content: bytes) -> Callable[[Path], None]:
    def mutate(path: Path) -> None:
        path.write_bytes(content)

    return mutate


def in_its_place(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def mutate(path: Path) -> None:
        path.unlink()
        make(path)

    return mutate


def structures(folder: Path) -> Iterator[Mutation]:
    with closing(sqlite3.connect(folder / FILE_NAME)) as raw:
        things = raw.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    for kind, name in things:
        yield f"no {kind} {name}", running(f"DROP {kind} {name}")
    for table, column in fields(folder):
        yield f"no column {table}.{column}", running(f"ALTER TABLE {table} RENAME COLUMN {column} TO was_{column}")
    for version in (len(MIGRATIONS) + 1, 10**6, 0, 1, -5):
        yield f"format {version}", running(f"PRAGMA user_version = {version}")
    for content in (b"no database\n" * 500, b"SQLite format 3\0" + b"\xff" * 4096, b"\x00" * 8192):
        yield f"content {content[:12]!r}", holding(content)
    yield "a folder", in_its_place(Path.mkdir)
    yield "a pipe", in_its_place(os.mkfifo)
    yield "a link to nothing", in_its_place(lambda path: path.symlink_to(path.parent / "gone"))


def test_tables_columns_and_formats_that_are_not_there_are_no_raw_exception(
    copied: Callable[[], Path], folder: Path, tmp_path: Path
) -> None:
    errors = 0
    for what, mutate in structures(folder):
        target = copied()
        mutate(target / FILE_NAME)
        if what == "a pipe":  # it cannot be copied for the commands that change something
            with pytest.raises(IotJobsError, match="it is not a file"):
                read.list_fleet_jobs(CMD, context_of(target))
            continue
        errors += try_all(target, tmp_path, what)
    assert errors > 100


def test_what_is_intact_can_be_saved_beside_what_is_damaged(copied: Callable[[], Path], tmp_path: Path) -> None:
    target = copied()
    altered(target / FILE_NAME, ("UPDATE definition SET document = '{' WHERE fleet_job = 'job'", ()))
    with pytest.raises(StateDamaged) as raised:
        read.list_fleet_jobs(CMD, context_of(target))
    assert "definition" in str(raised.value) or "fleet_job (id 'job'" in str(raised.value)
    assert "iot hub fleet-job results -j ID --output-file ID.csv" in spelled(raised.value.hint or "")
    assert len(results.show_results(CMD, context_of(target), "other", run=1) or []) == 6
