"""A function of these helpers as a process that a test kills, with SIGKILL.

Each is forked from a process that has imported what it needs: it starts within milliseconds, where a program takes
half a second of a processor to import all that.
"""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hub_process import HubProcess

LIMIT_S = 120.0
KILLED = -9  # the exit code of one that was
PRELOADED = [
    "__main__",
    "tests.helpers.fleet_job_process",
    "tests.helpers.import_process",
    "tests.helpers.schedule_process",
]

needs_fork = pytest.mark.skipif(os.name == "nt", reason="no process is forked on Windows")

Program = Callable[..., int]  # is given a HubAddress, a Connection to say by that it begins, and what is its own


class HubAddress:
    """Where a local hub is, for another process."""

    def __init__(self, hub: HubProcess) -> None:
        self.ca_file: str = hub.info["caCertificatePath"]
        self.https_port: int = hub.info["httpsPort"]
        self.key = hub.key()


class KillableProcess:
    """A process that has been started."""

    def __init__(self, program: Program, hub: HubProcess, place: Path | str, *more: Any) -> None:
        """Start it. program: a function of a module.  place: of its store.  more: what else it is given."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._says, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(program, theirs, HubAddress(hub), place, *more))
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def has_begun(self, wait_s: float = LIMIT_S) -> bool:
        """Whether it says within some seconds that it begins; False: it has ended, or says nothing."""
        try:
            return self._says.poll(wait_s) and bool(self._says.recv())
        except EOFError:
            return False

    def kill(self) -> bool:
        """End it at once, as the system may; gives whether it had not ended by itself."""
        was_alive = self.is_alive
        self._process.kill()
        self.end()
        return was_alive

    def end(self) -> int:
        """Wait until it has ended; gives its exit code, less than 0 where a signal ended it."""
        self._process.join(LIMIT_S)
        code = self._process.exitcode
        assert code is not None, "it does not end"
        self._says.close()
        return code


def _run(program: Program, says: Connection, hub: HubAddress, place: Path | str, *more: Any) -> None:
    raise SystemExit(program(hub, says, place, *more))
