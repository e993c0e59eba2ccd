"""Blobs on the disk: whole or not there, found by their names, and never outside the folder."""

import os
import time
from pathlib import Path

import pytest

from azext_iotjobs.localhub.blobs.container import BlobProperties, BlockMissing, Container

NAMES = [
    "devices.txt",
    "a",
    "a/b",
    "a/b/c",
    "..",
    "../../etc/passwd",
    "a\\b",
    "con",
    "ü/größe",
    "e\u0301",
    "x" * 1024,
    "a/",
]


@pytest.fixture
def container(tmp_path: Path) -> Container:
    made = Container(tmp_path / "top" / "uploads")
    made.prepare()
    return made


def write(container: Container, name: str, content: bytes, properties: BlobProperties | None = None) -> None:
    with container.write(name, properties) as writer:
        writer.write(content)
        writer.commit()


def content(container: Container, name: str) -> bytes | None:
    blob = container.get(name)
    return None if blob is None else blob.path.read_bytes()


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]], ids=["forwards", "backwards"])
def test_blobs_of_all_names_stand_side_by_side(container: Container, names: list[str]) -> None:
    for name in names:
        write(container, name, name.encode())
    assert {name: content(container, name) for name in names} == {name: name.encode() for name in names}
    assert container.names() == sorted(names)
    outside = [each for each in container.folder.parent.parent.rglob("*") if container.folder not in each.parents]
    assert set(outside) == {container.folder, container.folder.parent}
    for name in names:
        assert container.delete(name)
    assert container.names() == [] and not container.delete("a")
    assert [each.name for each in container.folder.iterdir()] == [".blobs"]


def test_a_blob_is_written_anew_where_it_is(container: Container) -> None:
    for text in (b"one", b"two!"):
        write(container, "a/b", text)
    assert (content(container, "a/b"), (container.folder / "a" / "b").read_bytes()) == (b"two!", b"two!")


def test_what_is_not_committed_is_not_seen_and_not_left(container: Container) -> None:
    write(container, "a", b"old")
    with container.write("a") as writer:
        writer.write(b"half of the n")
        assert content(container, "a") == b"old"
    assert content(container, "a") == b"old"
    assert not list((container.folder / ".blobs" / "writing").iterdir())


def test_what_a_killed_process_left_is_removed(container: Container) -> None:
    container.temporary_path().write_bytes(b"half")
    container.prepare()
    assert not list((container.folder / ".blobs" / "writing").iterdir())
    assert container.names() == []


def test_properties_come_back_and_are_not_those_of_a_file_that_somebody_put_there(container: Container) -> None:
    properties = BlobProperties(content_type="text/plain", headers={"Content-Encoding": "gzip"}, metadata={"a": "b"})
    write(container, "a", b"x", properties)
    found = container.get("a")
    assert found is not None and found.properties == properties
    (container.folder / "a").unlink()
    (container.folder / "a").write_bytes(b"longer")
    found = container.get("a")
    assert found is not None and (found.properties, found.size_bytes) == (BlobProperties(), 6)


def test_files_that_people_put_there_are_blobs(
    container: Container,
) -> None:
    (container.folder / "devices.txt").write_text("x", encoding="ascii")
    assert container.names() == ["devices.txt"] and content(container, "devices.txt") == b"x"


def test_blocks_become_a_blob_in_the_order_of_the_list(container: Container) -> None:
    for number in (2, 1, 3):
        container.block_path("a", f"block{number}").write_bytes(f"{number}".encode())
    assert container.block_count("a") == 3 and container.get("a") is None
    joined = container.join_blocks("a", ["block1", "block2", "block1"])
    container.put("a", joined, BlobProperties())
    assert content(container, "a") == b"121"
    assert container.block_count("a") == 0
    with pytest.raises(BlockMissing):
        container.join_blocks("a", ["block1"])


def test_a_reader_keeps_the_content_that_it_began_to_read(container: Container) -> None:
    write(container, "a", b"old")
    blob = container.get("a")
    assert blob is not None
    with open(blob.path, "rb") as file:
        write(container, "a", b"new")
        if os.name != "nt":
            assert file.read() == b"old"


def test_blocks_that_nobody_commits_are_removed_after_a_week(container: Container) -> None:
    for name, days in (("old", 8), ("new", 6)):
        path = container.block_path(name, "block1")
        path.write_bytes(b"x")
        at = time.time() - days * 24 * 3600
        os.utime(path.parent, (at, at))
    container.prepare()
    assert (container.block_count("old"), container.block_count("new")) == (0, 1)
