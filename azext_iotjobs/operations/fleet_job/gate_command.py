"""The process of a gate's command: started without a shell unless the gate says so, ended with all that it has started.

On Linux and macOS it leads a process group of its own, so that Ctrl-C of the terminal is not meant for it, and what it
has started ends with it. On Windows, which splits the line by its own rules, taskkill ends the tree of processes.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.gates import COMMAND, CommandGate
from azext_iotjobs.model.text import Text, printable

KEPT_BYTES = 8 * 1024  # of its output: the end
CHUNK_BYTES = 4 * 1024
TERM_S = 2.0  # that it has to end by itself
OUTPUT_S = 1.0  # that the rest of its output is awaited: what it has started may hold the pipe open


def program_of(gate: CommandGate) -> str | None:
    """The program that a command starts; None: a shell. Raises BadValue for quotes that are not closed."""
    if gate.through_shell:
        return None
    try:
        return shlex.split(gate.line, posix=sys.platform != "win32")[0].strip('"')
    except ValueError as err:
        raise BadValue(
            Text(COMMAND, f" {gate.line[:60]!r}: {err}."),
            hint=Text.of("Quotes hold words together, as in a shell: {gate_command} \"./check.sh 'site north'\""),
        ) from err


def check_program(gate: CommandGate) -> None:
    """Raise BadValue for a command whose program is not there; what a shell is given is not looked at."""
    program = program_of(gate)
    if program is not None and shutil.which(program) is None:
        raise BadValue(
            Text(COMMAND, f": there is no program {program[:60]!r} that can be run."),
            hint=Text.of("Give its path, or have a shell find it: {gate_command_shell}."),
        )


def start_error(gate: CommandGate, err: Exception) -> str:
    """Why a command could not be started, in words."""
    why = err.strerror if isinstance(err, OSError) and err.strerror else str(err)
    return f"{gate.line[:60]!r} could not be started: {why}"


class GateProcess:
    """A running command. Its output is kept from the end backwards, and shown to nobody but as its last line."""

    def __init__(self, gate: CommandGate, environment: Mapping[str, str]) -> None:
        """Start it. Raises OSError, ValueError."""
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            _words(gate),
            shell=gate.through_shell,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **_own_group(),
        )
        self._output = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, seconds: float) -> int | None:
        """Its exit code, once it has ended; None: it has not within `seconds`. Less than 0: a signal ended it."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(OUTPUT_S)
        return code

    @property
    def last_line(self) -> str:
        """The last line of its output that is not blank, as it may be shown; "": there is none."""
        lines = bytes(self._output).decode("utf-8", "replace").splitlines()
        return next((shown for line in reversed(lines) if (shown := printable(line))), "")

    def end(self) -> None:
        """End it, and all that it has started."""
        if sys.platform == "win32":
            self._end_tree()
        else:
            self._end_group()
        self._reader.join(OUTPUT_S)

    def _end_group(self) -> None:
        try:
            self._signal("SIGTERM")
            self._process.wait(TERM_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal("SIGKILL")
            self._process.wait()

    def _signal(self, name: str) -> None:
        if sys.platform != "win32":
            try:
                os.killpg(self._process.pid, signal.Signals[name])
            except (ProcessLookupError, PermissionError):  # all have ended; macOS refuses it for a zombie
                pass

    def _end_tree(self) -> None:
        program = os.path.join(os.environ.get("SystemRoot", "C:\\Windows"), "System32", "taskkill.exe")
        words = [program, "/T", "/F", "/PID", str(self._process.pid)]
        try:
            subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError:  # it alone is ended then
            pass
        finally:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            while chunk := os.read(stream.fileno(), CHUNK_BYTES):
                self._output += chunk
                del self._output[:-KEPT_BYTES]


def _words(gate: CommandGate) -> str | list[str]:
    if gate.through_shell or sys.platform == "win32":  # Windows splits the line itself
        return gate.line
    return shlex.split(gate.line)


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
