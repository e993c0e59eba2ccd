"""The local hub's process: start it, wait until it is ready, stay with it until it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.cli.core._environment import get_config_dir

from azext_iotjobs.cli.file_writing import NO_FOLLOW
from azext_iotjobs.cli.running_hubs import state_folder
from azext_iotjobs.model.errors import BadValue, StateError

# The folder that holds the package: the extension's own, where pip has put the hub's dependencies too.
EXTENSION_FOLDER = Path(__file__).resolve().parents[2]
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

    in_background: it outlives this process, and writes its log to hub.log in the data folder.
    Raises BadValue or StateError with the hub's own words when it does not start.
    """
    data_path = options.data_path
    try:
        data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = open(data_path / "hub.log", "ab", opener=_private) if in_background else None
    except OSError as err:
        raise BadValue(f"--data-dir {data_path}: {err.strerror}.", hint="Give a folder that you may write to.") from err
    try:
        log_start = log.tell() if log else 0
        process = _spawn(options, log, in_background)
    finally:
        if log:
            log.close()
    line = _ready_line(process)
    if line:
        return StartedHub(document=json.loads(line), process=process)
    raise _refusal(process.wait(END_LIMIT_S), _said(data_path / "hub.log", log_start) if in_background else "")


def stay_until_end(hub: StartedHub) -> None:
    """Wait for the hub's end; Ctrl-C and a termination signal are handed on, and it ends cleanly."""
    previous = signal.signal(signal.SIGTERM, lambda *_: hub.process.terminate())
    try:
        code = hub.process.wait()
    except KeyboardInterrupt:
        # On a terminal the hub got the same Ctrl-C; elsewhere only this process did. Twice is as good as once.
        hub.process.terminate()
        code = hub.process.wait(END_LIMIT_S)
    finally:
        signal.signal(signal.SIGTERM, previous)
    if code:
        raise StateError(f"The local hub ended with code {code}; see its words above.")


def _spawn(options: HubOptions, log: Any, in_background: bool) -> "subprocess.Popen[bytes]":
    words = [
        sys.executable, "-m", "azext_iotjobs.localhub",
        "--https-port", str(options.https_port),
        "--mqtt-port", str(options.mqtt_port),
        "--bind", options.bind,
        "--data-dir", str(options.data_path),
        "--state-dir", str(state_folder()),
        "--sku", options.sku,
        "--units", str(options.units),
    ]  # fmt: skip
    if options.in_memory:
        words.append("--in-memory")
    return subprocess.Popen(
        words,
        # `-m` looks into the current folder first: make that the extension's, where nothing can be shadowed. A child
        # does not inherit the search path that az built, so the dependencies' folder is named too.
        cwd=EXTENSION_FOLDER,
        env={**os.environ, "PYTHONPATH": str(EXTENSION_FOLDER)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        **(_own_session() if in_background else {}),
    )


def _own_session() -> dict[str, Any]:
    """What keeps the hub alive when this process, its terminal or its console ends."""
    if os.name == "nt":
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


def _said(log: Path, since: int) -> str:
    """The last line that the hub wrote into its log in this start."""
    with open(log, "rb") as file:
        file.seek(since)
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def _refusal(code: int, said: str) -> BadValue | StateError:
    text = f"The local hub did not start: {said}" if said else "The local hub did not start; its reason stands above."
    return BadValue(text) if code == BAD_ARGUMENTS else StateError(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | NO_FOLLOW, 0o600)
