"""az that has loaded azure-cli already: each command is a process of its own, forked from one that has.

Two thirds of an az command's time go into importing azure-cli, before it looks at the command. Nothing of ours is
loaded here: az finds and imports the extension anew in each command, as ever.

This file is also the program that loads and forks. Its first argument is the number of a socket, on which each message
is a command (JSON, with the numbers of its stdin, stdout, stderr and of a pipe for the exit code attached).
"""

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

IS_POSSIBLE = sys.platform == "linux"  # elsewhere system libraries may not survive a fork, or there is none
LOADED = """
    azure.cli.core._breaking_change azure.cli.core._completers azure.cli.core._help azure.cli.core._output
    azure.cli.core.azlogging azure.cli.core.command_recommender azure.cli.core.commands.arm
    azure.cli.core.commands.command_operation azure.cli.core.commands.parameters azure.cli.core.commands.transform
    azure.cli.core.extension._index azure.cli.core.extension.operations azure.cli.core.intercept_survey
    azure.cli.core.parser azure.cli.core.telemetry
    azure.cli.command_modules.iot.commands azure.cli.command_modules.iot.custom azure.cli.core._help_loaders
    azure.common gc glob html jmespath msal msal_extensions pkginfo.wheel pwd sqlite3 tabulate timeit yaml
""".split()  # what commands below `az iot` import of azure-cli and others, with what that imports
MESSAGE_BYTES = 1 << 20


class WarmAz:
    """One process with az's modules; its environment is what every command gets."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._end = weakref.finalize(self, _end, self._socket, self._process)

    def run(self, words: Sequence[str], stdin: bytes, folder: Path, limit_s: float) -> tuple[int, bytes, bytes]:
        """Run a command to its end; gives the exit code, and what it wrote to stdout and stderr.

        folder: where it runs.
        """
        (to_read, to_write), *outputs = (os.pipe() for _ in range(4))
        files = [to_read, *(write for _, write in outputs)]
        try:
            socket.send_fds(self._socket, [json.dumps([list(words), str(folder)]).encode()], files)
        finally:
            for each in files:
                os.close(each)
        with ThreadPoolExecutor(4) as threads:
            threads.submit(_write, to_write, stdin)
            reads = [threads.submit(_read, read) for read, _ in outputs]
            stdout, stderr, code = (each.result(limit_s) for each in reads)
        return int(code), stdout, stderr


def _write(file: int, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(file, "wb", buffering=0) as pipe:
        pipe.write(content)


def _read(file: int) -> bytes:
    with open(file, "rb") as pipe:
        return pipe.read()


def _end(control: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    control.close()
    process.wait()


def serve(control: socket.socket) -> None:
    """Fork for each message, until the other side is closed."""
    for name in LOADED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while True:
        message, files, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 4)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            words, folder = json.loads(message)
            _wait_for_command(words, folder, files)
        for each in files:
            os.close(each)


def _wait_for_command(words: list[str], folder: str, files: list[int]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, exit_code = files
    child = os.fork()
    if child == 0:
        os.close(exit_code)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        _run(words)
    _, status = os.waitpid(child, 0)
    os.write(exit_code, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(words: list[str]) -> None:
    """What `python -m azure.cli` does; ends the process as it does."""
    sys.argv = ["az", *words]
    sys.path[0] = os.getcwd()
    runpy.run_module("azure.cli", run_name="__main__", alter_sys=True)
    sys.exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
