"""The line that changes in place: one at a time, and never in front of what stays."""

import os
import pty
import select

import pytest

from azext_iotjobs.cli.hub_access.resolve import _warn_waiting
from azext_iotjobs.cli.output.status_line import StatusLine


def seen(terminal: int) -> str:
    """What has come to a terminal, until nothing more comes."""
    parts = []
    while select.select([terminal], [], [], 0.2)[0]:
        parts.append(os.read(terminal, 4096).decode())
    return "".join(parts)


def test_on_a_terminal_it_is_replaced_cut_and_gone_before_somebody_else_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        line = StatusLine()
        line.show("10 of 20")
        line.show("x" * 500)
        assert seen(ours) == "\r10 of 20\x1b[K" + "\r" + "x" * 79 + "\x1b[K"
        _warn_waiting("The hub answered 429.", 10, 120)
        assert seen(ours).startswith("\r\x1b[K")
        StatusLine.clear_any()
        assert seen(ours) == "", "nothing was there to be cleared"
        silent = StatusLine(is_silent=True)
        silent.show("10 of 20")
        silent.clear()
        assert seen(ours) == ""
    os.close(ours)


def test_without_a_terminal_there_is_no_status_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = StatusLine()
    line.show("10 of 20")
    line.clear()
    assert not line.is_live and capsys.readouterr().err == ""
