"""A program of these helpers as a process that a test kills: in a group of its own, which is ended at once."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.helpers.hub_process import HubProcess
from tests.helpers.warm_process import IS_POSSIBLE, WarmProcess

REPOSITORY = Path(__file__).resolve().parents[2]
LOADED = [
    *(f"azext_iotjobs.operations.fleet_job.{name}" for name in ("schedule.run_due", "drivers.factory", "gate_checks")),
    *("azext_iotjobs.fleet_job.store.sqlite.store", "azext_iotjobs.clients.hub", "azext_iotjobs.transport.http"),
]


@cache
def _warm(program: str) -> WarmProcess:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return WarmProcess(f"tests.helpers.{program}", LOADED, environment)


def started(program: str, folder: Path, hub: HubProcess, *words: str) -> "subprocess.Popen[bytes]":
    """Start a program of this folder. folder: of its store.  hub: what it talks to.  words: what else it is given."""
    given = [str(folder), hub.info["caCertificatePath"], str(hub.info["httpsPort"]), hub.key(), *words]
    if IS_POSSIBLE:
        with open(os.devnull, "rb") as nothing:
            return _warm(program).start(
                given,
                folder,
                stdin=nothing,
                stdout=subprocess.PIPE,
                stderr=2,
                start_new_session=True,
            )
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.helpers.{program}", *given],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
