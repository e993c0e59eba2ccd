"""A hub in the foreground ends with what interrupts its command, whenever that comes."""

import subprocess
import sys

import pytest

from azext_iotjobs.cli.local_hub.process import StartedHub, until_ended
from azext_iotjobs.model.errors import StateError

ENDS_WELL = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit({code})); print(); signal.pause()"


def started(code: int) -> StartedHub:
    """A process in a hub's place, which ends with `code` when it is asked to."""
    words = [sys.executable, "-u", "-c", ENDS_WELL.format(code=code)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return StartedHub(document={"logFile": "hub.log"}, has_new_ca=False, process=process)


@pytest.mark.skipif(sys.platform == "win32", reason="a hub ends with its standard input there")
def test_ctrl_c_while_the_ready_hub_is_told_about_ends_it_well() -> None:
    hub = started(0)
    with until_ended(hub):
        raise KeyboardInterrupt
    assert hub.process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a hub ends with its standard input there")
def test_a_hub_that_did_not_end_well_is_said() -> None:
    with (
        pytest.raises(StateError, match=r"ended with code 3; see its errors above, or hub\.log"),
        until_ended(started(3)),
    ):
        raise KeyboardInterrupt
