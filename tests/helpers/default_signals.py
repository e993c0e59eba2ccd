"""Signals for what tests start."""

import os
import signal
from typing import Any

SENT_BY_PEOPLE = ("SIGINT", "SIGHUP", "SIGQUIT", "SIGTERM")


def let_signals_work_below() -> None:
    """Have programs that this process starts act on signals that it was started to ignore itself.

    A shell that starts tests in the background has SIGINT ignored, and nohup has SIGHUP, in all that is below. A
    program has the default again for a signal that is handled here, and nothing is what that does.
    """
    for name in SENT_BY_PEOPLE if os.name != "nt" else ():
        number = getattr(signal, name)
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _do_nothing)


def _do_nothing(*_: Any) -> None:
    pass
