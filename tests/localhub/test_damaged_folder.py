"""A data folder that someone or something has damaged: one clear line that names the file, what is wrong and what to
do, and an exit code of its own; no trace, and nothing is overwritten.
"""

import asyncio
import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from azext_iotjobs.localhub.auth.policies import PoliciesUnusable, ensure_policies
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.paced_selector import PacedSelector
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.errors import StoreDamaged
from azext_iotjobs.localhub.http.queries import QueryRoutes
from azext_iotjobs.localhub.http.request import HubRequest
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.jobs import Jobs
from azext_iotjobs.localhub.store.messages import Messages
from azext_iotjobs.localhub.store.sessions import Sessions
from azext_iotjobs.localhub.store.twins import Twins
from azext_iotjobs.localhub.testing.process import LocalHubFailed
from azext_iotjobs.localhub.tls.certificates import CertificatesUnusable, ensure_certificates
from tests.helpers.hub_process import HubProcess

NO_FOLDER = 12
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
POLICIES = ("iothubowner", "service", "device", "registryRead", "registryReadWrite")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a hub with something of everything, which has ended."""
    folder = tmp_path_factory.mktemp("kept") / "hub"
    with HubProcess(folder) as hub:
        for number in range(20):
            hub.new_device(f"d{number}")
            hub.ok("PATCH", f"/twins/d{number}", {"tags": {"site": "north", "text": "x" * 200}})
        hub.new_device("edge", capabilities={"iotEdge": True})
        hub.ok("POST", "/_local/devices/d1/messages", {"body": "MQ==", "ack": "full", "properties": {"a": "b"}})
        patch = {"etag": "*", "tags": {"a": 1}}
        job = {"type": "scheduleUpdateTwin", "queryCondition": "deviceId = 'd3'", "updateTwin": patch}
        hub.ok("PUT", "/jobs/v2/done", job)
        hub.wait_for_job("done")
        tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
        hub.ok("PUT", "/jobs/v2/later", {**job, "startTime": tomorrow})
        assert hub.stop() == 0
    return folder


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(kept, tmp_path / "hub"))


def refusal(folder: Path) -> str:
    """The one line of a hub that must not start on a folder."""
    with pytest.raises(LocalHubFailed) as failed:
        HubProcess(folder)
    assert failed.value.exit_code == NO_FOLDER, failed.value.errors
    (line,) = failed.value.errors.splitlines()
    assert "Traceback" not in line
    return line


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ca.pem", "is not a certificate in PEM"),
        ("ca-key.pem", "not the key of ca.pem"),
        ("server.pem", "is not a certificate in PEM"),
        ("server-key.pem", "not the key of server.pem"),
        ("certificates.json", "does not say how long"),
        ("policies.json", "it is not JSON"),
        ("hub.db", "it is not a database"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_is_overwritten(folder: Path, name: str, said: str) -> None:
    damaged = folder / name
    damaged.write_bytes(b"damaged" * 1000)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    line = refusal(folder)
    assert str(damaged) in line and said in line
    assert "rm " in line or "az iot local-hub reset" in line
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before}
    assert after == before


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"[[[[", b"-----BEGIN CERTIFICATE-----\n"])
@pytest.mark.parametrize("name", ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem"])
def test_whatever_is_in_a_damaged_certificate_or_key_it_is_named(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(CertificatesUnusable, match=str(folder / name)):
        ensure_certificates(folder, "127.0.0.1", (), datetime.now(timezone.utc))
    assert (folder / name).read_bytes() == content


@pytest.mark.parametrize("name", ["ca.pem", "ca-key.pem"])
def test_a_ca_that_is_gone_is_not_silently_replaced_by_one_that_nobody_trusts(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CertificatesUnusable, match=f"{folder / name} is missing"):
        ensure_certificates(folder, "127.0.0.1", (), datetime.now(timezone.utc))


@pytest.mark.parametrize("name", ["ca-bundle.pem", "certificates.json", "policies.json", "hub.db", "hub.lock"])
def test_a_folder_in_a_files_place_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    assert str(folder) in refusal(folder)


def test_what_a_refusal_says_to_remove_makes_the_next_start_go_well(folder: Path) -> None:
    for name in ("ca.pem", "policies.json"):
        (folder / name).write_bytes(b"damaged")
        command = "rm " + refusal(folder).rpartition(": rm ")[2]
        subprocess.run(["sh", "-c", command], check=True)
        with HubProcess(folder) as hub:
            assert hub.ok("GET", "/devices/d1")["deviceId"] == "d1"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (dict.fromkeys(POLICIES, KEY) | {"service": "no base64!"}, "the key of service is not base64"),
        (dict.fromkeys(POLICIES, KEY) | {"iothubowner": KEY[:-1]}, "the key of iothubowner is not base64"),
        (dict.fromkeys(POLICIES, KEY) | {"device": ""}, "the key of device is not base64"),
        (dict.fromkeys(POLICIES, KEY) | {"device": None}, "the key of device is not base64"),
        (dict.fromkeys(POLICIES, KEY) | {"device": 7}, "the key of device is not base64"),
        (dict.fromkeys(POLICIES[1:], KEY), "must have one key for each of iothubowner"),
        (dict.fromkeys((*POLICIES, "mine"), KEY), "must have one key for each of iothubowner"),
        (list(POLICIES), "must have one key for each of iothubowner"),
        (None, "must have one key for each of iothubowner"),
    ],
)
def test_keys_that_nobody_could_sign_with_are_found_at_the_start(tmp_path: Path, keys: object, said: str) -> None:
    path = tmp_path / "policies.json"
    path.write_text(json.dumps(keys))
    with pytest.raises(PoliciesUnusable) as unusable:
        ensure_policies(tmp_path)
    assert said in str(unusable.value) and str(path) in str(unusable.value)
    assert KEY not in str(unusable.value) and "no base64!" not in str(unusable.value)
    assert path.read_text() == json.dumps(keys)


@pytest.mark.parametrize(
    "facts",
    [
        "{}",
        "null",
        '{"caEnds": 5, "addresses": []}',
        '{"caEnds": "soon", "addresses": []}',
        '{"caEnds": "2099-01-01T00:00:00.0000000Z", "addresses": 5}',
        '{"caEnds": "2099-01-01T00:00:00.0000000Z", "addresses": [5]}',
        "[1]",
        "",
    ],
)
def test_facts_that_are_none_are_found_at_the_start(folder: Path, facts: str) -> None:
    (folder / "certificates.json").write_text(facts)
    with pytest.raises(CertificatesUnusable, match=str(folder / "certificates.json")):
        ensure_certificates(folder, "127.0.0.1", (), datetime.now(timezone.utc))


def test_certificates_of_another_hub_are_found_at_the_start(folder: Path, tmp_path: Path) -> None:
    assert HubProcess(tmp_path / "other").stop() == 0
    for name in ("server.pem", "server-key.pem"):
        shutil.copy(tmp_path / "other" / name, folder / name)
    assert f"{folder / 'server.pem'} is not one that ca.pem vouches for" in refusal(folder)


def test_what_a_killed_hub_left_half_written_is_removed_and_nothing_else_is(tmp_path: Path) -> None:
    for name in (".ca-key.pem.0123abcd", ".policies.json.ffffffff", ".gitkeep", "notes.0123abcd"):
        (tmp_path / name).write_text("half")
    with HubProcess(tmp_path) as hub:
        assert hub.stop() == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert {".gitkeep", "notes.0123abcd"} <= left
    assert not {".ca-key.pem.0123abcd", ".policies.json.ffffffff"} & left


# --- hub.db

LOOKS = (
    ("GET", "/devices?top=1000"),
    ("GET", "/devices/d1"),
    ("GET", "/twins/d1"),
    ("GET", "/devices/edge/modules"),
    ("GET", "/jobs/v2/query"),
    ("GET", "/jobs/v2/done"),
    ("GET", "/statistics/devices"),
    ("GET", "/_local/state"),
    ("GET", "/messages/serviceBound/feedback"),
    ("GET", "/devices/d1/messages/deviceBound"),
    ("GET", "/_local/certificates"),
    ("GET", "/_local/quotas"),
    ("GET", "/_local/troubles"),
)
QUERIES = (
    "SELECT * FROM devices",
    "SELECT * FROM devices.jobs",
    "SELECT COUNT() FROM devices WHERE tags.site = 'north'",
)


def look_at_all(folder: Path) -> str:
    """Start a hub on a folder, ask it for everything, and end it; gives what it says. It may refuse, but not die."""
    try:
        hub = HubProcess(folder)
    except LocalHubFailed as err:
        assert err.exit_code == NO_FOLDER, err.errors
        assert len(err.errors.splitlines()) == 1 and str(folder) in err.errors, err.errors
        return err.errors
    with hub:
        answers = [hub.request(*each) for each in LOOKS]
        answers += [hub.request("POST", "/devices/query", {"query": each}) for each in QUERIES]
        answers.append(hub.request("PATCH", "/twins/d1", {"tags": {"b": 1}}))
        for answer in answers:
            assert answer.status_code < 500 or "ErrorCode:ServerError;The " in answer.json()["Message"], answer.text
            assert "internal error" not in answer.text
        assert hub.process.poll() is None
        assert hub.stop() == 0
        assert "Traceback" not in hub.errors, hub.errors
        return hub.errors


def cells(database: Path) -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as opened:
        tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        for (table,) in tables.fetchall():
            for _, column, *_ in opened.execute(f"PRAGMA table_info({table})").fetchall():
                yield table, column


WRONG = (7, -1, 2.5, 2**62, "damaged", "", "[]", '{"a": ', "NaN", b"\xff\xfe", b"{}", None)


def spoil(database: Path, table: str, column: str, value: object) -> bool:
    """Put a value into a column of all rows, whatever its type; gives whether that could be done."""
    with closing(sqlite3.connect(database)) as opened:
        # A text that is no UTF-8 is a text for SQLite.
        shown = "CAST(? AS TEXT)" if value == b"\xff\xfe" else "?"
        try:
            with opened:
                opened.execute(f"UPDATE {table} SET {column} = {shown}", (value,))
        except sqlite3.IntegrityError:
            return False
    return True


def read_all(path: Path) -> None:
    """Read every row that the hub reads, each by whatever reads it."""
    database = Database(path)
    twins, jobs, messages = Twins(database), Jobs(database), Messages(database)
    identities, now = Identities(database, twins), datetime.now(timezone.utc)
    c2d_queue = C2dQueue(database, messages, identities, Links(), HubClock())
    queries = QueryRoutes(PacedSelector(Selector(database)), KEY)
    address = Address("d1")
    reads: tuple[Callable[[], object], ...] = (
        lambda: identities.get(address),
        lambda: identities.first(100),
        lambda: identities.modules("edge"),
        lambda: twins.get(address),
        lambda: Sessions(database).get(address),
        lambda: Authorities(database).all(),
        jobs.active,
        lambda: jobs.page(job_type=None, status=None, after=0, count=100),
        lambda: jobs.device_counts("done"),
        lambda: jobs.pending("done", after=0, count=100),
        c2d_queue.recover,
        c2d_queue.handle_expired,
        lambda: messages.queue(address),
        lambda: messages.take(address, "token", now),
        c2d_queue.feedback,
        lambda: asked(queries, "SELECT * FROM devices"),
        lambda: asked(queries, "SELECT * FROM devices.jobs"),
        lambda: asked(queries, "SELECT tags, lastActivityTime FROM devices WHERE tags.site = 'north'"),
        lambda: asked(queries, "SELECT COUNT() AS n, tags.site FROM devices GROUP BY tags.site"),
    )
    try:
        for read in reads:
            with suppress(StoreDamaged):
                read()
    finally:
        database.close()


def asked(queries: QueryRoutes, text: str) -> None:
    body = json.dumps({"query": text}).encode()
    asyncio.run(queries.post(HubRequest(path={}, query={}, headers={}, body=body)))


@pytest.fixture(scope="module")
def few(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its database with one of the devices that are alike: each row is read again for each column."""
    database = Path(shutil.copy(kept / "hub.db", tmp_path_factory.mktemp("few")))
    others = [f"d{number}" for number in range(20) if number not in (0, 1, 3)]  # 1 has a message, 3 is in jobs
    with closing(sqlite3.connect(database)) as opened:
        with opened:
            for table in {table for table, column in cells(database) if column == "device_id"}:
                for other in others:
                    opened.execute(f"DELETE FROM {table} WHERE device_id = ?", (other,))
        opened.execute("VACUUM")
    return database


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_value_in_any_column_is_a_damaged_row_or_none(few: Path, tmp_path: Path, value: object) -> None:
    original = few.read_bytes()
    for table, column in cells(few):
        database = tmp_path / f"{table}-{column}.db"
        database.write_bytes(original)
        if spoil(database, table, column, value):
            try:
                read_all(database)
            except Exception as err:
                raise AssertionError(f"{table}.{column} = {value!r}: {err!r}") from err


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("identities", "parent_scopes", "damaged"),
        ("identities", "primary_key", b"\xff\xfe"),
        ("jobs", "start_at", 7),
        ("messages", "message", "{}"),
        ("device_jobs", "status", "damaged"),
        ("twins", "desired", "[]"),
    ],
)
def test_a_hub_with_damaged_rows_answers_and_says_so(folder: Path, table: str, column: str, value: object) -> None:
    assert spoil(folder / "hub.db", table, column, value)
    assert "is damaged" in look_at_all(folder)


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_are_an_error_at_the_start_or_an_answer(folder: Path, seed: int) -> None:
    chance, database = random.Random(seed), folder / "hub.db"
    content = bytearray(database.read_bytes())
    for _ in range(chance.choice([1, 3, 30])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    database.write_bytes(content)
    look_at_all(folder)


@pytest.mark.parametrize("share", [0.01, 0.6])
def test_a_database_that_was_cut_short_is_named_with_what_can_be_done(folder: Path, share: float) -> None:
    database = folder / "hub.db"
    database.write_bytes(database.read_bytes()[: int(share * database.stat().st_size)])
    line = refusal(folder)
    assert str(database) in line
    assert f"az iot local-hub reset --data-dir {folder} --yes" in line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TABLE sessions", "the table sessions is missing"),
        ("ALTER TABLE jobs DROP COLUMN condition", "the table jobs has no column condition"),
        ("PRAGMA user_version = 99", "its format is 99"),
        ("PRAGMA user_version = -1", "its format is -1"),
        ("PRAGMA user_version = 0", "already exists"),
    ],
)
def test_a_database_of_another_shape_is_named(folder: Path, change: str, said: str) -> None:
    with closing(sqlite3.connect(folder / "hub.db")) as opened:
        opened.execute(change)
    line = refusal(folder)
    assert said in line and str(folder / "hub.db") in line


def test_one_damaged_device_does_not_hide_the_others_jobs_and_messages(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "hub.db")) as opened, opened:
        opened.execute("UPDATE twins SET tags = 'no JSON' WHERE device_id = 'd3'")
        opened.execute("UPDATE jobs SET method = '[', status = 'scheduled', ended_at = NULL WHERE job_id = 'later'")
    with HubProcess(folder) as hub:
        assert hub.refused("GET", "/twins/d3") == (500, "ServerError")
        assert hub.ok("GET", "/twins/d4")["tags"]["site"] == "north"
        patch = {"etag": "*", "tags": {"new": 1}}
        job = {"type": "scheduleUpdateTwin", "queryCondition": "deviceId IN ['d3', 'd4']", "updateTwin": patch}
        hub.ok("PUT", "/jobs/v2/both", job)
        counts = hub.wait_for_job("both")["deviceJobStatistics"]
        assert (counts["succeededCount"], counts["failedCount"]) == (1, 1)
        assert hub.stop() == 0
    assert sum("job 'later'" in line for line in hub.errors.splitlines()) == 1
    assert "Traceback" not in hub.errors
