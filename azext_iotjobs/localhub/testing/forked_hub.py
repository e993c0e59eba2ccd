"""Hubs that are forked from a process which has loaded their modules: they start in a tenth of the time.

Strategy: a program that starts one hub starts it as ever. With the second one, or once it is known that there will be
some, a process is started that loads the modules; it ends with this one.
"""

import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from azext_iotjobs.localhub.testing.child import module_environment
from azext_iotjobs.localhub.testing.forked_process import IS_POSSIBLE, READ_AT_START, CannotFork, PreloadedProcess

MODULE = "azext_iotjobs.localhub"
LOADED = Path(__file__).with_name("loaded_hub.py")


class HubForks:
    """The process from which this program's hubs are forked, where that is possible."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parent: PreloadedProcess | None = None
        self._is_worth_it = False

    def expect(self) -> None:
        """There will be hubs: load what they need, meanwhile."""
        with self._lock:
            self._is_worth_it = True
            self._load()

    def start(self, words: Sequence[str], folder: Path, log: IO[bytes]) -> "subprocess.Popen[bytes] | None":
        """Start a hub; None where it has to be started as any program is.

        words: its options.  folder: where it runs.  log: for what it writes to stderr.
        """
        with self._lock:
            if self._is_worth_it:
                self._load()
            self._is_worth_it = True
            parent = self._parent
        environment = module_environment()
        if parent is None or _read_at_start(environment) != _read_at_start(parent.environment):
            return None
        pipe = subprocess.PIPE
        try:
            return parent.start(words, folder, environment=environment, stdin=pipe, stdout=pipe, stderr=log)
        except CannotFork:  # a module does not load: the hub itself says why
            return None

    def _load(self) -> None:
        if self._parent is None and IS_POSSIBLE:
            self._parent = PreloadedProcess(MODULE, module_environment())
            self._parent.load(LOADED)


HUB_FORKS = HubForks()  # of this program


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}
