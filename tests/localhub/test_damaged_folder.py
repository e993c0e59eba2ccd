"""A data folder that someone or something has damaged: a clear word and an exit code of its own, no trace."""

from pathlib import Path

import pytest

from azext_iotjobs.localhub.isolated import LocalHubFailed
from tests.helpers.hub_process import HubProcess

NO_FOLDER = 12


@pytest.mark.parametrize("name", ["ca-bundle.pem", "server.pem", "server-key.pem", "hub.db"])
def test_a_damaged_file_is_named_and_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    assert HubProcess(tmp_path).stop() == 0
    damaged = tmp_path / name
    damaged.unlink()
    damaged.mkdir() if name == "ca-bundle.pem" else damaged.write_bytes(b"damaged" * 1000)
    before = None if damaged.is_dir() else damaged.read_bytes()
    with pytest.raises(LocalHubFailed) as refusal:
        HubProcess(tmp_path)
    assert refusal.value.exit_code == NO_FOLDER
    assert str(tmp_path) in refusal.value.errors
    assert "Traceback" not in refusal.value.errors
    assert before is None or damaged.read_bytes() == before


def test_what_a_killed_hub_left_half_written_is_removed_and_nothing_else_is(tmp_path: Path) -> None:
    for name in (".ca-key.pem.0123abcd", ".policies.json.ffffffff", ".gitkeep", "notes.0123abcd"):
        (tmp_path / name).write_text("half")
    with HubProcess(tmp_path) as hub:
        assert hub.stop() == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert {".gitkeep", "notes.0123abcd"} <= left
    assert not {".ca-key.pem.0123abcd", ".policies.json.ffffffff"} & left
