"""Ctrl-C for processes of tests."""

import signal


def let_ctrl_c_work() -> None:
    """Between fork and exec: a shell that starts tests in the background has Ctrl-C ignored, as all below it has."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
