"""A server as a store: its formats, roles, clock and locks, and connections that are lost."""

import re
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.contract import Access, ResultFilter
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.fleet_job.store.postgres.schema import MIGRATIONS
from azext_iotjobs.fleet_job.store.sql import device_rows, hub_job_rows, verifying_rows, waiting_rows
from azext_iotjobs.fleet_job.store.sql.database import RowsChange
from azext_iotjobs.fleet_job.store.sql.lease import LEASE_S
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.errors import (
    LeaseHeld,
    LeaseLost,
    StateBusy,
    StateTooNew,
    StateUnreachable,
    StateUnusable,
)
from azext_iotjobs.model.fleet_job import Delivery
from azext_iotjobs.model.occurrence import OccurrenceState
from azext_iotjobs.model.run import RequestKind, StopRequest
from azext_iotjobs.model.run_state import RunEvent
from tests.fleet_job.store.test_contract import HOLDER, NOW, OTHER, ended, failed, new_run, save
from tests.helpers.cut_connection import CutConnection, cut_connection
from tests.helpers.postgres_server import PostgresServer, postgres_server
from tests.helpers.stores import skip_without_postgres

Opened = Callable[..., SqlStore]


@pytest.fixture
def opened(postgres: PostgresServer) -> Iterator[Opened]:
    """Opens stores, by their URLs, and closes them."""
    from azext_iotjobs.fleet_job.store.postgres.database import PostgresDatabase
    from azext_iotjobs.fleet_job.store.postgres.place import parse_place
    from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore

    found: list[SqlStore] = []

    def open_one(url: str, access: Access = Access.MAKE, ahead_s: float | None = None) -> SqlStore:
        place = parse_place(url)
        if ahead_s is None:
            found.append(PostgresStore.open(place, access))
        else:
            found.append(SqlStore(PostgresDatabase(place, access, clock=lambda: time.time() + ahead_s)))
        return found[-1]

    yield open_one
    for each in found:
        each.close()


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.url()


def begun(store: SqlStore) -> LeasedRun:
    save(store)
    leased = store.take_lease(new_run(store), HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    return leased


# -- formats and rights ------------------------------------------------------------------------------------------------


def test_a_store_that_nobody_has_made_is_empty_until_somebody_does(opened: Opened, url: str) -> None:
    for access in (Access.READ, Access.CHANGE, Access.PLAN):
        assert opened(url, access).definitions.list_all() == []
    early = opened(url, Access.READ)
    assert not early.database.is_there
    save(opened(url))
    assert early.database.is_there and len(opened(url, Access.READ).definitions.list_all()) == 1


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(
    opened: Opened, url: str, postgres: PostgresServer
) -> None:
    save(opened(url))
    schema = url.rpartition("=")[2]
    postgres.sql(f"INSERT INTO {schema}.store_format (version) VALUES (99)")
    known = f"has format 99; this version knows formats up to {len(MIGRATIONS)}. Nothing was changed"
    with pytest.raises(StateTooNew, match=known):
        opened(url)
    assert postgres.sql(f"SELECT count(*) FROM {schema}.fleet_job") == "1"


def test_several_that_make_it_at_once_all_get_it(opened: Opened, url: str) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(opened(url).groups.list_all()))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert found == [0] * 8


def test_who_may_only_read_is_told_so_and_changes_nothing(opened: Opened, url: str, postgres: PostgresServer) -> None:
    save(opened(url))
    schema = url.rpartition("=")[2]
    postgres.sql(
        f"CREATE ROLE see_{schema} LOGIN; GRANT USAGE ON SCHEMA {schema} TO see_{schema}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO see_{schema}"
    )
    looking = opened(postgres.url(schema, f"see_{schema}"), Access.CHANGE)
    assert len(looking.definitions.list_all()) == 1
    with pytest.raises(StateUnusable, match="does not let this role do that: permission denied"):
        looking.groups.save("h", "north", "*")
    with pytest.raises(StateUnusable, match="does not let this role do that"):
        opened(postgres.url(user=f"see_{schema}"))
    with pytest.raises(StateUnusable, match="may only be read"):
        opened(url, Access.READ).groups.save("h", "north", "*")
    assert looking.groups.list_all() == []


