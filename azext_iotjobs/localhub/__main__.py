"""python -m azext_iotjobs.localhub: arguments -> config -> server.

Exit codes: 0 a clean end, 2 a bad argument, 10 a port is taken, 11 a dependency does not load, 12 the data folder
cannot be used.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from azext_iotjobs.localhub.process.config import BadConfig, LocalHubConfig
from azext_iotjobs.localhub.process.limits import LoopFaults, allow_many_files, collect_seldom
from azext_iotjobs.localhub.process.log import LEVELS, begin_log, leave_stderr
from azext_iotjobs.localhub.rules.quota import Sku

BAD_ARGUMENTS, PORT_TAKEN, NO_DEPENDENCY, NO_FOLDER = 2, 10, 11, 12

logger = logging.getLogger("azext_iotjobs.localhub")


def main(words: list[str] | None = None) -> int:
    """Run a hub until it is told to end; give the exit code."""
    arguments = _parser().parse_args(words)
    try:
        config = LocalHubConfig(
            https_port=arguments.https_port,
            mqtt_port=arguments.mqtt_port,
            bind=arguments.bind,
            data_dir=arguments.data_dir.absolute(),
            state_dir=arguments.state_dir.absolute() if arguments.state_dir else None,
            in_memory=arguments.in_memory,
            sku=Sku(arguments.sku),
            units=arguments.units,
            time_scale=arguments.time_scale,
            max_active_jobs=arguments.max_active_jobs,
            log_file=arguments.log_file.absolute() if arguments.log_file else None,
        )
    except BadConfig as err:
        return _end(BAD_ARGUMENTS, str(err))
    begin_log("debug" if arguments.verbose else arguments.log_level, config.log_file)
    try:
        from azext_iotjobs.localhub import server
        from azext_iotjobs.localhub.process import sockets
    except ImportError as err:
        return _end(
            NO_DEPENDENCY,
            f"A dependency of the local hub does not load ({err}). {_what_to_do(err)}",
        )
    allow_many_files()
    try:
        asyncio.run(_serve(config, end_with_stdin=arguments.end_with_stdin, detached=arguments.detached))
    except sockets.PortTaken as err:
        return _end(PORT_TAKEN, str(err))
    except server.FolderUnusable as err:
        return _end(NO_FOLDER, str(err))
    except BaseException:
        logger.exception("the hub has ended by a mistake of its own")
        raise
    return 0


async def _serve(config: LocalHubConfig, *, end_with_stdin: bool, detached: bool) -> None:
    from azext_iotjobs.localhub.server import Listening, serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(LoopFaults())
    for number in _ending_signals():
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)
    if end_with_stdin:
        threading.Thread(target=_wait_for_stdin, args=(loop, stop), daemon=True).start()

    def say_ready(listening: Listening) -> None:
        collect_seldom()
        sys.stdout.write(json.dumps(listening.document) + "\n")
        sys.stdout.flush()
        if detached:
            leave_stderr()

    await serve(config, say_ready, stop)


def _ending_signals() -> list[signal.Signals]:
    signals = [signal.SIGINT, signal.SIGTERM]
    # A closed terminal; unless whoever started the hub had that ignored, as nohup does.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def _what_to_do(err: ImportError) -> str:
    """What to do about a dependency that does not load, by where this package is."""
    folder = Path(__file__).resolve().parents[2]
    # Installed, there are dependencies beside it; or some were found elsewhere. Either way, they do not fit.
    if any(folder.glob("iotjobs-*.dist-info")) or not isinstance(err, ModuleNotFoundError):
        return "Reinstall the extension: az extension remove -n iotjobs, then az extension add --source iotjobs-….whl"
    return (
        f"This package is imported from {folder}, where none of its dependencies are installed, nor anywhere else that "
        f"{sys.executable} looks. Run the command from another folder and without PYTHONPATH, so that the installed "
        "extension is found; if there is none: az extension add --source iotjobs-….whl"
    )


def _wait_for_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not sys.stdin: a thread that waits in it holds its lock, and Python cannot end.
    while os.read(0, 1024):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(stop.set)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m azext_iotjobs.localhub", description="A local IoT Hub.")
    parser.add_argument("--https-port", type=int, default=8443)
    parser.add_argument("--mqtt-port", type=int, default=8883)
    parser.add_argument("--bind", default="127.0.0.1", help="loopback address 127.0.0.N")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, help="where to write the state file that says what runs")
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument(
        "--sku",
        choices=[each.value for each in Sku],
        default=Sku.UNLIMITED.value,
        help="tier whose quotas it keeps to; default: none",
    )
    parser.add_argument("--units", type=int, default=1, help="units of the tier")
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="makes all quotas so many times faster; for tests and benchmarks"
    )
    parser.add_argument("--max-active-jobs", type=int, help="job slots; default: as the tier has them")
    parser.add_argument(
        "--end-with-stdin", action="store_true", help="end when standard input does, as with who started it"
    )
    parser.add_argument("--log-file", type=Path, help="where to log too; default: to stderr alone")
    parser.add_argument("--log-level", choices=list(LEVELS), default="warning")
    parser.add_argument("--verbose", action="store_true", help="the same as --log-level debug")
    parser.add_argument("--detached", action="store_true", help="leave stderr once it is ready")
    return parser


def _end(code: int, text: str) -> int:
    sys.stderr.write(text + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
