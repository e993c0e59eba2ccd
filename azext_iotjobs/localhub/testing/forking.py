"""A program that loads modules once, and forks processes that have them loaded. It imports nothing of this package.

Its arguments are the number of a socket, and the module that forked processes run, as with `python -m`: so lists of
processes show it. Each message on the socket is JSON: `{"load": FILE}`, a file that is run for what it imports; or one
process to be, with the numbers of its stdin, stdout, stderr attached, and of a pipe for its id and its exit code. The
program ends when the other side of the socket is closed.

A forked process leads a session of its own. Ending takes as long as a short command where Python takes all apart that
is loaded: a process that ends as it means to ends at once. Others, such as those that an exception ends, take Python's
own way.
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
import sys
import threading
import time
from typing import NoReturn

MESSAGE_BYTES = 1 << 20
ID_BYTES = 16


class Forker:
    """Forks processes, and reports how they end."""

    def __init__(self, control: socket.socket, module: str) -> None:
        self._control = control
        self._module = module
        self._reports: dict[int, int] = {}  # by the id of a process: where its exit code is written
        self._woken, self._wakes = socket.socketpair()  # when a process has ended
        for each in (self._woken, self._wakes):
            each.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Do what messages say, until the other side is closed."""
        while True:
            ready = select.select([self._control, self._woken], [], [])[0]
            if self._woken in ready:
                self._woken.recv(MESSAGE_BYTES)
                self._report_ends()
            if self._control in ready:
                content, files, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 4)
                if not content:
                    return
                message = json.loads(content)
                if "load" in message:
                    _load(message["load"])
                else:
                    self._fork(message, files[:3], files[3])

    def _report_ends(self) -> None:
        while self._reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            reports = self._reports.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # nobody asks
                os.write(reports, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(reports)

    def _fork(self, message: dict[str, object], streams: list[int], reports: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._be_forked()
            os.close(reports)
            _run(self._module, streams, **message)  # type: ignore[arg-type]  # JSON, as `start` of PreloadedProcess sends it
        self._reports[pid] = reports
        with contextlib.suppress(BrokenPipeError):
            os.write(reports, str(pid).encode().ljust(ID_BYTES))
        for file in streams:
            os.close(file)

    def _be_forked(self) -> None:
        """Leave what is its parent's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for each in (self._control, self._woken, self._wakes):
            each.close()
        for file in self._reports.values():
            os.close(file)
        os.setsid()


def _load(file: str) -> None:
    runpy.run_path(file)
    gc.collect()
    gc.freeze()  # what is loaded is never looked through again, which would copy its memory


def _run(module: str, streams: list[int], *, words: list[str], folder: str, environment: dict[str, str]) -> NoReturn:
    """Be the process that was asked for, to its end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = [module, *words]
    sys.path.insert(0, os.getcwd())
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise  # a message, which Python shows
        _end_at_once(ended.code or 0)
    _end_at_once(0)


def _end_at_once(code: int) -> NoReturn:
    """Do what Python does for others at its end, and nothing of what it does for itself."""
    threading._shutdown()  # waits for threads
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (AttributeError, OSError, ValueError):  # closed, on either side: Python has an exit code for it
        sys.exit(code)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder, whose modules are nobody's top-level ones
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who reports exit codes stays until the others have ended
    Forker(socket.socket(fileno=int(sys.argv[1])), sys.argv[2]).serve()
