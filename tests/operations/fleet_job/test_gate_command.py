"""The process of a gate's command: its time limit, its end with all that it has started, what it may hold open."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.store.holder import is_gone, this_process
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import CommandGate, GateDecision, GateKind, Gates, GateVerdict
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run import Batch
from azext_iotjobs.model.run_events import Event, GateAwaited
from azext_iotjobs.model.run_state import BatchState
from azext_iotjobs.operations.fleet_job.gate_checks import GateChecks, gate_checker_factory
from azext_iotjobs.operations.fleet_job.gate_command import check_program, program_of
from tests.helpers.fleet_job_hub_double import World, definition_of
from tests.helpers.fleet_job_setup import METHOD, ids
from tests.helpers.waiting import wait_until

BATCH = Batch(ordinal=1, state=BatchState.GATED, size=3)
# Starts another process, says both numbers, and waits for long; {prepare} comes before.
PARENT = """
import os, signal, subprocess, sys, time
{prepare}
child = subprocess.Popen([sys.executable, "-c", "import time; {prepare_child}; time.sleep(600)"])
print("started", flush=True)
open(sys.argv[1] + ".part", "w").write(f"{{os.getpid()}} {{child.pid}}")
os.replace(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="process groups; Windows ends the tree by taskkill")


class CheckedGate:
    """A run whose gate is checked, with the machine's own clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World(folder / "state")
        self.store = self.world.open()
        self.events: list[Event] = []
        self.checker: GateChecks | None = None

    def check(self, line: str, *, timeout_s: float = 300, through_shell: bool = False) -> None:
        """Have the checker run a command."""
        gate = CommandGate(line=line, timeout_s=timeout_s, through_shell=through_shell)
        definition = definition_of(
            METHOD, ids(6), Driver.CALLS, sizes=parse_batch_sizes("3", "--batch"), gates=Gates(command=gate)
        )
        self.run = self.world.new_run(self.store, self.world.save(self.store, definition))
        leased = self.store.take_lease(self.run, self.world.holder, self.world.clock.now())
        made = gate_checker_factory(lambda: self.world.client)(SystemClock(), leased, definition, self.events.append)
        assert isinstance(made, GateChecks)
        self.checker = made

    def turn(self) -> GateVerdict | None:
        assert self.checker is not None
        return self.checker.turn(GateKind.COMMAND, self.run, BATCH)

    def verdict(self) -> GateVerdict:
        found: list[GateVerdict] = []

        def ended() -> bool:
            if (said := self.turn()) is not None:
                found.append(said)
            return bool(found)

        wait_until("the gate has a verdict", ended)
        return found[0]

    def parent(self, prepare: str = "", prepare_child: str = "0") -> str:
        """A command that starts another process; where it writes the numbers of both."""
        tool = self.folder / "parent.py"
        tool.write_text(PARENT.format(prepare=prepare, prepare_child=prepare_child))
        return f"'{sys.executable}' '{tool}' '{self.folder / 'pids'}'"

    def pids(self) -> list[int]:
        """Of the command and what it has started, once it has."""
        said = self.folder / "pids"

        def is_there() -> bool:
            assert self.turn() is None
            return said.exists()

        wait_until("the command has started another process", is_there)
        return [int(each) for each in said.read_text().split()]


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[CheckedGate]:
    checked = CheckedGate(tmp_path)
    yield checked
    if checked.checker is not None:
        checked.checker.close()
    checked.store.close()


def is_running(pid: int) -> bool:
    return not is_gone(replace(this_process(), pid=pid))


def test_a_command_that_takes_too_long_is_ended_with_what_it_has_started(checked: CheckedGate) -> None:
    checked.check(checked.parent(), timeout_s=3)
    pids = checked.pids()
    found = checked.verdict()
    assert found.decision is GateDecision.INCONCLUSIVE
    assert found.reason == "it was ended after 3 s. Its last line: started"
    wait_until("both have ended", lambda: not any(map(is_running, pids)))


@pytest.mark.parametrize("ignores", ["signal.signal(signal.SIGTERM, signal.SIG_IGN)", ""])
def test_a_command_whose_run_is_stopped_is_ended_with_what_it_has_started(checked: CheckedGate, ignores: str) -> None:
    checked.check(checked.parent(ignores, f"import signal; {ignores}" if ignores else "0"))
    pids = checked.pids()
    assert checked.checker is not None
    checked.checker.abandon()
    wait_until("both have ended", lambda: not any(map(is_running, pids)))
    assert checked.turn() is None, "it begins anew"


def test_its_time_limit_is_told_when_it_begins(checked: CheckedGate) -> None:
    checked.check(checked.parent(), timeout_s=90)
    checked.pids()
    (told,) = checked.events
    assert isinstance(told, GateAwaited) and told.until is not None
    assert (told.gate, told.batch, (told.until - told.since).total_seconds()) == (GateKind.COMMAND, 1, 90)


def test_what_it_leaves_running_holds_nobody_up_and_goes_on(checked: CheckedGate) -> None:
    said = checked.folder / "pid"
    checked.check(f"sleep 600 & echo $! > '{said}'; echo notified", through_shell=True)
    found = checked.verdict()
    pid = int(said.read_text())
    try:
        assert (found.decision, found.reason) == (GateDecision.GO, "notified (exit code 0)")
        assert is_running(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_signal_that_ends_it_is_told(checked: CheckedGate) -> None:
    checked.check("kill -9 $$", through_shell=True)
    assert checked.verdict().reason == "it has written nothing (a signal ended it: 9)"


def test_words_are_split_as_a_shell_does_it_and_by_no_shell() -> None:
    assert program_of(CommandGate(line="'/opt/my tools/check' --site 'north east'")) == "/opt/my tools/check"
    assert program_of(CommandGate(line="anything | at all", through_shell=True)) is None
    check_program(CommandGate(line="anything | at all", through_shell=True))
    with pytest.raises(BadValue, match="gate_command 'check \"north': No closing quotation"):
        program_of(CommandGate(line='check "north'))
    with pytest.raises(BadValue, match="there is no program '' that can be run"):
        check_program(CommandGate(line="'' x"))


def test_on_windows_backslashes_are_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert program_of(CommandGate(line=r'"C:\Program Files\check.exe" --site north')) == r"C:\Program Files\check.exe"
    assert program_of(CommandGate(line=r"C:\tools\check.exe /q")) == r"C:\tools\check.exe"
