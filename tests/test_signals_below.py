"""What tests start acts on signals, whoever started the tests: in the background, or with nohup."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHOW = """
import signal, sys
print(*(signal.getsignal(getattr(signal, each)) == signal.SIG_IGN for each in sys.argv[1:]))
"""
START = """
import subprocess, sys
from tests.helpers.default_signals import SENT_BY_PEOPLE, let_signals_work_below
if sys.argv[1] == "let":
    let_signals_work_below()
subprocess.run([sys.executable, "-c", sys.argv[2], *SENT_BY_PEOPLE], check=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
@pytest.mark.parametrize(("what", "are_ignored"), [("let", False), ("leave", True)])
def test_what_is_ignored_here_is_not_ignored_below(what: str, are_ignored: bool) -> None:
    ran = subprocess.run(
        ["sh", "-c", 'trap "" INT HUP QUIT TERM; exec "$@"', "sh", sys.executable, "-c", START, what, SHOW],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(ran.stdout.split()) == {str(are_ignored)}
