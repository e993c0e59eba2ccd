"""The local hub's process: start it, wait until it is ready, wait until it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from azure.cli.core._environment import get_config_dir

from azext_iotjobs.cli.hub_access.running_hubs import running_hubs, state_folder
from azext_iotjobs.cli.output.own_session import own_session
from azext_iotjobs.model.errors import BadValue, StateError
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.transport.own_import import own_folders

PACKAGE_FOLDER = Path(__file__).resolve().parents[3]
LOG, CA = "hub.log", "ca.pem"  # in the data folder
READY_LIMIT_S = 30.0  # it is ready in under 2 s; a busy machine may need more
SEED_LIMIT_S = 1800.0  # with a seed: a million devices, on a slow machine
END_LIMIT_S = 30.0
BAD_ARGUMENTS = 2  # the hub's exit code for a value that it refuses
FOLDER_UNUSABLE = 12  # and for a data folder, which another one uses or cannot be written


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """The options of `local-hub start`; ports 0..65535, where 0 is any free one."""

    https_port: int = 8443
    mqtt_port: int = 8883
    amqp_port: int | None = None  # None: AMQP's own, or any free one
    amqp_plain_port: int | None = None  # None: none
    bind: str = "127.0.0.1"
    dns_names: Sequence[str] | None = None  # beside those of this machine
    data_dir: str | None = None  # None: the default one
    upload_folder: str | None = None  # None: in the data folder
    ready_file: str | None = None  # None: none is written
    seed: str | None = None  # a file; None: it begins with nothing
    in_memory: bool = False
    sku: str = "unlimited"  # or a tier's name
    units: int = 1
    time_scale: float = 1.0  # seconds of its clock in one second
    keep_events: int | None = None  # days; None: in memory only
    partitions: int | None = None  # of events; None: as many as the hub's default
    consumer_groups: Sequence[str] | None = None

    @property
    def data_path(self) -> Path:
        """The folder of its state, absolute."""
        default = Path(get_config_dir()) / "iotjobs" / "local-hub"
        return Path(self.data_dir).absolute() if self.data_dir else default


@dataclass(frozen=True, kw_only=True)
class StartedHub:
    """A hub that is ready; `document` is what it printed then."""

    document: dict[str, Any]
    has_new_ca: bool  # in the place of one that clients may have trusted
    process: "subprocess.Popen[bytes]"


def start(options: HubOptions, *, log_level: str, in_background: bool) -> StartedHub:
    """Start the hub and wait until it is ready.

    log_level: warning, info or debug.
    in_background: the hub outlives this process; else it ends with it, however that ends.
    Raises BadValue or StateError with the hub's own error when it does not start.
    """
    data_path = options.data_path
    try:
        data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as err:
        raise BadValue(f"--data-dir {data_path}: {err.strerror}.", hint="Give a folder that you may write to.") from err
    ca_before = _content(data_path / CA)
    process = _spawn(_command_line(options, log_level, in_background), in_background)
    # From stderr, not from the log, which stays empty while the disk is full.
    errors = _ErrorReader(process.stderr) if process.stderr else None
    line = _ready_line(process, READY_LIMIT_S if options.seed is None else SEED_LIMIT_S)
    if line:
        has_new_ca = ca_before not in (None, _content(data_path / CA))
        return StartedHub(document=json.loads(line), has_new_ca=has_new_ca, process=process)
    code = _wait_for_end(process)
    if code == FOLDER_UNUSABLE:
        _check_not_in_use(data_path)
    raise _refusal(code, errors.last_line() or f"it ended with code {code} and no error." if errors else None)


@contextmanager
def until_ended(hub: StartedHub) -> Iterator[None]:
    """What is to be done while the hub runs; then wait until it has ended.

    Ctrl-C and signals that end this process are passed on, whenever they come: the hub shuts down.
    Raises StateError when it has not ended well.
    """
    passed_on = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    # A signal that is ignored stays ignored: that is what nohup does.
    previous = {each: signal.getsignal(each) for each in passed_on}
    for each, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, lambda *_: _ask_to_end(hub.process))
    try:
        yield
        code = hub.process.wait()
    except KeyboardInterrupt:
        # On a terminal the hub got the same Ctrl-C; elsewhere only this process did. A second signal changes nothing.
        _ask_to_end(hub.process)
        code = _wait_for_end(hub.process)
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
    if code:
        raise StateError(
            f"The local hub ended with code {code}; see its errors above, or {hub.document.get('logFile')}."
        )


def _check_not_in_use(folder: Path) -> None:
    """Raise StateError when a hub of this user runs in the folder already."""
    for running in running_hubs():
        if Path(str(running.document.get("dataDirectory"))).resolve() == folder.resolve():
            raise StateError(
                f"A local hub runs in the data folder {folder} already, at {running.selector}.",
                hint=Text(
                    f"Use it: give -n {running.selector} to the commands. Or stop it: ",
                    command("iot local-hub stop", hub=running.selector),
                    " For a second hub beside it, give another --data-dir, and --bind 127.0.0.2 or other ports: ",
                    command("iot local-hub start", "--bind", "127.0.0.2", "--data-dir", "hub-2"),
                ),
            )


def _command_line(options: HubOptions, log_level: str, in_background: bool) -> list[str]:
    valued = {
        "--https-port": options.https_port,
        "--mqtt-port": options.mqtt_port,
        "--amqp-port": options.amqp_port,
        "--amqp-plain-port": options.amqp_plain_port,
        "--bind": options.bind,
        "--data-dir": options.data_path,
        **({"--upload-folder": Path(options.upload_folder).absolute()} if options.upload_folder else {}),
        **({"--ready-file": Path(options.ready_file).absolute()} if options.ready_file else {}),
        **({"--seed": Path(options.seed).absolute()} if options.seed else {}),
        "--state-dir": state_folder(),
        "--sku": options.sku,
        "--units": options.units,
        "--time-scale": options.time_scale,
        "--keep-events": options.keep_events,
        "--partitions": options.partitions,
        "--log-file": options.data_path / LOG,
        "--log-level": log_level,
    }
    # In the foreground its standard input is a pipe from this process, which ends with it, even when it is killed.
    flags = ["--detached" if in_background else "--end-with-stdin", *(["--in-memory"] if options.in_memory else [])]
    values = [word for name, value in valued.items() if value is not None for word in (name, str(value))]
    values += [word for name in options.dns_names or () for word in ("--dns-name", name)]
    values += ["--consumer-groups", *options.consumer_groups] if options.consumer_groups else []
    return [sys.executable, "-m", "azext_iotjobs.localhub", *values, *flags]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _spawn(words: list[str], in_background: bool) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        words,
        # `-m` searches the current folder first: make that our package's, where nothing can be shadowed. A child does
        # not inherit the search path that az built, so it is passed the folders of the dependencies too.
        cwd=PACKAGE_FOLDER,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(own_folders())},
        stdin=subprocess.DEVNULL if in_background else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if in_background else None,
        **(own_session() if in_background else {}),
    )


class _ErrorReader:
    """Reads what a hub writes to stderr until it is ready or has ended."""

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


def _ready_line(process: "subprocess.Popen[bytes]", limit_s: float) -> bytes:
    """The one line that the hub prints when it is ready; b"" when it ended instead, or was too slow and killed."""
    late = threading.Timer(limit_s, process.kill)
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


def _refusal(code: int, error: str | None) -> BadValue | StateError:
    """error: None in the foreground, where the hub has written to our own stderr."""
    text = f"The local hub did not start: {error}" if error else "The local hub did not start; see its error above."
    return BadValue(text) if code == BAD_ARGUMENTS else StateError(text)
