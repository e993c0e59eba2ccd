"""What the demos are made of: az commands that are shown as they are typed, checks, and what ends with the demo."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

AZ = str(Path(sys.executable).with_name("az"))
WAIT_LIMIT_S = 120.0  # for anything that is waited for; on a busy machine an az call alone takes seconds
COMMAND_LIMIT_S = 300.0
INTERRUPTED = 130  # the exit code of what Ctrl-C has ended


class StepFailed(Exception):
    """A step did not show what it should."""


class Commands:
    """az commands in one folder, which is not the checkout: az would run the code there, not the extension."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}  # beside that of this process

    def az(self, *words: str, code: int = 0, quietly: bool = False) -> Any:
        """Run an az command; give its JSON result, or None where it is no JSON.

        code: its exit code; another one ends the demo.  quietly: nothing of it is shown, unless it ends otherwise.
        """
        if not quietly:
            say(f"\n$ {typed(words)}")
        stderr = subprocess.PIPE if quietly else None
        process = self._started(words, stdout=subprocess.PIPE, stderr=stderr)
        try:
            written, errors = process.communicate(timeout=COMMAND_LIMIT_S)
        except KeyboardInterrupt:
            end(process)  # on a terminal it has had the same Ctrl-C; where it had not, it has this one
            raise
        if not quietly or process.returncode != code:
            shown = without_secrets(written.decode()) + (errors or b"").decode()
            say(shown.strip() + (f"\n(exit code {process.returncode})" if process.returncode else ""))
        if process.returncode != code:
            raise StepFailed(f"`{typed(words)}` ended with exit code {process.returncode}, not {code}")
        return _parsed(written)

    def begin(self, *words: str, output: Path, at_end: ExitStack) -> "subprocess.Popen[bytes]":
        """Start an az command that lasts; when the demo ends, it is ended as by Ctrl-C.

        output: the file of what it writes.
        """
        say(f"\n$ {typed(words)} &")
        with open(output, "wb") as stream:
            # A session of its own: a Ctrl-C on the terminal is for the demo, which ends it in turn.
            process = self._started(words, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
        at_end.callback(end, process)
        return process

    def _started(self, words: tuple[str, ...], **how: Any) -> "subprocess.Popen[bytes]":
        environment: Mapping[str, str] = {**os.environ, **self.environment}
        return subprocess.Popen([AZ, *words], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, **how)


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process of `begin` as Ctrl-C does, and wait for it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(WAIT_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()


def run(demo: Callable[[ExitStack], None], done: str) -> int:
    """Run a demo to its end, and end what it has started; gives the exit code.

    demo: its steps; what is to be ended it adds to the stack.  done: what is said when all was as it should be.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as at_end:
            demo(at_end)
    except StepFailed as failure:
        say(f"\nFAILED: {failure}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted. What the demo had started has been ended.")
        return INTERRUPTED
    say(f"\n{done}")
    return 0


def check(what: str, came_true: bool, *, quietly: bool = False) -> None:
    if not came_true:
        raise StepFailed(f"expected: {what}")
    if not quietly:
        say(f"ok: {what}")


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_LIMIT_S
    while not condition():
        check(f"{what} (within {WAIT_LIMIT_S:.0f} s)", time.monotonic() < deadline, quietly=True)
        time.sleep(0.2)
    say(f"ok: {what}")


def free_ports() -> tuple[str, ...]:
    """Options of `local-hub start`: none where its usual ports are free, else any free ones."""
    return () if all(map(_is_free, (8443, 8883))) else ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0")


def typed(words: Any) -> str:
    """A command as a person types it in a shell."""
    return " ".join(["az", *map(_quoted, words)])


def without_secrets(text: str) -> str:
    """The demo's keys are worth nothing, but a log that shows keys teaches the wrong habit."""
    return re.sub(r'(SharedAccessKey=|(?:primary|secondary)Key": ")[A-Za-z0-9+/=]+', r"\1***", text)


def heading(text: str) -> None:
    say(f"\n{'=' * len(text)}\n{text}\n{'=' * len(text)}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _quoted(word: str) -> str:
    quoted = shlex.quote(word)
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else quoted


def _parsed(written: bytes) -> Any:
    try:
        return json.loads(written) if written.strip() else None
    except ValueError:  # a table
        return None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        if os.name != "nt":  # there, the option means "take it even if it is in use"
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
