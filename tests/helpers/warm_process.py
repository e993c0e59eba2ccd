"""Processes whose modules are loaded already: each is forked from one that has imported them, and runs `python -m` a
module there. Importing takes most of the time of those that live shortly.

This file is also the program that loads and forks. Its arguments: the number of a socket, and in JSON the module and
what is loaded when. Each message on the socket is one process to be: JSON, with the numbers of its stdin, stdout,
stderr attached, and of a pipe for its id and its exit code.

Ending takes as long as a short command where Python takes all apart that is loaded: a process that ends as it means to
ends at once. Others, such as those that an exception ends, take Python's own way.
"""

import atexit
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
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

IS_POSSIBLE = sys.platform == "linux"  # elsewhere system libraries may not survive a fork, or there is none
MESSAGE_BYTES = 1 << 20
ID_BYTES = 16
MANY = 2  # processes, from which on it is worth while to load more

Stream = IO[bytes] | int


class WarmProcess:
    """One process that has loaded modules; what is forked from it has its environment."""

    def __init__(
        self, module: str, loaded: Sequence[str], environment: Mapping[str, str], loaded_for_many: Sequence[str] = ()
    ) -> None:
        """module: what is run, as with `python -m`.  loaded: the modules that are imported before.

        loaded_for_many: those that are imported besides once some processes were started.
        """
        self.environment = dict(environment)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), json.dumps((module, loaded, loaded_for_many))],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        weakref.finalize(self, _end, self._socket, self._process)

    def start(
        self,
        words: Sequence[str],
        folder: Path,
        *,
        stdin: Stream,
        stdout: Stream,
        stderr: Stream,
        environment: Mapping[str, str] | None = None,
    ) -> "ForkedProcess":
        """Start a process with these arguments; all are as those of subprocess.Popen.

        folder: where it runs.  stdin, stdout, stderr: a file or PIPE.  environment: what it has besides.
        """
        message = {"words": list(words), "folder": str(folder), "environment": dict(environment or {})}
        return ForkedProcess(self, self._socket, message, (stdin, stdout, stderr))


class ForkedProcess(subprocess.Popen[bytes]):
    """What `subprocess.Popen` is of a child of this process, of one that another has forked."""

    def __init__(
        self, parent: WarmProcess, control: socket.socket, message: dict[str, Any], streams: tuple[Stream, ...]
    ) -> None:
        self._parent = parent  # which has to live until it has reported the exit code
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


class Forked(NamedTuple):
    """A process that was forked, and that has not ended as far as is known."""

    pid: int
    reports: int  # where its id and its exit code are written

    def report_end(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        with contextlib.suppress(BrokenPipeError):  # nobody asks
            os.write(self.reports, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(self.reports)


class Server:
    """What forks processes, and reports how they end."""

    def __init__(self, control: socket.socket, module: str) -> None:
        self._control = control
        self._module = module
        self._forked: dict[int, Forked] = {}  # by the file that says when it ends

    def serve(self, loaded_for_many: Sequence[str]) -> None:
        """Fork for each message, until the other side is closed."""
        number = 0
        while True:
            ready = select.select([self._control.fileno(), *self._forked], [], [])[0]
            for file in self._forked.keys() & ready:
                self._forked.pop(file).report_end()
                os.close(file)
            if self._control.fileno() in ready:
                message, files, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 4)
                if not message:
                    return
                if number == MANY:
                    _load(loaded_for_many)
                number += 1
                self._fork(message, files[:3], files[3])

    def _fork(self, message: bytes, streams: list[int], reports: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._control.close()
            for file in (reports, *self._forked, *(each.reports for each in self._forked.values())):
                os.close(file)
            _run(self._module, streams, **json.loads(message))
        os.write(reports, str(pid).encode().ljust(ID_BYTES))
        for file in streams:
            os.close(file)
        self._forked[os.pidfd_open(pid)] = Forked(pid, reports)


def serve(control: socket.socket, module: str, loaded: Sequence[str], loaded_for_many: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who reports exit codes stays until the others have ended
    _load(loaded)
    Server(control, module).serve(loaded_for_many)


def _load(modules: Sequence[str]) -> None:
    for name in modules:
        import_module(name)
    gc.collect()
    gc.freeze()  # what is loaded is never looked through again, which would copy its memory


def _run(module: str, streams: list[int], *, words: list[str], folder: str, environment: dict[str, str]) -> NoReturn:
    """Be the process that was asked for, to its end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored, and what is below
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.update(environment)
    sys.argv = [module, *words]
    sys.path[0] = os.getcwd()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise  # a message, which Python shows
        _end_at_once(ended.code or 0)
    _end_at_once(0)


def _end_at_once(code: int) -> NoReturn:
    """Do what Python does for others at its end, and nothing of what it does for itself."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (AttributeError, OSError, ValueError):  # closed, on either side: Python has an exit code for it
        sys.exit(code)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), *json.loads(sys.argv[2]))
