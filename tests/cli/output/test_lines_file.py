"""The file that gets a document a line, behind what is in it."""

import json
from pathlib import Path

import pytest

from azext_iotjobs.cli.output.live_documents import LinesFile
from azext_iotjobs.model.errors import BadValue


def test_documents_are_appended_and_are_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"before": true}\n')
    file = LinesFile(str(path))
    file.show({"text": "\x1b[2J é"})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"before": True}, {"text": "\x1b[2J é"}]
    assert path.read_bytes().isascii() and b"\x1b" not in path.read_bytes()
    file.close()


@pytest.mark.parametrize("name", ["", "-", "events.csv", "no/such/folder.jsonl", "."])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadValue, match="--output-file"):
        LinesFile(name)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "events.jsonl").symlink_to(tmp_path / "mine")
    with pytest.raises(BadValue, match="symbolic link"):
        LinesFile(str(tmp_path / "events.jsonl"))
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    file = LinesFile("/dev/full")
    with pytest.raises(BadValue, match="/dev/full cannot be written"):
        file.show({})
    file.close()
