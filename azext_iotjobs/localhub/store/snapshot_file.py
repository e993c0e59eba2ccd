"""A snapshot of a hub as a file: a ZIP of its database, its events, and what is said about them.

Strategy: the parts are stored as they are, so that making one costs little, and a part that has changed does not fit
its checksum. A part is a database like the hub's own: one of an older format is migrated when it is opened.
"""

import io
import json
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from azext_iotjobs.localhub.errors import StoreDamaged
from azext_iotjobs.localhub.store.database import Database, NewerDatabase
from azext_iotjobs.localhub.store.events import MIGRATIONS as EVENT_MIGRATIONS
from azext_iotjobs.localhub.store.events import EventRows
from azext_iotjobs.localhub.store.integrity import QUICK, check_integrity
from azext_iotjobs.localhub.store.schema import MIGRATIONS

FORMAT, KIND = 1, "snapshot of a local IoT Hub"
ABOUT, HUB, EVENTS = "snapshot.json", "hub.db", "events.db"
PARTS = {HUB: MIGRATIONS, EVENTS: EVENT_MIGRATIONS}
MAX_ABOUT_BYTES = 64 * 1024
VERSION, PAGE_SIZE = "PRAGMA user_version", "PRAGMA page_size"
OTHER_OBJECTS = "SELECT COUNT(*) FROM sqlite_master WHERE type NOT IN ('table', 'index')"
# What zipfile raises for a file that is damaged, depending on where.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, ValueError, RuntimeError)


class NotASnapshot(Exception):
    """The content is not that of a snapshot, is damaged, or was made by a newer version; the text says which."""


def pack(folder: Path, created_at: str) -> bytes:
    """The snapshot whose parts are in a folder. created_at: as on the wire."""
    about = {"kind": KIND, "format": FORMAT, "createdAt": created_at}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(ABOUT, json.dumps(about))
        for name in PARTS:
            archive.write(folder / name, name)
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Put the parts of a snapshot into a folder, in this version's formats, and check them.

    Raises NotASnapshot; OSError where the folder takes no more, which says nothing of the snapshot.
    """
    for name, part in _parts(content).items():
        (folder / name).write_bytes(part)
    for name, migrations in PARTS.items():
        _check_part(folder / name, migrations)


def partition_count(folder: Path) -> int:
    """In how many partitions the events of a snapshot are, whose parts are in a folder."""
    with closing(Database(folder / EVENTS, migrations=EVENT_MIGRATIONS, is_copy=True)) as database:
        return len(EventRows(database).extents())


def _parts(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_about(archive)
            return {name: _part(archive, name) for name in PARTS}
    except DAMAGE as err:
        raise NotASnapshot("This is not a snapshot of a local hub, or it is damaged.") from err


def _check_about(archive: zipfile.ZipFile) -> None:
    about = json.loads(_part(archive, ABOUT))
    if not isinstance(about, dict) or about.get("kind") != KIND or type(about.get("format")) is not int:
        raise NotASnapshot("This is a ZIP file, but not a snapshot of a local hub.")
    if about["format"] > FORMAT:
        raise _newer(about["format"], FORMAT)
    if about["format"] < 1:
        raise _not_as_written(ABOUT)


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    # What is compressed may be larger than its sender may send.
    if info.compress_type != zipfile.ZIP_STORED or (name == ABOUT and info.file_size > MAX_ABOUT_BYTES):
        raise _not_as_written(name)
    return archive.read(info)


def _check_part(path: Path, migrations: Sequence[Sequence[str]]) -> None:
    try:
        _check_origin(path)
        with closing(Database(path, migrations=migrations, is_copy=True)) as database:
            check_integrity(database, QUICK)
    except NewerDatabase as err:
        raise NotASnapshot(f"A newer version of the local hub made the snapshot: {path.name}: {err}.") from err
    except StoreDamaged as err:
        raise NotASnapshot(f"The snapshot is damaged: {path.name}: {err.text}") from err
    except sqlite3.Error as err:
        raise _not_as_written(path.name) from err


def _check_origin(path: Path) -> None:
    """Raise NotASnapshot for a database that no hub has written: it is empty, or would do more than hold rows."""
    with closing(sqlite3.connect(path)) as part, closing(sqlite3.connect(":memory:")) as own:
        if part.execute(VERSION).fetchone() == (0,) or part.execute(OTHER_OBJECTS).fetchone() != (0,):
            raise _not_as_written(path.name)
        # Pages of another size cannot be copied into a database that is open.
        if part.execute(PAGE_SIZE).fetchone() != own.execute(PAGE_SIZE).fetchone():
            raise _not_as_written(path.name)


def _not_as_written(name: str) -> NotASnapshot:
    return NotASnapshot(f"The snapshot is damaged: {name} is not as the hub has written it.")


def _newer(found: int, known: int) -> NotASnapshot:
    return NotASnapshot(
        f"A newer version of the local hub made the snapshot: its format is {found}; this version knows formats up to "
        f"{known}."
    )
