"""The ready file: whose it is, and that nothing else is replaced or removed."""

import json
import os
from pathlib import Path

import pytest

from azext_iotjobs.localhub.process.config import BadConfig
from azext_iotjobs.localhub.process.folder import FolderUnusable, claim_folder
from azext_iotjobs.localhub.process.ready_file import check_ready_file, remove_old_ready_file, write_ready_file

DOCUMENT = {"connectionString": "HostName=localhost", "httpsPort": 8443, "pid": 1}


def test_it_is_one_line_that_its_owner_alone_can_read_and_goes_with_its_hub(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    remove = write_ready_file(path, DOCUMENT)
    assert path.read_text() == json.dumps(DOCUMENT) + "\n"
    assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["ready.json"], "and nothing half-written"
    remove()
    assert not path.exists()
    remove()


def test_what_another_hub_has_written_there_since_stays(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    remove = write_ready_file(path, DOCUMENT)
    write_ready_file(path, {**DOCUMENT, "pid": 2})
    remove()
    assert json.loads(path.read_text())["pid"] == 2


def test_one_that_a_killed_hub_has_left_is_allowed_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    write_ready_file(path, DOCUMENT)
    check_ready_file(path)
    remove_old_ready_file(path)
    assert not path.exists()
    remove_old_ready_file(path)


def test_that_of_a_hub_which_runs_is_refused_and_stays(tmp_path: Path) -> None:
    path, folder = tmp_path / "ready.json", tmp_path / "hub"
    lock = claim_folder(folder)
    write_ready_file(path, {**DOCUMENT, "dataDirectory": str(folder)})
    with pytest.raises(BadConfig, match="a local hub that runs, process 1, has written this file: give another name"):
        check_ready_file(path)
    assert path.exists()
    lock.release()
    check_ready_file(path)
    claim_folder(folder).release()


@pytest.mark.parametrize("content", [b"", b"notes", b"[]", b'"x"', b'{"pid": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(BadConfig, match=r"--ready-file .*notes\.txt: this file is there"):
        check_ready_file(path)
    assert path.read_bytes() == content


def test_a_folder_and_a_file_in_a_folder_that_is_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="this is a folder"):
        check_ready_file(tmp_path)
    with pytest.raises(BadConfig, match="there is no folder .*nowhere; make it"):
        check_ready_file(tmp_path / "nowhere" / "ready.json")


def test_one_that_cannot_be_written_or_removed_is_said(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match="cannot be written: "):
        write_ready_file(tmp_path / "nowhere" / "ready.json", DOCUMENT)
    with pytest.raises(FolderUnusable, match="cannot be removed: "):
        remove_old_ready_file(tmp_path)
