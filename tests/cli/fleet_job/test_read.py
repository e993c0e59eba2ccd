"""Commands that only look, and what is asked before something is lost: at the handlers, on real files."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from knack.prompting import NoTTYException

from azext_iotjobs.cli.fleet_job import groups, read, results
from azext_iotjobs.cli.fleet_job.context import FOLDER, FleetJobContext, fleet_job_context
from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.cli.output import confirm
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.fleet_job.store.sqlite.schema import MIGRATIONS
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, NotFound, StateUnusable, WrongState
from azext_iotjobs.model.fleet_job import Action, Definition, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.fleet_job import definitions as operation
from azext_iotjobs.operations.fleet_job import run_loop
from tests.helpers.fleet_job_hub_double import World, definition_of
from tests.helpers.fleet_job_setup import METHOD, failing, ids
from tests.helpers.old_state_file import make_older

NOW = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)
CMD = SimpleNamespace(
    cli_ctx=SimpleNamespace(only_show_errors=False, config=SimpleNamespace(get=lambda *_, **__: None))
)
DEFINITION = Definition(
    action=Action(method=MethodCall(name="reboot")), targets=Targets(selection=Selection(device_ids=("d1",)))
)


def reading(folder: Path | None) -> FleetJobContext:
    return FleetJobContext(None, {}, None if folder is None else str(folder), None, Access.READ)


def changing(folder: Path) -> FleetJobContext:
    return FleetJobContext(None, {}, str(folder), None, Access.CHANGE)


def save(folder: Path, name: str = "a", **changes: Any) -> None:
    store = SqliteStore.open(folder)
    operation.create(store, name, "h.example", replace(DEFINITION, **changes), by="me", at=NOW)
    store.close()


def run_on(folder: Path) -> None:
    """A run of six devices in two batches, of which two fail."""
    world = World(folder, fails=failing("d001", "d003"))
    store = world.open()
    from azext_iotjobs.model.rollout import parse_batch_sizes

    job = world.save(store, definition_of(METHOD, ids(6), Driver.CALLS, sizes=parse_batch_sizes("4", "--batch")))
    run_loop.execute(world.new_run(store, job), world.context(store))
    store.close()


LOOKS: list[Callable[[FleetJobContext], Any]] = [
    lambda where: read.list_fleet_jobs(CMD, where),
    lambda where: groups.list_groups(CMD, where),
]
LOOKS_AT_ONE: list[Callable[[FleetJobContext], Any]] = [
    lambda where: read.show(CMD, where, "a"),
    lambda where: read.list_runs(CMD, where, "a"),
    lambda where: results.show_results(CMD, where, "a"),
    lambda where: groups.show(CMD, where, "north"),
]


# -- nothing is made ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", [*LOOKS, *LOOKS_AT_ONE])
@pytest.mark.parametrize("access", [Access.READ, Access.CHANGE])
def test_a_typed_folder_that_is_not_there_is_an_error_that_names_it_and_is_not_made(
    tmp_path: Path, look: Callable[[FleetJobContext], Any], access: Access
) -> None:
    with pytest.raises(BadValue, match=r"--state-dir .*wrong: there is no such folder"):
        look(FleetJobContext(None, {}, str(tmp_path / "wrong"), None, access))
    assert not (tmp_path / "wrong").exists()


def test_a_typed_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    for access in Access:
        with pytest.raises(BadValue, match="is not a folder"):
            _ = FleetJobContext(None, {}, str(tmp_path / "f"), None, access).store


def test_a_folder_without_a_store_is_empty_which_is_said_and_stays_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for look in LOOKS:
        assert look(reading(tmp_path)) == []
    assert f"There are no fleet jobs in {tmp_path}" in caplog.text
    for one in LOOKS_AT_ONE:
        with pytest.raises(NotFound):
            one(reading(tmp_path))
    assert read.delete(CMD, changing(tmp_path), older_than="30d") == {"runs": 0}
    assert list(tmp_path.iterdir()) == []


def test_the_default_place_is_empty_before_anything_is_saved_and_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(running_hubs, "state_folder", lambda: tmp_path / "iotjobs" / "hubs")
    for look in LOOKS:
        assert look(reading(None)) == []
    assert not (tmp_path / "iotjobs" / FOLDER).exists() and caplog.text == ""


def test_a_dry_run_makes_no_folder_and_no_file(tmp_path: Path) -> None:
    def planning(access: Access) -> FleetJobContext:
        return fleet_job_context(None, {"dry_run": True, "state_dir": str(tmp_path / "wrong")}, access)

    with pytest.raises(BadValue, match="no such folder"):
        _ = planning(Access.CHANGE).store
    assert (
        planning(Access.MAKE).store.candidates.collect([("d1", None), ("d2", None)], seed=0) == 2
    )  # what `create` would be
    assert not (tmp_path / "wrong").exists()


# -- no right to write -------------------------------------------------------------------------------------------------

NOBODY = 65534


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """This process may write neither the folder nor a file in it."""
    folder.chmod(0o555)
    for each in folder.iterdir():
        each.chmod(0o444)
    is_root = os.geteuid() == 0
    if is_root:  # to whom no right is denied
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    try:
        with pytest.raises(OSError):
            (folder / "mine").touch()
        yield
    finally:
        if is_root:
            os.seteuid(0)
            os.setegid(0)


@pytest.fixture
def shown_folder() -> Iterator[Path]:
    """A folder that every user may read."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for each in folder.rglob("*"):
        each.chmod(0o755)
    shutil.rmtree(folder)


