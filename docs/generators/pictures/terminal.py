"""A terminal whose screen can be drawn: commands run on a real pty, and an emulator makes a screen of what they write.

What is typed is run by a shell, as it stands.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pyte

from pictures.window import Row, Span, Style, plain

COLUMNS = 100
SCREEN_ROWS = 200  # more than any picture shows, so that nothing scrolls away
WINDOW_ROWS = 40  # what programs are told
LIMIT_S = 120.0  # for anything that is waited for
PROMPT = "\x1b[32m$\x1b[0m \x1b[1m"  # what is typed is bold
NEW_LINE = "\x1b[0m\r\n"


class SessionFailed(Exception):
    """A command did not do what its picture is to show."""


class Terminal:
    """A terminal in which one command after the other is typed."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, columns: int = COLUMNS) -> None:
        """folder: the one that commands run in.  environment: all of theirs.  columns: how wide it is."""
        self._folder = folder
        self._environment = {**environment, "TERM": "xterm-256color"}
        self._screen = pyte.Screen(columns, SCREEN_ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._process: subprocess.Popen[bytes] | None = None
        self._pty = -1

    def begin(self, command: str) -> None:
        """Type a command, which may have several lines, and start it."""
        ours, theirs = pty.openpty()
        size = struct.pack("HHHH", WINDOW_ROWS, self._screen.columns, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        self.show(("" if self._is_fresh else "\r\n") + PROMPT + command.replace("\n", "\r\n") + NEW_LINE)
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self._environment,
            cwd=self._folder,
            start_new_session=True,
        )
        os.close(theirs)
        self._pty = ours

    @property
    def _is_fresh(self) -> bool:
        return self._screen.cursor.y == 0

    def run(self, command: str, *, code: int = 0) -> None:
        """Type a command, and wait for its end. Raises SessionFailed if its exit code is not `code`."""
        self.begin(command)
        self.wait(code=code)

    def wait_until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Read what the command writes until something is so. what: said if that takes too long."""
        deadline = time.monotonic() + LIMIT_S
        while not is_so():
            if not self._read(deadline - time.monotonic()):
                self.interrupt()
                raise SessionFailed(f"{what}: the command has ended, or it takes too long:\n{self.text()}")

    def wait(self, *, code: int = 0) -> None:
        """Wait for the end of the command, which has to have this exit code."""
        if self._process is not None and (ended := self._end()) != code:
            raise SessionFailed(f"exit code {ended}, not {code}:\n{self.text()}")

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait for the end."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGINT)
        self._end()

    def _end(self) -> int:
        deadline = time.monotonic() + LIMIT_S
        while self._read(deadline - time.monotonic()):
            pass
        process, self._process = self._process, None
        assert process is not None
        os.close(self._pty)
        return process.wait(max(1.0, deadline - time.monotonic()))

    def show(self, text: str) -> None:
        """Put characters on the screen, as if they were written."""
        self._stream.feed(text.encode())

    def text(self) -> str:
        """All that is on the screen."""
        return "\n".join(map(plain, self.rows()))

    def rows(self) -> list[Row]:
        """The screen, without the empty rows at its end."""
        rows = [self._row(y) for y in range(SCREEN_ROWS)]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def _row(self, y: int) -> Row:
        spans: list[Span] = []
        for x in range(self._screen.columns):
            each = self._screen.buffer[y][x]
            style = Style(each.fg, each.bold)
            if spans and spans[-1].style == style:
                spans[-1] = spans[-1]._replace(text=spans[-1].text + each.data)
            else:
                spans.append(Span(x, each.data, style))
        spans = [span._replace(text=span.text.rstrip()) for span in spans]
        return tuple(span for span in spans if span.text)

    def _read(self, limit_s: float) -> bool:
        """Show what is there to be read; whether the command may write more."""
        readable, _, _ = select.select([self._pty], [], [], max(0.0, limit_s))
        if not readable:
            return False
        try:
            part = os.read(self._pty, 65536)
        except OSError:  # Linux: the other side is closed
            return False
        self._stream.feed(part)
        return bool(part)
