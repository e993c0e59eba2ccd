"""A container: a folder with a file for each blob, which people may look into and put files into.

What is not plain is below `.blobs` in it: files whose blobs have other names, blocks that are not committed, and for
each blob its properties (type, metadata). A file that somebody put there has none, and is a blob all the same.
A blob is written beside its place, and moved there when it is whole: a reader sees the old one or the new one.
"""

import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from azext_iotjobs.localhub.process.private_files import make_private_folder, write_private
from azext_iotjobs.localhub.rules.blob_names import hashed_name, plain_path

SYSTEM = ".blobs"
BLOCK_LIFE_S = 7 * 24 * 3600.0  # of blocks that nobody commits [Put Block]
DEFAULT_TYPE = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class BlobProperties:
    """What a writer says of a blob."""

    content_type: str = DEFAULT_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)  # Content-Encoding, Content-MD5, …, as they are sent
    metadata: Mapping[str, str] = field(default_factory=dict)  # names without x-ms-meta-


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A blob that is there."""

    name: str
    path: Path
    size_bytes: int
    modified_at: datetime  # aware UTC
    etag: str  # without quotes
    properties: BlobProperties


class BlockMissing(Exception):
    """A block list names a block that was not put."""


class Container:
    """The blobs in a folder. Its methods raise OSError where the disk does not do as asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._system = folder / SYSTEM

    def prepare(self) -> None:
        """Make the folder, and remove what a process that was killed left half-written."""
        for name in ("data", "properties", "blocks", "writing"):
            make_private_folder(self._system / name)
        for path in (self._system / "writing").iterdir():
            path.unlink()
        for path in (self._system / "blocks").iterdir():
            if time.time() - path.stat().st_mtime > BLOCK_LIFE_S:
                shutil.rmtree(path, ignore_errors=True)

    def get(self, name: str) -> Blob | None:
        """A blob, or None."""
        path = self._existing(name)
        return None if path is None else self._blob(name, path)

    def names(self, prefix: str = "") -> list[str]:
        """The names of all blobs with a prefix, sorted."""
        return sorted(name for name in self._all_names() if name.startswith(prefix))

    def write(self, name: str, properties: BlobProperties | None = None) -> "BlobWriter":
        """Begin to write a blob: nothing is seen of it before `commit`."""
        return BlobWriter(self, name, self.temporary_path(), properties or BlobProperties())

    def delete(self, name: str) -> bool:
        """Remove a blob, and folders that it leaves empty; gives whether it was there."""
        path = self._existing(name)
        if path is None:
            return False
        path.unlink()
        self._properties_file(name).unlink(missing_ok=True)
        parent = path.parent
        with suppress(OSError):  # not empty
            while parent not in (self.folder, self._system / "data"):
                parent.rmdir()
                parent = parent.parent
        return True

    def temporary_path(self) -> Path:
        """Where something may be written that has no place yet."""
        return self._system / "writing" / secrets.token_hex(16)

    def put(self, name: str, written: Path, properties: BlobProperties) -> Blob:
        """Make a file that is whole the content of a blob."""
        etag = _etag(written.stat())
        document = {
            "name": name,
            "etag": etag,
            "contentType": properties.content_type,
            "headers": dict(properties.headers),
            "metadata": dict(properties.metadata),
        }
        # First the properties: with the etag of what comes, they are not taken for those of what is there.
        write_private(self._properties_file(name), json.dumps(document).encode())
        path = self._place(name)
        os.replace(written, path)
        self.forget_blocks(name)
        return self._blob(name, path)

    def block_path(self, name: str, block_id: str) -> Path:
        """The file of a block that is not committed yet."""
        folder = self._system / "blocks" / hashed_name(name)
        make_private_folder(folder)
        return folder / hashlib.sha256(block_id.encode()).hexdigest()

    def block_count(self, name: str) -> int:
        """How many blocks of a blob are not committed yet."""
        folder = self._system / "blocks" / hashed_name(name)
        return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0

    def join_blocks(self, name: str, block_ids: Iterable[str]) -> Path:
        """A file of blocks, one after the other. Raises BlockMissing.

        The blocks stay, until the blob is put: who asks again because the answer was lost finds them.
        """
        paths = [self.block_path(name, each) for each in block_ids]
        if not all(path.is_file() for path in paths):
            raise BlockMissing
        target = self.temporary_path()
        try:
            with open(target, "xb") as file:
                for path in paths:
                    with open(path, "rb") as block:
                        shutil.copyfileobj(block, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            target.unlink(missing_ok=True)
            raise
        return target

    def forget_blocks(self, name: str) -> None:
        """Remove the blocks of a blob that are not committed."""
        shutil.rmtree(self._system / "blocks" / hashed_name(name), ignore_errors=True)

    def _existing(self, name: str) -> Path | None:
        hashed = self._system / "data" / hashed_name(name)
        if hashed.is_file():
            return hashed
        plain = plain_path(name)
        path = None if plain is None else self.folder / plain
        return path if path is not None and path.is_file() and _is_spelled_so(path, self.folder) else None

    def _place(self, name: str) -> Path:
        """Where a blob is to be; its folder is made. Where its plain place is taken, by a folder or a file, another."""
        existing = self._existing(name)
        if existing is not None:
            return existing
        plain, hashed = plain_path(name), self._system / "data" / hashed_name(name)
        if plain is None or (self.folder / plain).exists():  # a folder; or, where case does not count, another blob
            return hashed
        try:
            make_private_folder((self.folder / plain).parent)
        except (FileExistsError, NotADirectoryError):  # a part of the path is a file: blobs "a" and "a/b"
            return hashed
        return self.folder / plain

    def _blob(self, name: str, path: Path) -> Blob:
        state = path.stat()
        etag = _etag(state)
        return Blob(
            name=name,
            path=path,
            size_bytes=state.st_size,
            modified_at=datetime.fromtimestamp(state.st_mtime, tz=timezone.utc),
            etag=etag,
            properties=self._properties(name, etag),
        )

    def _properties(self, name: str, etag: str) -> BlobProperties:
        found = _read_object(self._properties_file(name))
        if found.get("etag") != etag:  # of another content: somebody has replaced the file
            return BlobProperties()
        return BlobProperties(
            content_type=str(found.get("contentType") or DEFAULT_TYPE),
            headers=_texts(found.get("headers")),
            metadata=_texts(found.get("metadata")),
        )

    def _properties_file(self, name: str) -> Path:
        return self._system / "properties" / hashed_name(name)

    def _all_names(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.folder):
            folders[:] = [each for each in folders if each != SYSTEM]
            for file in files:
                name = (Path(folder) / file).relative_to(self.folder).as_posix()
                if plain_path(name) is not None and not (self._system / "data" / hashed_name(name)).exists():
                    yield name
        for path in (self._system / "data").iterdir():
            name = str(_read_object(self._system / "properties" / path.name).get("name", ""))
            if hashed_name(name) == path.name:
                yield name


class BlobWriter:
    """A blob while it is written; in a `with` block, what is not committed is removed at its end."""

    def __init__(self, container: Container, name: str, path: Path, properties: BlobProperties) -> None:
        self._container = container
        self._name = name
        self._path = path
        self._properties = properties
        self._file = open(path, "xb")

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.write(data)

    def commit(self) -> Blob:
        """Make what was written the blob."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._container.put(self._name, self._path, self._properties)

    def close(self) -> None:
        """Remove what was written, unless it is committed."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> "BlobWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_spelled_so(path: Path, top: Path) -> bool:
    """Whether a file is called so, also where systems take another case for the same name."""
    if not (top / SYSTEM.upper()).exists():  # case counts
        return True
    part = path
    while part != top:
        if part.name not in os.listdir(part.parent):
            return False
        part = part.parent
    return True


def _etag(state: os.stat_result) -> str:
    return f"0x{state.st_mtime_ns:X}{state.st_size & 0xFFFF:04X}"


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {str(name): each for name, each in pairs if isinstance(each, str)}
