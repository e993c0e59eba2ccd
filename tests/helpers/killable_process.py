"""A program of these helpers as a process that a test kills: in a group of its own, which is ended at once."""

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers.hub_process import HubProcess


def started(program: str, folder: Path, hub: HubProcess, *words: str) -> "subprocess.Popen[str]":
    """Start a program of this folder. folder: of its store.  hub: what it talks to.  words: what else it is given."""
    file = Path(__file__).with_name(program)
    how = [str(folder), hub.info["caCertificatePath"], str(hub.info["httpsPort"]), hub.key()]
    return subprocess.Popen(
        [sys.executable, str(file), *how, *words],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(file.parents[2])},
    )
