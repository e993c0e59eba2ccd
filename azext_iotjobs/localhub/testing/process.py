"""A local hub as a process of its own, for tests and other programs. Standard library only.

Strategy: it is the ordinary hub, isolated by its options: free ports, a data folder that is removed when it is closed,
and a folder for az that names no other hub. It ends with this process, even when that is killed: its standard input is
a pipe from this process. Where it can be, it is forked (forked_hub.py).
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from azext_iotjobs.localhub.testing.child import module_environment
from azext_iotjobs.localhub.testing.errors import LocalHubFailed, LocalHubNotStarted, LocalHubRefused
from azext_iotjobs.localhub.testing.forked_hub import HUB_FORKS
from azext_iotjobs.localhub.testing.running_hub import API_VERSION, SEED_LIMIT_S, RunningHub

__all__ = ["API_VERSION", "LocalHub", "LocalHubFailed", "LocalHubRefused"]

READY_LIMIT_S = 60.0  # a second is usual; a loaded machine may need more
END_LIMIT_S = 30.0
LOG = "hub.log"
ALL_PORTS = (  # an option, and where the hub reports its value
    ("--https-port", "httpsPort"),
    ("--mqtt-port", "mqttPort"),
    ("--amqp-port", "amqpPort"),
)
AMQP_PLAIN_PORT = (("--amqp-plain-port", "amqpPlainPort"),)


class LocalHub(RunningHub):
    """A local hub: `with LocalHub() as hub`, or start() and close()."""

    def __init__(
        self,
        *options: str,
        data_dir: Path | str | None = None,
        sku: str | None = None,
        units: int = 1,
        amqp_plain: bool = False,
        seed: Path | str | Mapping[str, Any] | None = None,
    ) -> None:
        """Describe a hub; it is not started yet.

        options: as in `python -m azext_iotjobs.localhub --help`; without ports among them, free ones are used.
        data_dir: where devices, twins and jobs are stored; None: in memory.
        sku: the tier whose quotas apply, "F1", "S1", "S2" or "S3"; None: nothing is limited.
        units: of the tier, 1 to 200; of S3 1 to 10, of F1 1.
        amqp_plain: whether it has a port for AMQP without TLS too, for Event Hubs clients.
        seed: what it begins with, a file of YAML or JSON or such a document; None: nothing.
        """
        self._ports = (*ALL_PORTS, *(AMQP_PLAIN_PORT if amqp_plain else ()))
        self._options = (*(("--sku", sku, "--units", str(units)) if sku else ()), *options)
        self._data_dir = Path(data_dir).absolute() if data_dir is not None else None
        self._seed = Path(seed).absolute() if isinstance(seed, (str, Path)) else seed
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._last_errors = ""  # once the log file is removed
        self._info: dict[str, Any] = {}

    def start(self) -> None:
        """Start it and wait until it is ready. A stopped one is started again, on the same ports.

        Raises LocalHubFailed; then it is closed. RuntimeError for one that runs.
        """
        if self._process is not None and self._process.poll() is None:
            raise RuntimeError("This hub runs already: call stop() or kill() before start().")
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="iotjobs-", ignore_cleanup_errors=os.name == "nt")
        self._process = self._spawn(
            tuple(word for option, member in self._ports for word in (option, str(self._info.get(member, 0))))
        )
        has_seed = self._seed is not None or "--seed" in self._options
        line = ready_line(self._process, SEED_LIMIT_S if has_seed else READY_LIMIT_S)
        if not line:
            code = self._end()
            self.close()
            raise LocalHubFailed("The local hub did not start", exit_code=code, errors=self.errors)
        self._info = json.loads(line)

    def stop(self) -> int:
        """End it cleanly; gives the exit code. Its data stay until close()."""
        if self.process.poll() is None:
            if sys.platform == "win32" and self.process.stdin is not None:
                self.process.stdin.close()  # it ends with its standard input; there, terminate() would kill it
            else:
                self.process.terminate()
        return self._end()

    def kill(self) -> int:
        """End it as a crash would; gives the exit code."""
        if self.process.poll() is None:
            self.process.kill()
        return self._end()

    def close(self) -> None:
        """End it, and simulated devices at it, and remove its folder."""
        self.stop_simulations()
        if self._process is not None:
            self.stop()
        if self._folder is not None:
            self._last_errors = self.errors
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> "LocalHub":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The hub's process, also when it has ended."""
        if self._process is None:
            raise LocalHubNotStarted
        return self._process

    @property
    def errors(self) -> str:
        """What it wrote to stderr since its start."""
        if self._folder is None:
            return self._last_errors
        return (self._own_folder() / LOG).read_text(encoding="utf-8", errors="replace")

    def _exit_code(self) -> int | None:
        return self.process.poll()

    def _spawn(self, ports: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        own = self._own_folder()
        with open(own / LOG, "wb") as log:
            words = self._words(own, ports)
            return HUB_FORKS.start(words, own, log) or _start_process(words, own, log)

    def _words(self, own: Path, ports: tuple[str, ...]) -> list[str]:
        return [
            "--end-with-stdin",
            *ports,
            *(
                ("--data-dir", str(self._data_dir))
                if self._data_dir
                else ("--data-dir", str(own / "hub"), "--in-memory")
            ),
            *("--state-dir", str(own / "azure" / "iotjobs" / "hubs")),
            *self._seed_option(own),
            *self._options,  # the last one counts of an option that is given twice
        ]

    def _seed_option(self, own: Path) -> tuple[str, ...]:
        if self._seed is None:
            return ()
        if isinstance(self._seed, Path):
            return ("--seed", str(self._seed))
        file = own / "seed.json"
        file.write_text(json.dumps(self._seed), encoding="utf-8")
        return ("--seed", str(file))

    def _end(self) -> int:
        try:
            code = self.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code


def _start_process(words: list[str], folder: Path, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start a hub with these arguments. folder: where it runs; -m searches it first: it is empty."""
    return subprocess.Popen(
        [sys.executable, "-m", "azext_iotjobs.localhub", *words],
        cwd=folder,
        env=module_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,  # Ctrl-C is for those who use it; it ends when they have ended
    )


def ready_line(process: "subprocess.Popen[bytes]", limit_s: float) -> bytes:
    """The line that a hub prints when it is ready; b"" when it ended instead, or was killed because it was late."""
    assert process.stdout is not None
    late = threading.Timer(limit_s, process.kill)
    late.start()
    try:
        with process.stdout:
            return process.stdout.readline()
    finally:
        late.cancel()
