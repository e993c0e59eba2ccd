"""Processes whose modules are loaded already: each is forked from one that has imported them, and runs `python -m` a
module there. Importing takes most of the time of those that live shortly.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from azext_iotjobs.localhub.testing import forking

IS_POSSIBLE = sys.platform == "linux"  # elsewhere system libraries may not survive a fork, or there is none
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "OPENSSL_")  # how variables begin that count only as Python starts
NOT_REPORTED = 255  # the exit code of a process that nothing is known of: the one that had forked it was killed

Stream = IO[bytes] | int


class CannotFork(Exception):
    """The process that forks has ended."""


class PreloadedProcess:
    """One process that loads modules, and from which others are forked."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        """module: what forked processes run, as with `python -m`.

        environment: what counts of it as Python starts is that of all of them; see READ_AT_START.
        """
        self.environment = dict(environment)
        folder = tempfile.TemporaryDirectory(prefix="iotjobs-")  # empty: nothing is imported from it by mistake
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, forking.__file__, str(theirs.fileno()), module],
                cwd=folder.name,
                env=self.environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        weakref.finalize(self, _end, self._socket, self._process, folder)

    def load(self, file: Path) -> None:
        """Have it run a file for what that imports; what is forked later has it. Raises CannotFork."""
        self.send({"load": str(file)}, [])

    def start(
        self,
        words: Sequence[str],
        folder: Path,
        *,
        environment: Mapping[str, str],
        stdin: Stream,
        stdout: Stream,
        stderr: Stream,
    ) -> "ForkedProcess":
        """Start a process; all are as those of subprocess.Popen.

        folder: where it runs.  stdin, stdout, stderr: a file or PIPE.
        Raises CannotFork.
        """
        message = {"words": list(words), "folder": str(folder), "environment": dict(environment)}
        return ForkedProcess(self, message, (stdin, stdout, stderr))

    def send(self, message: Mapping[str, Any], files: Sequence[int]) -> None:
        """Send it a message, as forking.py has them. Raises CannotFork."""
        try:
            socket.send_fds(self._socket, [json.dumps(message).encode()], files)
        except OSError as err:
            raise CannotFork from err


class ForkedProcess(subprocess.Popen[bytes]):
    """What `subprocess.Popen` is of a child of this process, of one that another has forked."""

    def __init__(self, parent: PreloadedProcess, message: Mapping[str, Any], streams: tuple[Stream, ...]) -> None:
        self._parent = parent  # which has to live until it has reported the exit code
        self._child_created = False  # for Popen: there is nothing to be waited for by it
        self._reading = threading.Lock()
        self.args, self.returncode = message["words"], None
        self.stdin = self.stdout = self.stderr = None
        self._reports, write = os.pipe()
        end_reports = weakref.finalize(self, os.close, self._reports)  # not sooner: any thread may wait for it
        with contextlib.ExitStack() as given:  # the other process's ends
            given.callback(os.close, write)
            files = []
            for number, stream in enumerate(streams):
                if stream == subprocess.PIPE:
                    stream = self._pipe(number)
                    given.callback(os.close, stream)
                files.append(stream if isinstance(stream, int) else stream.fileno())
            with contextlib.suppress(CannotFork):
                parent.send(message, [*files, write])
        self.pid = int(os.read(self._reports, forking.ID_BYTES) or 0)
        if not self.pid:
            end_reports()
            for each in (self.stdin, self.stdout, self.stderr):
                if each is not None:
                    each.close()
            raise CannotFork

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
        threads = ThreadPoolExecutor(3)
        try:
            threads.submit(_write, self.stdin, input or b"")
            reads = [threads.submit(_read, each) for each in (self.stdout, self.stderr)]
            self.wait(timeout)
            stdout, stderr = (each.result(timeout) for each in reads)
        finally:
            threads.shutdown(wait=False)  # after the time limit they end with the process
        return stdout, stderr

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def _code(self, timeout_s: float | None) -> int | None:
        """The exit code, once it has ended, within a time; None: without a limit."""
        if self.returncode is None and _is_readable(self._reports, timeout_s):
            with self._reading:  # another thread may have read it meanwhile
                if self.returncode is None:
                    self.returncode = int(os.read(self._reports, forking.ID_BYTES) or NOT_REPORTED)
        return self.returncode


def _is_readable(file: int, timeout_s: float | None) -> bool:
    poll = select.poll()  # which takes files of any number
    poll.register(file, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))


def _write(stream: IO[bytes] | None, content: bytes) -> None:
    if stream is not None:
        with contextlib.suppress(BrokenPipeError), stream:
            stream.write(content)


def _read(stream: IO[bytes] | None) -> bytes:
    if stream is None:
        return b""
    with stream:
        return stream.read()


def _end(
    control: socket.socket, process: "subprocess.Popen[bytes]", folder: "tempfile.TemporaryDirectory[str]"
) -> None:
    control.close()
    process.wait()
    folder.cleanup()
