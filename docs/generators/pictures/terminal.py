"""A terminal whose screen can be drawn: commands run on a real pty, and an emulator makes a screen of what they write.

What is typed is run by a shell, as it stands.
"""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread

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
    """A terminal in which one command after the other is typed; a thread reads what they write."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, columns: int = COLUMNS) -> None:
        """folder: the one that commands run in.  environment: all of theirs.  columns: how wide it is."""
        self._folder = folder
        self._environment = {**environment, "TERM": "xterm-256color"}
        self._screen = pyte.Screen(columns, SCREEN_ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = Condition()  # for the screen, and for the next
        self._is_open = False  # whether a command may write more
        self._process: subprocess.Popen[bytes] | None = None
        self._reader = Thread()

    def begin(self, command: str) -> None:
        """Type a command, which may have several lines, and start it."""
        ours, theirs = pty.openpty()
        size = struct.pack("HHHH", WINDOW_ROWS, self._screen.columns, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        above = "\r\n" if self._screen.cursor.y else ""
        self._show((above + PROMPT + command.replace("\n", "\r\n") + NEW_LINE).encode())
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
        self._is_open = True
        self._reader = Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def run(self, command: str, *, code: int = 0) -> None:
        """Type a command, and wait for its end. Raises SessionFailed if its exit code is not `code`."""
        self.begin(command)
        ended = self._end()
        if ended != code:
            raise SessionFailed(f"exit code {ended}, not {code}:\n{self.text()}")

    def wait_until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait until something is so. Raises SessionFailed if the command ends before, or it takes too long.

        what: said then.  is_so: asked whenever the command has written something.
        """
        with self._changed:
            self._changed.wait_for(lambda: is_so() or not self._is_open, LIMIT_S)
            if is_so():
                return
        self.interrupt()
        raise SessionFailed(f"{what}: the command has ended, or it takes too long:\n{self.text()}")

    def interrupt(self) -> None:
        """Press Ctrl-C, and wait for the end."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGINT)
        self._end()

    def _end(self) -> int:
        """The exit code, once the command has ended."""
        process, self._process = self._process, None
        assert process is not None
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        self._reader.join(LIMIT_S)
        return code

    def _read(self, descriptor: int) -> None:
        """Show what a command writes, until it and all that it has started have closed the terminal."""
        with suppress(OSError):  # Linux: the other side is closed
            while part := os.read(descriptor, 65536):
                self._show(part)
        os.close(descriptor)
        with self._changed:
            self._is_open = False
            self._changed.notify_all()

    def _show(self, written: bytes) -> None:
        with self._changed:
            self._stream.feed(written)
            self._changed.notify_all()

    def text(self) -> str:
        """All that is on the screen."""
        return "\n".join(map(plain, self.rows()))

    def rows(self) -> list[Row]:
        """The screen, without the empty rows at its end."""
        with self._changed:
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
