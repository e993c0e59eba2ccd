"""A terminal: a bash that commands are typed into, one after the other, with each one's output and exit code."""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.default_signals import let_signals_work_below
from tests.helpers.waiting import wait_until

LIMIT_S = 300.0  # of a command, and of what is waited for: the machine may be busy
END_LIMIT_S = 20.0
# Each command is read whole, so that what it runs cannot read the next one as its input. It sees the exit code of the
# one before, as `$?`. Ctrl-C ends what runs, and not the terminal.
LOOP = """
trap : INT
__code() {{ return $1; }}
__last=0
while IFS= read -r -d '' -u {read} __typed; do
  __code "$__last"
  eval "$__typed" {read}<&- {write}>&-
  __last=$?
  printf '%s\\n' "$__last" >&{write}
done
"""


class Terminal:
    """A bash in a folder, in a session of its own: Ctrl-C reaches what runs in it, and nothing else."""

    def __init__(self, folder: Path, environment: Mapping[str, str], output: Path) -> None:
        """folder: where it begins.  output: what it shows, stdout and stderr, is written there."""
        self._output = output
        typed, self._keyboard = os.pipe()
        self._codes, write = os.pipe()
        with open(output, "ab") as shown:
            let_signals_work_below()
            self._process = subprocess.Popen(
                ["bash", "--noprofile", "--norc", "-o", "pipefail", "-c", LOOP.format(read=typed, write=write)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=shown,
                stderr=shown,
                pass_fds=[typed, write],
                start_new_session=True,
            )
        os.close(typed)
        os.close(write)
        self._at = 0  # where the output of the last command begins

    def type(self, text: str) -> None:
        """Type a command; what runs before has to have ended."""
        self._at = self._output.stat().st_size
        os.write(self._keyboard, text.encode() + b"\0")

    def exit_code(self, limit_s: float = LIMIT_S) -> int:
        """Wait for the end of what was typed; gives its exit code, also where it ends the terminal."""
        if not select.select([self._codes], [], [], limit_s)[0]:
            raise AssertionError(f"not over within {limit_s:.0f} s; it has shown:\n{self.shown}")
        written = os.read(self._codes, 16)
        return int(written) if written else self._process.wait()

    def wait_for(self, text: str) -> None:
        """Wait until the last command has shown this text."""
        try:
            wait_until(text, lambda: text in self.shown or select.select([self._codes], [], [], 0)[0], limit_s=LIMIT_S)
        except AssertionError as late:
            raise AssertionError(f"{late}; it has shown:\n{self.shown}") from None
        assert text in self.shown, f"it has ended without: {text}; it has shown:\n{self.shown}"

    @property
    def shown(self) -> str:
        """What the last command has written until now."""
        with open(self._output, "rb") as file:
            file.seek(self._at)
            return file.read().decode(errors="replace")

    def press_ctrl_c(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)

    def close(self) -> None:
        """End it, with what runs in it."""
        os.close(self._keyboard)
        os.close(self._codes)
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
