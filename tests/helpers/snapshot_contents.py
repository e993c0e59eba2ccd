"""What a snapshot holds, as texts that can be compared, and snapshots that are not quite right."""

import io
import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

ABOUT = "snapshot.json"


def parts(content: bytes) -> dict[str, bytes]:
    """The files in a snapshot."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def with_parts(content: bytes, changed: Mapping[str, bytes]) -> bytes:
    """A snapshot with other files in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, part in {**parts(content), **changed}.items():
            archive.writestr(name, part)
    return made.getvalue()


def changed_by(database: bytes, *statements: str) -> bytes:
    """A database after some statements."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        path.write_bytes(database)
        with closing(sqlite3.connect(path, isolation_level=None)) as opened:
            opened.execute("PRAGMA journal_mode=DELETE")
            for statement in statements:
                opened.execute(statement)
        return path.read_bytes()


def dump(content: bytes) -> dict[str, list[str]]:
    """All that the databases in a snapshot hold, as SQL."""
    return {name: _sql(part) for name, part in parts(content).items() if name != ABOUT}


def about(content: bytes) -> dict[str, object]:
    """What a snapshot says of itself."""
    return dict(json.loads(parts(content)[ABOUT]))


def _sql(database: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        path.write_bytes(database)
        with closing(sqlite3.connect(path)) as opened:
            return list(opened.iterdump())