@pytest.fixture
def team(postgres: PostgresServer, opened: Opened) -> Iterator[Callable[[str], str]]:
    """A store with the roles of the page about it: gives the URL for a user with a role."""
    name = f"team{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {name}")
    url = postgres.url("iotjobs").replace("/postgres?", f"/{name}?")
    save(opened(url))
    page = (Path(__file__).parents[4] / "docs/how-to/team-store.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    (roles_made,) = (each for each in blocks if "CREATE ROLE" in each)
    (granted,) = (each for each in blocks if "GRANT" in each)
    for statements in (roles_made, granted, granted):  # they may be repeated
        postgres.sql(statements, name)

    def of(role: str) -> str:
        postgres.sql(f"CREATE USER u_{role} IN ROLE {role}")
        return url.replace("me@", f"u_{role}@")

    yield of
    roles = ("fleet_define", "fleet_run", "fleet_see")
    for each in (*(f"u_{each}" for each in roles), *roles):
        if postgres.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{each}'"):
            postgres.sql(f"DROP OWNED BY {each}", name)
            postgres.sql(f"DROP ROLE {each}")


def test_roles_of_the_documents_let_see_run_and_define_and_each_change_has_its_role(
    opened: Opened, team: Callable[[str], str]
) -> None:
    see, run, define = (opened(team(each)) for each in ("fleet_see", "fleet_run", "fleet_define"))
    with pytest.raises(StateUnusable, match="does not let this role"):
        new_run(see)
    leased = run.take_lease(new_run(run), HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    leased.devices.write(NOW, ended=[failed(1)])
    request = StopRequest(kind=RequestKind.STOP, by="ann@here", reason=None, at=NOW)
    with pytest.raises(StateUnusable):
        see.runs.request_stop(see.runs.get("job"), request)
    run.runs.request_stop(run.runs.get("job"), request)
    leased.end(RunEvent.STOP, NOW, reason=None, by="ann@here")
    with pytest.raises(StateUnusable):
        save(run, "other")
    save(define, "other")
    define.groups.save("h", "north", "*")
    assert define.history.prune(NOW + timedelta(days=1)) == 1
    assert see.runs.last("job") is None and len(see.definitions.list_all()) == 2
    log = see.database.rows("SELECT role, change, subject, detail FROM change_log ORDER BY number")
    assert [(each[0], each[1], each[2], each[3]) for each in log] == [
        ("me", "insert definition", "job", "version 1 by ann"),
        ("u_fleet_run", "insert run", "job run 1", "pending"),
        ("u_fleet_run", "update run", "job run 1", "running"),
        ("u_fleet_run", "update run", "job run 1", "running, asked to stop by ann@here"),
        ("u_fleet_run", "update run", "job run 1", "stopped, asked to stop by ann@here"),
        ("u_fleet_run", "update run", "job run 1", "stopped"),
        ("u_fleet_define", "insert definition", "other", "version 1 by ann"),
        ("u_fleet_define", "insert device_group", "north", None),
        ("u_fleet_define", "delete run", "job run 1", "stopped"),
    ]
    with pytest.raises(StateUnusable):
        define.database.change("INSERT INTO change_log (role, change, subject) VALUES ('me', 'x', 'x')")


def test_the_log_says_that_a_resume_was_refused(opened: Opened, url: str) -> None:
    store = opened(url)
    begun(store).end(RunEvent.STOP, NOW, reason="lunch", by="ann@here")
    logged = "SELECT detail FROM change_log WHERE change = 'update run' ORDER BY number"
    before = len(store.database.rows(logged))
    again = store.take_lease(store.runs.get("job"), OTHER, NOW)
    again.withdraw_request(NOW, Delivery())
    again.begin(RunEvent.RESUME, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    again.undo_resume(NOW)
    assert [each[0] for each in store.database.rows(logged)][before:] == [
        "running",
        f"stopped, asked to resume by {OTHER.owner}, which was refused",
        "stopped",
    ]
    assert store.runs.get("job").stop_request is None


OLDER = (
    "DROP INDEX iotjobs.occurrence_open, iotjobs.run_unfinished, iotjobs.occurrence_of_run; "
    "ALTER TABLE iotjobs.schedule DROP COLUMN moving, DROP COLUMN moving_to; "
    "DELETE FROM iotjobs.store_format WHERE version > 1"
)


def test_an_older_format_is_brought_forward_by_the_tables_owner_alone(
    opened: Opened, team: Callable[[str], str], postgres: PostgresServer
) -> None:
    as_runner = team("fleet_run")
    database = as_runner.partition("?")[0].rpartition("/")[2]
    postgres.sql(OLDER, database)
    for access in (Access.CHANGE, Access.READ):
        with pytest.raises(StateUnusable, match=f"has format 1, .* format {len(MIGRATIONS)}") as refused:
            opened(as_runner, access)
        assert "group create" in str(refused.value.hint)
    newest = "SELECT max(version) FROM iotjobs.store_format"
    assert postgres.sql(newest, database) == "1"
    opened(as_runner.replace("u_fleet_run@", "me@"))
    assert postgres.sql(newest, database) == str(len(MIGRATIONS))
    opened(as_runner)


def test_a_temporary_table_takes_no_line_of_the_log_away(opened: Opened, team: Callable[[str], str]) -> None:
    define = opened(team("fleet_define"))
    define.database.change(
        "CREATE TEMP TABLE change_log (role TEXT, application TEXT, change TEXT, subject TEXT, detail TEXT)"
    )
    define.database.change("GRANT ALL ON pg_temp.change_log TO PUBLIC")
    # As psql has it, where temporary tables come first.
    define.database.change("SET search_path TO iotjobs")
    define.database.change("INSERT INTO device_group (host, name, condition) VALUES ('h', 'north', '*')")
    rows = define.database.rows("SELECT role FROM iotjobs.change_log WHERE change = 'insert device_group'")
    assert [row[0] for row in rows] == ["u_fleet_define"]


# -- values ------------------------------------------------------------------------------------------------------------


def test_a_text_with_a_nul_is_stored_with_a_character_that_shows_it(opened: Opened, url: str) -> None:
    store = opened(url)
    leased = begun(store)
    leased.devices.write(NOW, ended=[failed(1, payload={"a": "x\0y"}, has_payload=True), failed(2)])
    store.groups.save("h", "a\0b", "*")
    assert store.groups.condition_of("h", "a\0b") == store.groups.condition_of("h", "a␀b") == "*"
    (page,) = store.results.pages(store.runs.get("job"), ResultFilter(device_id="d00"))
    assert page.rows[0].payload == {"a": "x\0y"}  # JSON escapes it


def test_texts_are_in_the_same_order_as_in_a_file(opened: Opened, url: str) -> None:
    store = opened(url)
    for name in ("b", "B", "é", "a-b", "ab", "😀", "z"):
        store.groups.save("h", name, "*")
    assert [each.name for each in store.groups.list_all()] == ["B", "a-b", "ab", "b", "z", "é", "😀"]


# -- many rows at once -------------------------------------------------------------------------------------------------

CHANGES = {
    name: each
    for module in (device_rows, hub_job_rows, verifying_rows, waiting_rows)
    for name, each in vars(module).items()
    if isinstance(each, RowsChange)
}


def test_an_answer_full_of_quotes_costs_what_another_does(opened: Opened, url: str) -> None:
    leased = begun(opened(url))
    count = 0

    def called(*_: object) -> None:
        nonlocal count
        count += 1

    def calls(payload: str) -> int:
        nonlocal count
        count = 0
        sys.setprofile(called)
        try:
            leased.devices.write(NOW, ended=[ended(1, payload=payload, has_payload=True)])
        finally:
            sys.setprofile(None)
        return count

    calls("x")  # what is prepared once
    assert calls('"\\' * 10_000) < calls("x" * 20_000) + 1_000


def test_no_statement_is_of_more_text_than_it_stores_in_a_moment(
    opened: Opened, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(url)
    leased = begun(store)
    connection = store.database._connection  # type: ignore[attr-defined]
    execute, sizes = connection.execute, []

    def noted(sql: str, values: Any = ()) -> object:
        if "unnest" in sql:
            sizes.append(len(values[0]))
        return execute(sql, values)

    monkeypatch.setattr(connection, "execute", noted)
    leased.devices.write(NOW, ended=[ended(seq, payload="x" * 1_500_000, has_payload=True) for seq in range(1, 9)])
    assert sizes == [3, 3, 2] and store.runs.get("job").tally.completed == 8


@pytest.mark.parametrize("is_analyzed", [False, True], ids=["never analyzed", "analyzed when all were pending"])
def test_many_devices_are_found_by_their_key_whatever_the_statistics_are_of(
    opened: Opened, url: str, is_analyzed: bool
) -> None:
    from azext_iotjobs.fleet_job.store.postgres.statements import of_columns

    store, count = opened(url), 20_000
    database = store.database
    database.change("ALTER TABLE device SET (autovacuum_enabled = false)")
    save(store)
    key = new_run(store, count, sizes="100%").key
    if is_analyzed:
        database.change("ANALYZE device")
    by_others = {}
    for state in ("pending", "verifying", "waiting"):
        database.change("UPDATE device SET state = ?, verify_by = seq, wait_until = seq, look_at = seq", (state,))
        for name, change in CHANGES.items():
            for size in (32, 1_000):
                columns = [*([None] * size for _ in change.values[2:]), [key] * size, list(range(1, size + 1))]
                found = database._connection.execute("EXPLAIN " + of_columns(change), columns)  # type: ignore[attr-defined]
                plan = "\n".join(row[0] for row in found)
                if not re.search("Index Scan (using|on) device_pkey", plan) or "Nested Loop" not in plan:
                    by_others[name, state, size] = plan
    assert len(CHANGES) == 9 and by_others == {}


# -- clocks and locks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [7, -7])
def test_a_lease_goes_by_the_clock_of_the_database(opened: Opened, url: str, minutes: int) -> None:
    store, other = opened(url), opened(url, ahead_s=60 * minutes)
    leased = begun(store)
    there = NOW + timedelta(minutes=minutes)  # what the clock of that host says now
    with pytest.raises(LeaseHeld):
        other.take_lease(other.runs.get("job"), OTHER, there)
    lease = other.runs.get("job").lease
    assert lease is not None and abs((lease.until - there).total_seconds() - LEASE_S) < 5
    taken = other.take_lease(other.runs.get("job"), OTHER, there + timedelta(seconds=LEASE_S + 5))
    with pytest.raises(LeaseLost):
        leased.beat(NOW + timedelta(seconds=LEASE_S + 6))
    with pytest.raises(LeaseHeld):
        store.take_lease(store.runs.get("job"), HOLDER, NOW + timedelta(seconds=LEASE_S + 6))
    taken.release()


def test_runs_do_not_wait_for_each_other_but_for_whoever_changes_anything(opened: Opened, url: str) -> None:
    first, second = opened(url), opened(url)
    begun(first)
    save(first, "other")
    leased = second.take_lease(new_run(second, name="other"), OTHER, NOW)
    key = first.runs.get("job").key
    second.database.change("SET lock_timeout = '200ms'")
    with first.database.transaction(of_run=key):
        first.database.change("UPDATE run SET forgiven = 1 WHERE key = ?", (key,))
        leased.beat(NOW + timedelta(seconds=9))
        with pytest.raises(StateBusy, match="locked by another process"):
            second.groups.save("h", "north", "*")
    with first.transaction(), pytest.raises(StateBusy):
        leased.beat(NOW + timedelta(seconds=20))
    leased.beat(NOW + timedelta(seconds=20))
    second.groups.save("h", "north", "*")


def test_twenty_schedulers_start_each_occurrence_once(opened: Opened, url: str) -> None:
    first = opened(url)
    names = [f"job{number}" for number in range(4)]
    for name in names:
        save(first, name)
    barrier = threading.Barrier(20)
    made: list[tuple[str, int]] = []

    def scheduler(number: int) -> None:
        own = opened(url)
        holder = replace(HOLDER, owner=f"host {number}", machine=f"host {number}")
        barrier.wait(60)
        for name in names:
            claim = own.occurrences.claim(name, NOW, holder, NOW)
            if claim is not None:
                made.append((name, new_run(own, name=name, claim=claim.key).number))

    threads = [threading.Thread(target=scheduler, args=(number,)) for number in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    assert sorted(made) == [(name, 1) for name in names]
    found = [first.occurrences.get(name, NOW) for name in names]
    assert [each and each.state for each in found] == [OccurrenceState.STARTED] * 4


def test_a_snapshot_is_read_again_once_anybody_has_changed_something(opened: Opened, url: str) -> None:
    store = opened(url)
    leased = begun(store)
    seen = leased.snapshot(None)
    request = StopRequest(kind=RequestKind.STOP, by="bob", reason=None, at=NOW)
    opened(url).runs.request_stop(seen.run, request)
    assert leased.snapshot(None).run.stop_request == request


def test_a_ctrl_c_while_it_waits_for_the_lock_leaves_no_transaction_open(opened: Opened, url: str) -> None:
    store, other = opened(url), opened(url)
    execute = store.database._execute  # type: ignore[attr-defined]

    def interrupted(sql: str, *values: object) -> object:
        found = execute(sql, *values)
        if sql.startswith("BEGIN"):
            store.database._execute = execute  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return found

    store.database._execute = interrupted  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        store.groups.save("h", "north", "*")
    other.groups.save("h", "south", "*")
    store.groups.save("h", "north", "*")
    assert len(other.groups.list_all()) == 2


# -- connections that are lost -----------------------------------------------------------------------------------------


@pytest.fixture
def way(postgres: PostgresServer) -> Iterator[CutConnection]:
    with cut_connection(postgres.socket) as found:
        yield found


def through(way: CutConnection, url: str) -> str:
    return f"postgresql://me@127.0.0.1:{way.port}/postgres?schema={url.rpartition('=')[2]}"


def test_a_connection_that_is_lost_between_two_steps_is_made_again(
    opened: Opened, url: str, way: CutConnection
) -> None:
    store = opened(through(way, url))
    leased = begun(store)
    for step in (
        lambda: leased.beat(NOW + timedelta(seconds=9)),
        lambda: leased.devices.write(NOW, ended=[failed(1)]),
        lambda: leased.snapshot(None),
        lambda: store.groups.save("h", "north", "*"),
    ):
        way.cut()
        step()
    assert opened(url).runs.get("job").tally.failed == 1


def test_one_that_is_lost_within_a_transaction_ends_it_and_the_next_is_whole(
    opened: Opened, url: str, way: CutConnection
) -> None:
    store = opened(through(way, url))
    with pytest.raises(StateUnreachable, match="was lost") as caught, store.transaction():
        store.groups.save("h", "north", "*")
        way.cut()
        store.groups.save("h", "south", "*")
    assert "Nothing of what was being recorded is stored" in str(caught.value.hint)
    assert store.groups.list_all() == []
    store.groups.save("h", "north", "*")
    assert len(opened(url).groups.list_all()) == 1


def test_a_commit_whose_answer_is_lost_says_that_it_is_not_known(opened: Opened, url: str, way: CutConnection) -> None:
    store = opened(through(way, url))
    with pytest.raises(StateUnreachable) as caught, store.transaction():
        store.groups.save("h", "north", "*")
        way.mute()
    assert "not known whether the last change was stored" in str(caught.value.hint)
    assert [each.name for each in store.groups.list_all()] == ["north"]  # here it was


def test_devices_that_were_being_chosen_are_chosen_anew_after_a_loss(
    opened: Opened, url: str, way: CutConnection
) -> None:
    store = opened(through(way, url))
    save(store)
    store.candidates.collect([("a", None)], seed=0)
    way.cut()
    with pytest.raises(StateUnreachable, match="was lost"):
        store.candidates.sort()
    assert new_run(store).device_count == 10


def test_a_server_that_is_killed_and_started_again_has_all_that_was_stored() -> None:
    skip_without_postgres()
    from azext_iotjobs.fleet_job.store.postgres.place import parse_place
    from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore

    with postgres_server("synchronous_commit=off") as server:
        store = PostgresStore.open(parse_place(server.url("fleet")))
        try:
            leased = begun(store)
            leased.devices.write(NOW, ended=[], begun=leased.devices.due(1, NOW, 2))
            with pytest.raises(StateUnreachable), store.transaction():
                store.groups.save("h", "north", "*")
                server.kill()
                store.groups.list_all()
            server.start()
            assert leased.snapshot(None).run.tally.calling == 2, "an intent that was stored is gone"
            assert store.groups.list_all() == []
            leased.devices.write(NOW, ended=[failed(1), failed(2)])
            assert store.runs.get("job").tally.failed == 2
        finally:
            store.close()


def test_a_server_that_is_not_there_is_a_clear_error(opened: Opened) -> None:
    with pytest.raises(StateUnreachable, match="cannot be reached") as caught:
        opened("postgresql://ann@127.0.0.1:1/fleet")
    assert "See whether the server runs" in str(caught.value.hint)


def test_a_database_that_is_not_there_is_a_clear_error(opened: Opened, postgres: PostgresServer) -> None:
    with pytest.raises(StateUnusable, match="There is no database nowhere at the server of the store"):
        opened(postgres.url().replace("/postgres?", "/nowhere?"))
