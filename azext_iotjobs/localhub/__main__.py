"""iotjobs-local-hub, or python -m azext_iotjobs.localhub: arguments -> config -> server.

Exit codes: 0 stopped, 2 a bad argument, 10 a port is taken, 11 a dependency does not load, 12 the data folder, or a
file that the hub has to write, cannot be used.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from azext_iotjobs.localhub.process.arguments import make_parser
from azext_iotjobs.localhub.process.config import BadConfig, LocalHubConfig, read_dns_names
from azext_iotjobs.localhub.process.limits import LoopExceptionHandler, allow_many_files, collect_garbage_rarely
from azext_iotjobs.localhub.process.log import detach_stderr, start_logging
from azext_iotjobs.localhub.process.ready_file import check_ready_file
from azext_iotjobs.localhub.process.seed_file import UnreadableSeed, read_seed_file
from azext_iotjobs.localhub.process.state_file import Listening
from azext_iotjobs.localhub.rules.quota import Sku
from azext_iotjobs.localhub.rules.seed import Seed, SeedMistake, read_seed

EXEC = "exec"  # the word before options, with which a command is run
EXTENSION = "iotjobs"  # az installs an extension into a folder of this name
BAD_ARGUMENTS, PORT_TAKEN, NO_DEPENDENCY, NO_FOLDER = 2, 10, 11, 12

Serve = Callable[[LocalHubConfig, Callable[[Listening], None], asyncio.Event], Awaitable[None]]

logger = logging.getLogger("azext_iotjobs.localhub")


def main(words: list[str] | None = None) -> int:
    """Run a hub until it is stopped, or with a command; gives the exit code."""
    words = sys.argv[1:] if words is None else words
    if words[:1] == [EXEC]:
        from azext_iotjobs.localhub.testing import exec_command  # here: a hub does not need what starts hubs

        return exec_command.main(words[1:])
    arguments = make_parser().parse_args(words)
    _end_by_signals()
    with _data_folder(arguments.data_dir) as folder:
        return _run(arguments, folder)


def _run(arguments: argparse.Namespace, folder: Path) -> int:
    try:
        config = _config(arguments, folder)
        if config.ready_file is not None:
            check_ready_file(config.ready_file)
    except BadConfig as err:
        return _end(BAD_ARGUMENTS, str(err))
    start_logging("debug" if arguments.verbose else arguments.log_level, config.log_file)
    try:
        from azext_iotjobs.localhub.process.folder import FolderUnusable
        from azext_iotjobs.localhub.process.sockets import PortTaken
        from azext_iotjobs.localhub.server import serve

        if importlib.util.find_spec("OpenSSL") is None:  # it is imported later, when a device has a certificate
            raise ModuleNotFoundError("No module named 'OpenSSL'")
    except ImportError as err:
        return _end(
            NO_DEPENDENCY,
            f"A dependency of the local hub does not load ({err}). {_advice(err)}",
        )
    allow_many_files()
    try:
        asyncio.run(_serve(serve, config, end_with_stdin=arguments.end_with_stdin, detached=arguments.detached))
    except BadConfig as err:
        return _end(BAD_ARGUMENTS, str(err))
    except PortTaken as err:
        return _end(PORT_TAKEN, str(err))
    except FolderUnusable as err:
        return _end(NO_FOLDER, str(err))
    except SystemExit:  # a signal, before the hub was ready for it
        return 0
    except BaseException:
        logger.exception("the hub has ended because of an unexpected error")
        raise
    return 0


@contextlib.contextmanager
def _data_folder(given: Path | None) -> Iterator[Path]:
    """The folder of the hub's data: without one that is given, a temporary one, which is removed at the end."""
    if given is not None:
        yield given.absolute()
        return
    try:
        temporary = tempfile.TemporaryDirectory(prefix="iotjobs-local-hub-", ignore_cleanup_errors=os.name == "nt")
    except OSError as err:
        sys.exit(_end(NO_FOLDER, f"No temporary folder can be made ({err.strerror}): give --data-dir."))
    with temporary as folder:
        try:
            yield Path(folder)
        finally:
            for number in _stop_signals():  # it ends already; what is temporary is removed in any case
                signal.signal(number, signal.SIG_IGN)


