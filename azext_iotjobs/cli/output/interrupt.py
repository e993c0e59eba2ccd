"""Ctrl-C as a wish to end, for commands that have something to bring to an end; so are other signals that end one."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HANG_UP = getattr(signal, "SIGHUP", None)  # the terminal is gone; Windows has none
# In the environment of a command that another process has started: it ends with that, even when that is killed. The
# other process holds the other end of the command's standard input.
ENDS_WITH_STDIN = "IOTJOBS_ENDS_WITH_STDIN"


@contextmanager
def stopped_by_ctrl_c() -> Iterator[threading.Event]:
    """Ctrl-C, a termination signal and the terminal's end set the event; a second Ctrl-C raises KeyboardInterrupt.

    So does a second termination signal. A terminal's end may be told more than once, and beside a termination signal:
    that is no impatience. Where it is ignored, as nohup has it, it stays so.
    """
    stop = threading.Event()
    if os.environ.pop(ENDS_WITH_STDIN, None):  # it is not for what this command starts in turn
        threading.Thread(target=_set_with_stdin, args=(stop,), daemon=True).start()
    came: set[int] = set()

    def on_signal(number: int, _frame: Any) -> None:
        is_impatient = stop.is_set() and number != HANG_UP and (number == signal.SIGINT or number in came)
        came.add(number)
        stop.set()
        if is_impatient:
            raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if HANG_UP is not None and signal.getsignal(HANG_UP) is not signal.SIG_IGN:
        numbers.append(HANG_UP)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_with_stdin(stop: threading.Event) -> None:
    # Not by sys.stdin's buffer: its lock, held while it waits, would have the interpreter's end abort.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()
