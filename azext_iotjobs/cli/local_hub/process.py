"""The local hub's process: start it, wait until it is ready, stay with it until it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from azure.cli.core._environment import get_config_dir

from azext_iotjobs.cli.hub_access.running_hubs import state_folder
from azext_iotjobs.model.errors import BadValue, StateError
from azext_iotjobs.transport.own_import import own_folders

PACKAGE_FOLDER = Path(__file__).resolve().parents[3]
LOG = "hub.log"  # in the data folder
READY_LIMIT_S = 30.0  # it is ready in under 2 s; a busy machine may need more
END_LIMIT_S = 30.0
BAD_ARGUMENTS = 2  # the hub's exit code for a value that it does not take


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """What `local-hub start` was asked for; ports 0..65535, 0 is any free one."""

    https_port: int
    mqtt_port: int
    bind: str
    data_folder: str | None  # None: the default one
    in_memory: bool
    sku: str  # a tier's name, or "unlimited"
    units: int
    log_level: str = "warning"

    @property
    def data_path(self) -> Path:
        return (
            Path(self.data_folder).absolute() if self.data_folder else Path(get_config_dir()) / "iotjobs" / "local-hub"
        )


@dataclass(frozen=True, kw_only=True)
class StartedHub:
    """A hub that said it is ready; `document` is what it said."""

    document: dict[str, Any]
    process: "subprocess.Popen[bytes]"


def start(options: HubOptions, *, in_background: bool) -> StartedHub:
    """Start the hub and wait until it is ready.

    in_background: it outlives this process; else it ends with it, however that ends.
    Raises BadValue or StateError with the hub's own words when it does not start.
    """
    data_path = options.data_path
    try:
        data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as err:
        raise BadValue(f"--data-dir {data_path}: {err.strerror}.", hint="Give a folder that you may write to.") from err
    process = _spawn(options, in_background)
    # Not from the log: where the disk is full, there is nothing in it.
    words = _Words(process.stderr) if process.stderr else None
    line = _ready_line(process)
    if line:
        return StartedHub(document=json.loads(line), process=process)
    code = _wait_for_end(process)
    raise _refusal(code, words.last_line() or f"it ended with code {code} and said nothing." if words else None)


def stay_until_end(hub: StartedHub) -> None:
    """Wait for the hub's end; Ctrl-C and signals that end this process are handed on, and it ends cleanly."""
    handed_on = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    # What is ignored stays so: nohup does that.
    previous = {each: signal.getsignal(each) for each in handed_on}
    for each, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, lambda *_: _ask_to_end(hub.process))
    try:
        code = hub.process.wait()
    except KeyboardInterrupt:
        # On a terminal the hub got the same Ctrl-C; elsewhere only this process did. Twice is as good as once.
        _ask_to_end(hub.process)
        code = _wait_for_end(hub.process)
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
    if code:
        raise StateError(
            f"The local hub ended with code {code}; see its words above, or {hub.document.get('logFile')}."
        )


def _spawn(options: HubOptions, in_background: bool) -> "subprocess.Popen[bytes]":
    words = [
        sys.executable, "-m", "azext_iotjobs.localhub",
        "--https-port", str(options.https_port),
        "--mqtt-port", str(options.mqtt_port),
        "--bind", options.bind,
        "--data-dir", str(options.data_path),
        "--state-dir", str(state_folder()),
        "--sku", options.sku,
        "--units", str(options.units),
        "--log-file", str(options.data_path / LOG),
        "--log-level", options.log_level,
        # In the foreground its standard input is a pipe from us, which ends with us, even when we are killed.
        "--detached" if in_background else "--end-with-stdin",
    ]  # fmt: skip
    if options.in_memory:
        words.append("--in-memory")
    return subprocess.Popen(
        words,
        # `-m` looks into the current folder first: make that our package's, where nothing can be shadowed. A child does
        # not inherit the search path that az built, so the folders with the dependencies are named too.
        cwd=PACKAGE_FOLDER,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(own_folders())},
        stdin=subprocess.DEVNULL if in_background else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if in_background else None,
        **(_own_session() if in_background else {}),
    )


class _Words:
    """What a hub writes to stderr until it is ready or has ended."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._read = b""
        self._thread = threading.Thread(target=self._read_all, args=(stream,), daemon=True)
        self._thread.start()

    def last_line(self) -> str:
        """The last line, once it has ended."""
        self._thread.join(END_LIMIT_S)
        lines = self._read.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _read_all(self, stream: IO[bytes]) -> None:
        with stream:
            self._read = stream.read()


def _ask_to_end(process: "subprocess.Popen[bytes]") -> None:
    """Have a hub in the foreground end cleanly."""
    if sys.platform == "win32" and process.stdin is not None:
        process.stdin.close()  # it ends with its standard input; there, terminate() would kill it
    else:
        process.terminate()


def _wait_for_end(process: "subprocess.Popen[bytes]") -> int:
    try:
        return process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _own_session() -> dict[str, Any]:
    """What keeps the hub alive when this process, its terminal or its console ends."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _ready_line(process: "subprocess.Popen[bytes]") -> bytes:
    """The one line that the hub prints when it is ready; b"" when it ended instead, or was ended for being late."""
    late = threading.Timer(READY_LIMIT_S, process.kill)
    late.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.stdout.close()
        return line
    except KeyboardInterrupt:
        process.terminate()
        raise
    finally:
        late.cancel()


def _refusal(code: int, said: str | None) -> BadValue | StateError:
    """said: None in the foreground, where the hub has written to our own stderr."""
    text = f"The local hub did not start: {said}" if said else "The local hub did not start; its reason stands above."
    return BadValue(text) if code == BAD_ARGUMENTS else StateError(text)