def _config(arguments: argparse.Namespace, folder: Path) -> LocalHubConfig:
    """Raises BadConfig."""
    if arguments.data_dir is None and not arguments.in_memory and arguments.keep_events is not None:
        raise BadConfig("--keep-events stores events on disk: give --data-dir too, the folder to store them in.")
    return LocalHubConfig(
        https_port=arguments.https_port,
        mqtt_port=arguments.mqtt_port,
        amqp_port=arguments.amqp_port,
        amqp_plain_port=arguments.amqp_plain_port,
        bind=arguments.bind,
        dns_names=read_dns_names(arguments.dns_names),
        data_dir=folder,
        upload_dir=arguments.upload_folder.absolute() if arguments.upload_folder else None,
        state_dir=arguments.state_dir.absolute() if arguments.state_dir else None,
        ready_file=arguments.ready_file.absolute() if arguments.ready_file else None,
        ca_file=arguments.ca_file.absolute() if arguments.ca_file else None,
        in_memory=arguments.in_memory or arguments.data_dir is None,
        sku=Sku(arguments.sku),
        units=arguments.units,
        time_scale=arguments.time_scale,
        max_active_jobs=arguments.max_active_jobs,
        keep_events_days=arguments.keep_events,
        partitions=arguments.partitions,
        consumer_groups=tuple(arguments.consumer_groups),
        seed=_seed(arguments.seed),
        seed_file=arguments.seed,
        log_file=arguments.log_file.absolute() if arguments.log_file else None,
    )


def _seed(file: Path | None) -> Seed | None:
    """What a seed file says. Raises BadConfig."""
    if file is None:
        return None
    try:
        return read_seed(read_seed_file(file))
    except UnreadableSeed as err:
        raise BadConfig(f"--seed {err}") from err
    except SeedMistake as err:
        raise BadConfig(f"--seed {file}: {err}") from err


async def _serve(serve: Serve, config: LocalHubConfig, *, end_with_stdin: bool, detached: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(LoopExceptionHandler())

    def end(*_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the process is about to
            loop.call_soon_threadsafe(stop.set)

    # Not handlers of the loop: once it has ended, a signal would end the process before what is temporary is removed.
    for number in _stop_signals():
        signal.signal(number, end)
    if end_with_stdin:
        threading.Thread(target=_wait_for_stdin, args=(loop, stop), daemon=True).start()

    def report_ready(listening: Listening) -> None:
        collect_garbage_rarely()
        sys.stdout.write(json.dumps(listening.document) + "\n")
        sys.stdout.flush()
        if detached:
            detach_stderr()

    await serve(config, report_ready, stop)


def _stop_signals() -> list[signal.Signals]:
    signals = [signal.SIGINT, signal.SIGTERM]
    # Sent when the terminal is closed; not if the parent process has it ignored, as nohup does.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def _end_by_signals() -> None:
    """Have signals that come before the hub listens for them end this process cleanly too."""
    for number in _stop_signals():
        signal.signal(number, lambda *_: sys.exit(0))


def _advice(err: ImportError) -> str:
    """What to do about a dependency that does not load, which depends on where this package is."""
    folder = Path(__file__).resolve().parents[2]
    if folder.name != EXTENSION and any(folder.glob("iotjobs-*.dist-info")):
        return (
            'Install what the local hub needs beside it: pip install "./iotjobs-….whl[local-hub]"; '
            "pipx and uvx take the same words."
        )
    # An installed package has its dependencies beside it; or some were found elsewhere. Either way, they do not match.
    if any(folder.glob("iotjobs-*.dist-info")) or not isinstance(err, ModuleNotFoundError):
        return "Reinstall the extension: az extension remove -n iotjobs, then az extension add --source iotjobs-….whl"
    return (
        f"This package is imported from {folder}, where none of its dependencies are installed, nor anywhere else that "
        f"{sys.executable} looks. Run the command from another folder and without PYTHONPATH, so that the installed "
        "extension is found; if there is none: az extension add --source iotjobs-….whl"
    )


def _wait_for_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not sys.stdin: a thread that waits in it holds its lock, and Python could not exit.
    while os.read(0, 1024):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(stop.set)


def _end(code: int, text: str) -> int:
    sys.stderr.write(text + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
