"""What the console offers to a role of a team's store: no button for what it may not do, and a clear refusal."""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.store.contract import Access, StoreRights
from azext_iotjobs.fleet_job.store.postgres.place import parse_place
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import StateNotAllowed
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.model.target import HubTarget
from tests.fleet_job.store.test_contract import HOLDER, NOW, failed, new_run, save
from tests.helpers.console import served
from tests.helpers.postgres_server import PostgresServer
from tests.helpers.transport_double import TransportDouble, response
from tests.operations.fleet_job.test_store_copy import DAILY

JOB = "fleet-job:job"


def opened(url: str, access: Access = Access.MAKE) -> SqlStore:
    from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore  # psycopg may be missing

    return PostgresStore.open(parse_place(url), access)


@pytest.fixture
def team(postgres: PostgresServer) -> Iterator[tuple[SqlStore, Callable[[str], str]]]:
    """A team's store with the roles of its page and a stopped run; gives the URL for a user with a role."""
    name = f"team{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {name}")
    url = postgres.url("iotjobs").replace("/postgres?", f"/{name}?")
    store = opened(url)
    save(store)
    store.schedules.save("job", DAILY, at=NOW, by="ann", store_key="abcdefgh")
    leased = store.take_lease(new_run(store, devices=2, sizes="100%"), HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.devices.write(NOW, ended=[failed(1)])
    leased.end(RunEvent.STOP, NOW, reason=None, by="ann@here")
    page = (Path(__file__).parents[2] / "docs/how-to/team-store.md").read_text(encoding="utf-8")
    for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL):
        if "CREATE ROLE" in block or "GRANT" in block:
            postgres.sql(block, name)

    def of(role: str) -> str:
        postgres.sql(f"CREATE USER u_{role} IN ROLE {role}")
        return url.replace("me@", f"u_{role}@")

    yield store, of
    store.close()
    for each in ("fleet_define", "fleet_run", "fleet_see"):
        for role in (f"u_{each}", each):
            if postgres.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                postgres.sql(f"DROP OWNED BY {role}", name)
                postgres.sql(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("fleet_see", StoreRights(may_run=False, may_define=False)),
        ("fleet_run", StoreRights(may_run=True, may_define=False)),
        ("fleet_define", StoreRights(may_run=True, may_define=True)),
    ],
)
def test_a_store_says_what_its_role_may_do(
    team: tuple[SqlStore, Callable[[str], str]], role: str, rights: StoreRights
) -> None:
    owned, of = team
    store = opened(of(role), Access.CHANGE)
    assert store.rights() == rights and owned.rights() == StoreRights(may_run=True, may_define=True)
    store.close()


def test_a_file_knows_no_roles(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    assert store.rights() == StoreRights(may_run=True, may_define=True)
    store.close()


@pytest.mark.parametrize(
    ("role", "offers", "says"),
    [
        ("fleet_see", [], "may see fleet jobs, and neither run nor define them"),
        ("fleet_run", ["resume", "cancel"], "may run fleet jobs, and not define or schedule them"),
        ("fleet_define", ["resume", "cancel", "rerun", "unschedule"], ""),
    ],
)
def test_a_role_is_offered_what_it_may_do(
    tmp_path: Path, team: tuple[SqlStore, Callable[[str], str]], role: str, offers: list[str], says: str
) -> None:
    url = team[1](role)
    with served(tmp_path, open_store=lambda access: opened(url, access)) as console:
        console.sign_in()
        shown, listed = console.document(JOB), console.document("fleet-jobs")
        assert [each["name"] for each in shown["actions"]] == offers
        assert shown["may"] == listed["may"] and says in shown["may"]["text"]
        assert (shown["may"]["run"], shown["may"]["define"]) == (bool(offers), not says)


def test_what_a_role_may_not_do_is_refused_in_words_and_changes_nothing(
    tmp_path: Path, team: tuple[SqlStore, Callable[[str], str]]
) -> None:
    owned, of = team
    url = of("fleet_see")
    hub = HubClient(HubTarget(host="h"), TransportDouble(lambda _: response([])))
    with served(tmp_path, hub=hub, open_store=lambda access: opened(url, access)) as console:
        console.sign_in()
        for name in ("stop", "resume", "cancel", "rerun", "run", "approve", "unschedule"):
            refused = console.post(f"/api/fleet-jobs/job/actions/{name}", {})
            assert (refused.status, refused.json["error"]["code"]) == (403, "state-not-allowed")
            assert "may see fleet jobs, and neither run nor define them" in refused.json["error"]["message"]
            assert "team-store.md" in refused.json["error"]["hint"]
        form = {"id": "new", "action.methodName": "reboot", "targets.condition": "*"}
        saved = console.post("/api/job-form/save", {"form": form})
        assert (saved.status, saved.json["error"]["code"]) == (403, "state-not-allowed")
        assert console.get("/api/job-form").json["may"]["define"] is False
        assert console.commands == []
    assert owned.runs.get("job").state is RunState.STOPPED and len(owned.definitions.list_all()) == 1


def test_what_a_server_refuses_in_the_middle_of_it_is_no_conflict(
    tmp_path: Path, team: tuple[SqlStore, Callable[[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a right that was taken away a moment ago."""
    owned, of = team
    new = replace(owned.definitions.get("job").definition, display_name="New")
    owned.definitions.add("other", "h", new, at=NOW, by="ann", origin=None)
    new_run(owned, name="other")
    url = of("fleet_see")
    monkeypatch.setattr(SqlStore, "rights", lambda _: StoreRights(may_run=True, may_define=True))
    with served(tmp_path, open_store=lambda access: opened(url, access)) as console:
        console.sign_in()
        refused = console.post("/api/fleet-jobs/other/actions/stop", {})
        assert refused.status == 403 and "does not let this role do that" in refused.json["error"]["message"]
    assert owned.runs.get("other").state is RunState.PENDING


def test_the_command_line_says_the_same(team: tuple[SqlStore, Callable[[str], str]]) -> None:
    store = opened(team[1]("fleet_see"), Access.CHANGE)
    with pytest.raises(StateNotAllowed, match="does not let this role do that: permission denied"):
        save(store, "other")
    store.close()
