"""A data folder that someone or something has damaged: a clear word and an exit code of its own, no trace."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.hub_process import REPOSITORY, HubProcess

NO_FOLDER = 12


@pytest.mark.parametrize("name", ["ca-bundle.pem", "server.pem", "server-key.pem", "hub.db"])
def test_a_damaged_file_is_named_and_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    assert HubProcess.start(tmp_path).stop() == 0
    damaged = tmp_path / name
    damaged.unlink()
    damaged.mkdir() if name == "ca-bundle.pem" else damaged.write_bytes(b"damaged" * 1000)
    before = None if damaged.is_dir() else damaged.read_bytes()
    ran = subprocess.run(
        [sys.executable, "-m", "azext_iotjobs.localhub", "--https-port", "0", "--mqtt-port", "0",
         "--data-dir", str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == NO_FOLDER, ran.stderr
    assert str(tmp_path) in ran.stderr
    assert "Traceback" not in ran.stderr
    assert before is None or damaged.read_bytes() == before
