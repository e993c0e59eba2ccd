"""Snapshots as files: of older formats, and damaged in any place."""

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from azext_iotjobs.localhub.errors import StoreDamaged
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import MIGRATIONS as EVENT_MIGRATIONS
from azext_iotjobs.localhub.store.schema import MIGRATIONS
from azext_iotjobs.localhub.store.snapshot_file import EVENTS, HUB, PARTS, NotASnapshot, pack, partition_count, unpack
from tests.helpers.short_form import IN_FULL
from tests.helpers.snapshot_contents import dump

ROUNDS = 3000 if IN_FULL else 100
CA = "INSERT INTO authorities VALUES ('{}', x'00', '', '', '', '', '')"


def snapshot(folder: Path, name: str = "root", migrations: Sequence[Sequence[str]] = MIGRATIONS) -> bytes:
    folder.mkdir()
    with closing(Database(folder / HUB, migrations=migrations)) as database:
        database.change(CA.format(name))
    Database(folder / EVENTS, migrations=EVENT_MIGRATIONS).close()
    return pack(folder, "2026-11-29T00:00:00Z")


def names(database: Database) -> list[str]:
    return [row["name"] for row in database.rows("SELECT name FROM authorities")]


def test_one_of_an_older_format_is_brought_to_this_one(tmp_path: Path) -> None:
    content = snapshot(tmp_path / "made", migrations=MIGRATIONS[:-1])
    (tmp_path / "taken").mkdir()
    unpack(content, tmp_path / "taken")
    assert partition_count(tmp_path / "taken") == 0
    with closing(sqlite3.connect(tmp_path / "taken" / HUB)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert database.execute("SELECT name FROM authorities").fetchall() == [("root",)]


def test_damage_anywhere_is_noticed_or_does_no_harm(tmp_path: Path) -> None:
    content = snapshot(tmp_path / "made")
    whole = dump(content)
    seed = random.randrange(10**9) if IN_FULL else 7
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)
    refused = 0
    for number in range(ROUNDS):
        at = chance.randrange(len(content))
        damaged = content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]
        (folder := tmp_path / str(number)).mkdir()
        try:
            unpack(damaged, folder)
        except NotASnapshot:
            refused += 1
        else:  # in what ZIP says of its members, such as their time
            assert dump(pack(folder, "")) == whole
    assert refused > ROUNDS * 0.9


@pytest.mark.parametrize("is_on_disk", [True, False])
def test_a_database_has_what_another_one_holds_or_nothing_changes(tmp_path: Path, *, is_on_disk: bool) -> None:
    snapshot(tmp_path / "made")
    (tmp_path / "none.db").write_bytes(b"not a database" * 999)
    with closing(Database(tmp_path / "own.db" if is_on_disk else None)) as database:
        database.change(CA.format("own"))
        with pytest.raises(StoreDamaged):
            database.replace_by(tmp_path / "none.db")
        assert names(database) == ["own"] and database.generation == 0
        database.replace_by(tmp_path / "made" / HUB)
        assert names(database) == ["root"] and database.generation == 1
        database.change(CA.format("more"))
        database.copy_to(tmp_path / "copy.db")
    with closing(Database(tmp_path / "copy.db")) as copy:
        assert names(copy) == ["more", "root"]
    assert list(PARTS) == [HUB, EVENTS]
