"""`--detach`: a process of its own simulates the devices, and outlives the command that has started it.

That process is given the same words but for a connection string, which is in its environment, as is the file that it
makes once all devices are connected.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.passed_login import environment_with, without_login
from azext_iotjobs.cli.hub_access.running_hubs import RunningHub, local_login
from azext_iotjobs.cli.hub_access.running_simulations import log_of, new_id, remove_old_logs
from azext_iotjobs.cli.output.file_lock import lock
from azext_iotjobs.cli.output.file_writing import open_new
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.own_session import own_session
from azext_iotjobs.cli.output.streams import wrote
from azext_iotjobs.cli.simulate.options import SimulateOptions
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, StateError
from azext_iotjobs.model.target import HubTarget

logger = get_logger(__name__)

READY_FILE = "IOTJOBS_SIMULATION_READY_FILE"  # in the environment of a process in the background
READY_POLL_S = 0.1
HUB_POLL_S = 1.0
END_LIMIT_S = 30.0
LOG_AT = {"WARNING": logger.warning, "ERROR": logger.error}  # by the word that az puts before such a line


def is_in_background() -> bool:
    """Whether this is the process that `detach` has started."""
    return READY_FILE in os.environ


def id_in_background() -> str | None:
    """The name of the simulation that this process is, if it is in the background."""
    return Path(os.environ[READY_FILE]).stem if is_in_background() else None


def announce_ready() -> None:
    """All devices are connected: tell the command that waits for it, if there is one."""
    if is_in_background():
        with suppress(OSError):  # it waits no longer
            os.close(open_new(os.environ[READY_FILE]))


def check(target: HubTarget, options: SimulateOptions) -> None:
    """Raise UserError when a simulation in the background would have no end, or nothing to read from."""
    if "-" in sys.argv[1:]:
        raise ConflictingChoice(
            "--detach: a simulation in the background has no standard input, which an option names with -.",
            hint="Give it a file.",
        )
    if _local_hub(target) is None and not options.until and not options.expect:
        raise MissingChoice(
            f"--detach: nothing would end a simulation on {target.authority}.",
            hint="Say when it ends, for example --until 2h. On a local hub it ends with the hub.",
        )


def detach(target: HubTarget, options: SimulateOptions, device_count: int, clock: Clock) -> dict[str, Any]:
    """Simulate in a process of its own; gives the result once all devices are connected.

    What it writes until then, this process writes too. Ctrl-C ends both.
    Raises UserError as `check` does; BadValue without a log; StateError when it ends before all devices are connected.
    """
    check(target, options)
    simulation = new_id(clock.now())
    log = log_of(simulation)
    _make_folder(log.parent)
    remove_old_logs(clock.now())
    try:
        file = os.fdopen(open_new(log, 0o600), "wb")
    except OSError as err:
        raise BadValue(f"The simulation's log {log} cannot be written: {err.strerror}.") from err
    ready = log.with_suffix(".ready")
    with file, open(log, "rb") as output:
        lock(file.fileno())  # for as long as a process has it open, so that nobody removes it
        process = _spawn(file, ready)
        _wait_until(ready, process, output, clock)
    logger.warning(
        "The simulation goes on without this command%s. To end it before: %s",
        "" if _local_hub(target) is None else ", until the hub ends",
        suggestion("iot device simulation stop", simulation_id=simulation),
    )
    return {"id": simulation, "hub": target.authority, "devices": device_count, "pid": process.pid, "log": str(log)}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as err:
        raise BadValue(f"The folder of simulations' logs {folder} cannot be made: {err.strerror}.") from err


def _spawn(log: BinaryIO, ready: Path) -> "subprocess.Popen[bytes]":
    words, login = without_login(sys.argv[1:])
    return subprocess.Popen(
        [sys.executable, "-m", "azure.cli", *words],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={**environment_with(login), READY_FILE: str(ready)},
        **own_session(),
    )


def _wait_until(ready: Path, process: "subprocess.Popen[bytes]", output: BinaryIO, clock: Clock) -> None:
    """Wait until all devices are connected; meanwhile pass on what the process writes."""
    try:
        while not ready.exists() and process.poll() is None:
            _pass_on(output)
            clock.sleep(READY_POLL_S)
    except KeyboardInterrupt:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_LIMIT_S)
        raise
    finally:
        _pass_on(output)
        is_ready = ready.exists()
        ready.unlink(missing_ok=True)
    if not is_ready:
        raise StateError(
            f"The simulation ended with exit code {process.returncode} before all its devices were connected.",
            hint=f"What it wrote is above, and in {output.name}.",
        )


def _pass_on(output: BinaryIO) -> None:
    """Write the whole lines that have come to stderr; warnings and errors by az's logger, which colors them."""
    while (line := output.readline()).endswith(b"\n"):
        level, colon, text = line.decode(errors="replace").rstrip().partition(": ")
        log = LOG_AT.get(level)
        if colon and log is not None:
            log("%s", text)
        else:
            wrote(sys.stderr, line.decode(errors="replace"))
    output.seek(-len(line), os.SEEK_CUR)  # the rest of the last one comes later


def _local_hub(target: HubTarget) -> RunningHub | None:
    return local_login(target.host, target.https_port) if target.is_local else None


def ends_with_hub(stop: StopFlag, target: HubTarget, clock: Clock) -> StopFlag:
    """What ends a simulation: in the background, where nobody presses Ctrl-C, also the end of its local hub."""
    hub = _local_hub(target) if is_in_background() else None
    return stop if hub is None else EndsWithHub(stop, hub, clock)


class EndsWithHub:
    """A stop flag that is also set once the hub has ended, which is checked every HUB_POLL_S."""

    def __init__(self, stop: StopFlag, hub: RunningHub, clock: Clock) -> None:
        self._stop, self._hub, self._clock = stop, hub, clock
        self._polled_at = clock.monotonic()
        self._is_over = False

    def is_set(self) -> bool:
        """Whether to end now."""
        now = self._clock.monotonic()
        if now - self._polled_at >= HUB_POLL_S:
            self._polled_at = now
            self._is_over = self._hub.is_over
        return self._is_over or self._stop.is_set()
