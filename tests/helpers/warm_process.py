"""Processes whose modules are loaded already: each is forked from one that has imported them, and runs `python -m` a
module there. Importing takes most of the time of those that live shortly.

This file is also the program that loads and forks. Its arguments: the number of a socket, the module, what it loads.
Each message on the socket is one process to be: JSON, with the numbers of its stdin, stdout, stderr attached, and of a
pipe for its id and its exit code.
"""

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import IO, Any

IS_POSSIBLE = sys.platform == "linux"  # elsewhere system libraries may not survive a fork, or there is none
MESSAGE_BYTES = 1 << 20
ID_BYTES = 16

Stream = IO[bytes] | int


class WarmProcess:
    """One process that has loaded modules; what is forked from it has its environment."""

    def __init__(self, module: str, loaded: Sequence[str], environment: Mapping[str, str]) -> None:
        """module: what is run, as with `python -m`.  loaded: the modules that are imported before."""
        self.environment = dict(environment)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), module, *loaded],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        weakref.finalize(self, _end, self._socket, self._process)

    def start(
        self, words: Sequence[str], folder: Path, *, stdin: Stream, stdout: Stream, stderr: Stream
    ) -> "ForkedProcess":
        """Start a process with these arguments; all are as those of subprocess.Popen.

        folder: where it runs.  stdin, stdout, stderr: a file or PIPE.
        """
        message = {"words": list(words), "folder": str(folder)}
        return ForkedProcess(self._socket, message, (stdin, stdout, stderr))


class ForkedProcess(subprocess.Popen[bytes]):
    """What `subprocess.Popen` is of a child of this process, of one that another has forked."""

    def __init__(self, control: socket.socket, message: dict[str, Any], streams: tuple[Stream, ...]) -> None:
        self._child_created = False  # for Popen: there is nothing to be waited for by it
        self.args, self.returncode = message["words"], None
        self.stdin = self.stdout = self.stderr = None
        with contextlib.ExitStack() as given:
            files = []
            for number, stream in enumerate(streams):
                if stream == subprocess.PIPE:
                    stream = self._pipe(number)
                    given.callback(os.close, stream)
                files.append(stream if isinstance(stream, int) else stream.fileno())
            read, write = os.pipe()
            given.callback(os.close, write)
            socket.send_fds(control, [json.dumps(message).encode()], [*files, write])
        self._reports = open(read, "rb", buffering=0)
        self.pid = int(self._reports.read(ID_BYTES) or 0)
        assert self.pid, "the process that forks has ended"

    def _pipe(self, number: int) -> int:
        """A pipe to stdin, from stdout or stderr; gives the other process's end."""
        read, write = os.pipe()
        if number == 0:
            self.stdin = open(write, "wb", buffering=0)
            return read
        file = open(read, "rb")
        self.stdout, self.stderr = (file, self.stderr) if number == 1 else (self.stdout, file)
        return write

    def poll(self) -> int | None:
        return self._code(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Give it its input, and wait for its end; gives what it wrote to stdout and stderr, where these are pipes."""
        with ThreadPoolExecutor(3) as threads:
            threads.submit(_write, self.stdin, input or b"")
            reads = [threads.submit(_read, each) for each in (self.stdout, self.stderr)]
            self.wait(timeout)
            stdout, stderr = (each.result(timeout) for each in reads)
        return stdout, stderr

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def _code(self, timeout_s: float | None) -> int | None:
        """The exit code, once it has ended, within a time; None: without a limit."""
        if self.returncode is None and select.select([self._reports], [], [], timeout_s)[0]:
            with self._reports:
                self.returncode = int(self._reports.read())
        return self.returncode


def _write(stream: IO[bytes] | None, content: bytes) -> None:
    if stream is not None:
        with contextlib.suppress(BrokenPipeError), stream:
            stream.write(content)


def _read(stream: IO[bytes] | None) -> bytes:
    if stream is None:
        return b""
    with stream:
        return stream.read()


def _end(control: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    control.close()
    process.wait()


def serve(control: socket.socket, module: str, loaded: Sequence[str]) -> None:
    """Fork for each message, until the other side is closed."""
    for name in loaded:
        import_module(name)
    gc.collect()
    gc.freeze()  # what is loaded is never looked through again, which would copy its memory
    while True:
        message, files, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 4)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not message:
            return
        if os.fork() == 0:
            control.close()
            _fork_and_wait(module, files, **json.loads(message))
        for each in files:
            os.close(each)


def _fork_and_wait(module: str, files: list[int], *, words: list[str], folder: str) -> None:
    *streams, reports = files
    child = os.fork()
    if child == 0:
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # a shell's background has it ignored, and what is below
        os.close(reports)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        sys.argv = [module, *words]
        sys.path[0] = os.getcwd()
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        sys.exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who waits stays until the other has ended
    for number in (0, 1, 2, *streams):
        os.close(number)
    os.write(reports, str(child).encode().ljust(ID_BYTES))
    _, status = os.waitpid(child, 0)
    os.write(reports, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:])