def what_is_read(folder: Path) -> tuple[list[str], int, int]:
    listed = [each["id"] for each in read.list_fleet_jobs(CMD, reading(folder))]
    failed = read.show(CMD, reading(folder), "job")["lastRun"]["progress"]["failed"]
    return listed, failed, len(results.show_results(CMD, reading(folder), "job") or [])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
@pytest.mark.parametrize("kind", ["as it is", "of the first format", "in WAL mode", "in WAL mode, not closed"])
def test_a_store_that_may_not_be_written_is_read(shown_folder: Path, kind: str) -> None:
    folder = shown_folder / "state"
    run_on(folder)
    keeper = None
    if kind == "of the first format":
        with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as raw:
            make_older(raw, 1)
    elif kind.startswith("in WAL mode"):
        keeper = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
        keeper.execute("PRAGMA journal_mode = WAL")
        keeper.execute("UPDATE fleet_job SET created_by = 'ann'")
        if not kind.endswith("not closed"):
            keeper.close()
    before = (folder / FILE_NAME).read_bytes()
    try:
        with without_rights(folder):
            assert what_is_read(folder) == (["job"], 2, 6)
    finally:
        if keeper is not None:
            keeper.close()
    if kind != "in WAL mode, not closed":
        assert (folder / FILE_NAME).read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_store_in_the_middle_of_a_change_is_read_by_whoever_may_settle_it(shown_folder: Path) -> None:
    folder = shown_folder / "state"
    run_on(folder)
    program = (
        "import os, sqlite3, sys\n"
        "raw = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "raw.execute('PRAGMA cache_size = 1'); raw.execute('BEGIN'); raw.execute(\"UPDATE run SET reason = 'half'\")\n"
        "raw.executemany(\"INSERT INTO device_group VALUES ('h', ?, ?)\", ((str(n), 'c' * 500) for n in range(3000)))\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder / FILE_NAME)], check=False)
    assert (folder / f"{FILE_NAME}-journal").stat().st_size > 0
    with without_rights(folder), pytest.raises(StateUnusable, match="was left in the middle of a change"):
        what_is_read(folder)
    folder.chmod(0o755)
    for each in folder.iterdir():
        each.chmod(0o644)
    assert groups.list_groups(CMD, reading(folder)) == []


def test_a_store_of_a_newer_version_or_locked_by_a_writer_is_read_or_refused_as_before(tmp_path: Path) -> None:
    run_on(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert read.show(CMD, reading(tmp_path), "job")["status"] == "completed"
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert len(MIGRATIONS) >= 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_a_pipe_in_the_place_of_the_file_is_an_error_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE_NAME)
    for access in Access:
        with pytest.raises(StateUnusable, match="it is not a file"):
            _ = FleetJobContext(None, {}, str(tmp_path), None, access).store


# -- results -----------------------------------------------------------------------------------------------------------


def test_results_take_several_states_and_classes_and_say_batch_and_tries(tmp_path: Path) -> None:
    run_on(tmp_path)

    def devices(**wanted: Any) -> list[str]:
        return [row["deviceId"] for row in results.show_results(CMD, reading(tmp_path), "job", **wanted) or []]

    assert devices(our_status=["failed"]) == ["d001", "d003"]
    assert devices(our_status=["failed,uncertain", "Completed"]) == list(ids(6))
    assert devices(error_class=["offline", "timeout, rejected"]) == ["d001", "d003"]
    assert devices(error_class=["timeout"]) == [] and devices(our_device_id="d002") == ["d002"]
    assert devices(our_device_id="d002", our_status=["failed"]) == []
    rows = results.show_results(CMD, reading(tmp_path), "job", columns="deviceId,batch,tries") or []
    assert [(row["batch"], row["tries"]) for row in rows] == [(1, 1)] * 4 + [(2, 1)] * 2
    row = (results.show_results(CMD, reading(tmp_path), "job") or [{}])[0]
    assert (row["batch"], row["tries"]) == (1, 1)


@pytest.mark.parametrize("wanted", [{"our_status": ["failed,broken"]}, {"error_class": ["", "offline"]}])
def test_a_word_that_is_none_is_refused_with_those_that_there_are(tmp_path: Path, wanted: dict[str, Any]) -> None:
    run_on(tmp_path)
    with pytest.raises(BadValue, match="choose from .*(uncertain|rejected)"):
        results.show_results(CMD, reading(tmp_path), "job", **wanted)


@pytest.mark.parametrize("device", ["nobody", "D001", "", "d001 "])
def test_a_device_that_the_run_does_not_have_is_an_error(tmp_path: Path, device: str) -> None:
    run_on(tmp_path)
    with pytest.raises(NotFound, match="Run 1 of fleet job job has no device"):
        results.show_results(CMD, reading(tmp_path), "job", our_device_id=device)


# -- list --------------------------------------------------------------------------------------------------------------


def test_fleet_jobs_are_found_by_their_labels_and_by_text(tmp_path: Path) -> None:
    save(tmp_path, "a", labels={"ring": "1", "owner": "ann"}, display_name="Light SOUTH")
    save(tmp_path, "b", labels={"ring": "2", "owner": "ann"}, description="for the south, at night")
    save(tmp_path, "c", labels={"ring": "2=x"})

    def found(**wanted: Any) -> set[str]:
        return {each["id"] for each in read.list_fleet_jobs(CMD, reading(tmp_path), **wanted)}

    assert found(our_labels=["ring=2"]) == {"b"} and found(our_labels=["ring=2=x"]) == {"c"}
    assert found(our_labels=["owner=ann", "ring=1"]) == {"a"} and found(our_labels=["owner"]) == {"a", "b"}
    assert found(our_labels=["owner="]) == set() and found(our_labels=["Owner=ann"]) == set()
    assert (
        found(contains="south") == {"a", "b"}
        and found(contains="RING=2") == {"b", "c"}
        and found(contains="c") == {"c"}
    )
    assert found(contains="south", our_labels=["ring=2"]) == {"b"} and found(contains="") == {"a", "b", "c"}
    for wrong in (["=x"], [" "], ["ring=1", "ring=2"]):
        with pytest.raises(BadValue, match="--labels"):
            found(our_labels=wrong)


# -- delete ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: str) -> bool:
        raise NoTTYException

    monkeypatch.setattr(confirm, "prompt_y_n", ask)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    given: list[bool] = []
    monkeypatch.setattr(confirm, "prompt_y_n", lambda _: given.pop())
    return given


def make_old(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("UPDATE run SET ended_at = 0")


@pytest.mark.usefixtures("no_terminal")
def test_without_a_terminal_nothing_is_deleted_and_the_error_says_yes(tmp_path: Path) -> None:
    run_on(tmp_path)
    make_old(tmp_path)
    for fleet_job_id, older_than in (("job", None), (None, "30d")):
        with pytest.raises(MissingChoice, match="This deletes") as raised:
            read.delete(CMD, changing(tmp_path), fleet_job_id, older_than)
        assert "--yes" in str(raised.value.hint)
    assert len(read.list_runs(CMD, reading(tmp_path), "job")) == 1
    assert read.delete(CMD, changing(tmp_path), older_than="30d", our_yes=True) == {"runs": 1}
    assert read.delete(CMD, changing(tmp_path), older_than="30d") == {"runs": 0}  # nothing is lost: nothing asked
    assert read.delete(CMD, changing(tmp_path), "job", our_yes=True) is None
    assert read.list_fleet_jobs(CMD, reading(tmp_path)) == []


def test_who_says_no_keeps_it_and_who_says_yes_does_not(tmp_path: Path, answers: list[bool]) -> None:
    save(tmp_path)
    answers[:] = [True, False]
    with pytest.raises(BadValue, match="Nothing was deleted"):
        read.delete(CMD, changing(tmp_path), "a")
    read.delete(CMD, changing(tmp_path), "a")
    assert read.list_fleet_jobs(CMD, reading(tmp_path)) == [] and answers == []


@pytest.mark.usefixtures("no_terminal")
def test_what_cannot_be_deleted_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    run_on(tmp_path)
    with pytest.raises(NotFound):
        read.delete(CMD, changing(tmp_path), "other")
    with pytest.raises(BadValue, match="30 days at least"):
        read.delete(CMD, changing(tmp_path), older_than="29d")
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as raw:
        raw.execute("UPDATE run SET state = ?", (RunState.RUNNING.value,))
    with pytest.raises(WrongState, match="is running"):
        read.delete(CMD, changing(tmp_path), "job")


# -- groups ------------------------------------------------------------------------------------------------------------


class Counting:
    """A hub that counts the devices of every condition as three."""

    def __init__(self, host: str) -> None:
        self.target = HubTarget(host=host)
        self.selections = SimpleNamespace(count=lambda _: 3)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(_: FleetJobContext, arguments: dict[str, Any]) -> HubClient:
        return Counting(arguments.get("our_hub_name") or "h.example")  # type: ignore[return-value]

    monkeypatch.setattr(FleetJobContext, "_opened", opened)


def making(folder: Path, **typed: str) -> FleetJobContext:
    return FleetJobContext(None, dict(typed), str(folder), None)


@pytest.mark.usefixtures("hub")
def test_a_groups_name_is_taken_once_and_its_condition_is_changed_by_update_alone(tmp_path: Path) -> None:
    made = groups.create(CMD, making(tmp_path), "north", "tags.site = 'north'")
    assert made["deviceCount"] == 3
    with pytest.raises(ConflictingChoice, match="A device group 'north' of h.example already exists") as raised:
        groups.create(CMD, making(tmp_path), "north", "*")
    assert "group update group=north" in str(raised.value.hint)
    other = groups.create(CMD, making(tmp_path, our_hub_name="other.example"), "north", "*")  # of another hub
    assert other["hub"] == "other.example"
    near = making(tmp_path, our_hub_name="h.example")
    assert groups.show(CMD, near, "north") == {
        "name": "north",
        "hub": "h.example",
        "queryCondition": "tags.site = 'north'",
        "fleetJobs": [],
    }
    updated = groups.update(CMD, near, "north", "tags.site = 'n'")
    assert (updated["queryCondition"], updated["deviceCount"], updated["hub"]) == ("tags.site = 'n'", 3, "h.example")
    assert groups.show(CMD, near, "north")["queryCondition"] == "tags.site = 'n'"
    with pytest.raises(ConflictingChoice, match="2 hubs have a device group"):
        groups.show(CMD, reading(tmp_path), "north")
    with pytest.raises(NotFound, match="no device group 'west'"):
        groups.show(CMD, making(tmp_path), "west")
    with pytest.raises(NotFound, match="no device group 'west'"):
        groups.update(CMD, making(tmp_path), "west", "*")


@pytest.mark.usefixtures("no_terminal")
def test_a_group_that_saved_fleet_jobs_use_is_deleted_only_by_who_is_sure(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    for name in ("north", "unused"):
        store.groups.save("h.example", name, "*")
    store.close()
    save(tmp_path, "a", targets=Targets(group="north"))
    save(tmp_path, "b", targets=Targets(group="north"))
    groups.delete(CMD, changing(tmp_path), "unused")
    assert groups.show(CMD, reading(tmp_path), "north")["fleetJobs"] == ["a", "b"]
    with pytest.raises(MissingChoice, match="use the device group 'north': a, b"):
        groups.delete(CMD, changing(tmp_path), "north")
    store = SqliteStore.open(tmp_path)  # what another version used does not count
    operation.edit(store, "a", DEFINITION, by="me", at=NOW)
    store.close()
    with pytest.raises(MissingChoice, match="'north': b,"):
        groups.delete(CMD, changing(tmp_path), "north")
    groups.delete(CMD, changing(tmp_path), "north", our_yes=True)
    assert groups.list_groups(CMD, reading(tmp_path)) == []
