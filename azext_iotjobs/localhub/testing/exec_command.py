"""iotjobs-local-hub exec [HUB OPTIONS] -- COMMAND: a command with a hub of its own.

Strategy: the hub is in a session of its own, so that a signal to this process's group, such as Ctrl-C, does not end it
before the command has ended. This process passes on what it gets alone. Only the command writes to stdout.

Exit codes: the command's, 128 + N when signal N ended it; 126 it may not be run, 127 it is not found; those of a hub
that did not start.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from azext_iotjobs.localhub.process.arguments import make_parser
from azext_iotjobs.localhub.testing.errors import LocalHubFailed
from azext_iotjobs.localhub.testing.process import LocalHub

SEPARATOR = "--"
PATH_OPTIONS = ("--upload-folder", "--state-dir", "--ready-file", "--seed", "--ca-file", "--log-file")
FAILED, NOT_ALLOWED, NOT_FOUND, BY_SIGNAL = 1, 126, 127, 128
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
TERMINALS_SIGNALS = ("SIGINT", "SIGQUIT")  # which a terminal sends to all processes in the foreground


class _Signals:
    """Passes signals on to a command, also those that came before it was started."""

    def __init__(self) -> None:
        self._command: subprocess.Popen[bytes] | None = None
        self.pending: list[signal.Signals] = []
        for number in _signals_here():
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it, and the command too
                signal.signal(number, lambda number, _frame: self._got(signal.Signals(number)))

    def pass_on_to(self, command: "subprocess.Popen[bytes]") -> None:
        """Pass on those that have come, and all later ones."""
        self._command = command
        while self.pending:
            command.send_signal(self.pending.pop(0))

    def _got(self, number: signal.Signals) -> None:
        if self._command is None:
            self.pending.append(number)
        elif not (number.name in TERMINALS_SIGNALS and _is_in_foreground()):
            self._command.send_signal(number)


def main(words: Sequence[str]) -> int:
    """Run a command with a hub; gives the exit code. words: what follows `exec`."""
    at = words.index(SEPARATOR) if SEPARATOR in words else len(words)
    parser = _parser()
    arguments, options = parser.parse_known_args(words[:at])
    command = list(words[at + 1 :])
    if not command:
        parser.error("give a command after --, such as: exec -- pytest")
    make_parser().parse_args(options)  # ends here where one is wrong
    for option in PATH_OPTIONS:
        path = getattr(arguments, option[2:].replace("-", "_"))
        options += () if path is None else (option, str(path.absolute()))
    signals = _Signals()
    hub = LocalHub(*options, data_dir=arguments.data_dir)
    try:
        hub.start()
        return _run(command, hub, signals)
    except LocalHubFailed as err:
        sys.stderr.write(f"{err}\n")
        return err.exit_code or FAILED
    finally:
        hub.close()


def _run(command: list[str], hub: LocalHub, signals: _Signals) -> int:
    if signals.pending:
        return BY_SIGNAL + signals.pending[0]
    code = _exit_code(command, {**os.environ, **hub.environment()}, signals)
    ended = hub.process.poll()
    if ended is not None:
        sys.stderr.write(f"The local hub had ended before the command did (exit code {ended}). It wrote:\n{hub.errors}")
    return code


def _exit_code(command: list[str], environment: Mapping[str, str], signals: _Signals) -> int:
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as err:
        sys.stderr.write(f"{command[0]} cannot be run: {err.strerror}.\n")
        return NOT_FOUND if isinstance(err, FileNotFoundError) else NOT_ALLOWED
    signals.pass_on_to(process)
    code = process.wait()
    return code if code >= 0 else BY_SIGNAL - code


def _signals_here() -> list[signal.Signals]:
    """Those that this system has; on Windows a console sends its signals to the command too."""
    names = ("SIGINT",) if sys.platform == "win32" else SIGNALS
    return [signal.Signals[name] for name in names]


def _is_in_foreground() -> bool:
    """Whether the command gets this process's terminal's signals itself."""
    if sys.platform == "win32":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # there is none
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="iotjobs-local-hub exec",
        usage="iotjobs-local-hub exec [HUB OPTIONS] -- COMMAND [ARGUMENTS]",
        description="Starts a local hub, runs a command whose environment variables lead to it, ends the hub, and "
        "gives the command's exit code. The hub is in memory and on free ports, unless its options say otherwise "
        "(iotjobs-local-hub --help).",
        allow_abbrev=False,
    )
    for option in ("--data-dir", *PATH_OPTIONS):
        parser.add_argument(option, type=Path, help=argparse.SUPPRESS)
    return parser
