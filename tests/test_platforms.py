"""What differs between Linux, macOS and Windows: where it is decided, and how. docs/platforms.md tells it.

Windows is not at hand here: what it lacks is taken away, or `sys.platform` says its name, while one decision is made.
`make platforms` has mypy read the package as each platform's Python would have it.
"""

import ast
import errno
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import azext_iotjobs
from azext_iotjobs.cli.hub_access.running_hubs import RunningHub
from azext_iotjobs.cli.local_hub import process as hub_in_foreground
from azext_iotjobs.cli.output import file_writing, interrupt
from azext_iotjobs.fleet_job.store import holder
from azext_iotjobs.localhub import __main__ as hub_program
from azext_iotjobs.localhub.process import limits, sockets
from azext_iotjobs.localhub.process.folder import FolderLock
from azext_iotjobs.localhub.testing.process import LocalHub
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.gates import CommandGate
from azext_iotjobs.operations.fleet_job.gate_command import GateProcess
from azext_iotjobs.transport import open_files

PACKAGE = Path(azext_iotjobs.__file__).parent
MODULES = set("fcntl grp msvcrt pty pwd resource syslog termios tty".split())
NAMES = set(
    """O_NOFOLLOW O_NONBLOCK SIGALRM SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1 add_reader add_signal_handler add_writer
    chown fchmod fork geteuid getpgid getuid kill killpg mkfifo preexec_fn process_group set_blocking setitimer
    start_new_session statvfs""".split()
)
# Each use of what one platform alone has, by the module that decides what the others do.
DECIDED = {
    "cli/hub_access/running_hubs.py": {"kill", "/proc"},
    "cli/local_hub/process.py": {"SIGHUP"},
    "cli/output/file_lock.py": {"fcntl", "msvcrt"},
    "cli/output/file_writing.py": {"O_NOFOLLOW", "O_NONBLOCK", "set_blocking"},
    "cli/output/interrupt.py": {"SIGHUP"},
    "cli/output/own_session.py": {"start_new_session"},
    "fleet_job/store/holder.py": {"kill", "/proc"},
    "operations/fleet_job/gate_command.py": {"SIGKILL", "killpg", "start_new_session"},
    "localhub/__main__.py": {"SIGHUP"},
    "localhub/process/private_files.py": {"fchmod"},
    "localhub/process/folder.py": {"fcntl", "msvcrt"},
    "localhub/process/limits.py": {"resource"},
    "localhub/testing/exec_command.py": {"SIGHUP", "SIGQUIT", "SIGUSR1", "/dev"},
    "localhub/testing/forked_process.py": {"kill", "start_new_session"},
    "localhub/testing/forking.py": {"fork"},
    "localhub/testing/pipelines.py": {"start_new_session"},
    "localhub/testing/process.py": {"start_new_session"},
    "transport/open_files.py": {"resource", "/proc", "/dev"},
}


def uses(source: str) -> Iterator[str]:
    """What a module uses that not every platform has."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from MODULES.intersection(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from MODULES.intersection([node.module])
        elif isinstance(node, ast.Attribute):
            is_of_module = isinstance(node.value, ast.Name) and node.value.id in ("os", "signal")
            if node.attr in NAMES and (is_of_module or node.attr.startswith("add_")):
                yield node.attr
        elif isinstance(node, ast.keyword):
            yield from NAMES.intersection([node.arg])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from NAMES.intersection([node.value])
            yield from (folder for folder in ("/proc", "/dev") if node.value.startswith(f"{folder}/"))


def test_what_not_every_platform_has_is_used_where_it_is_decided_and_nowhere_else() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in PACKAGE.rglob("*.py")
        if (names := set(uses(path.read_text(encoding="utf-8"))))
    }
    assert found == DECIDED


def test_no_class_is_more_than_a_named_tuple() -> None:
    """Python 3.10 has no NamedTuple with another base: a module that has one cannot be imported there."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and len(node.bases) > 1:
                names = {each.id for each in node.bases if isinstance(each, ast.Name)}
                assert "NamedTuple" not in names, f"{path}: {node.name}"


def test_the_page_of_platforms_names_every_module_that_decides() -> None:
    page = (PACKAGE.parent / "docs" / "platforms.md").read_text(encoding="utf-8")
    assert [each for each in DECIDED if f"`{each}`" not in page] == []


class LockDouble(ModuleType):
    """Windows' module for locks: one byte of a file is anybody's who comes first."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.locked: set[int] = set()

    def locking(self, file: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        inode = os.fstat(file).st_ino
        if inode in self.locked:
            raise OSError(errno.EACCES, "Permission denied")
        self.locked.add(inode)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[LockDouble]:
    """What asks for the platform is told Windows."""
    locks = LockDouble()
    monkeypatch.setitem(sys.modules, "msvcrt", locks)
    monkeypatch.setattr(sys, "platform", "win32")
    yield locks
    monkeypatch.undo()


def test_on_windows_a_folder_is_locked_by_its_own_locks(windows: LockDouble, tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert (first.is_ours, second.is_ours) == (True, False)
    first.release()


def test_on_windows_a_simulation_has_as_many_devices_as_select_takes(windows: LockDouble) -> None:
    elsewhere = len(os.listdir("/dev/fd")) + open_files.SPARE_FILES  # the tests' own process has many files open
    open_files.make_room(490 - elsewhere)
    with pytest.raises(BadValue, match="500 devices need [56].. open files, and this process may have 500"):
        open_files.make_room(500)
    limits.allow_many_files()  # where there is no limit to raise


def test_on_macos_the_limit_of_open_files_is_raised_no_higher_than_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    limit = SimpleNamespace(
        RLIMIT_NOFILE=8,
        RLIM_INFINITY=2**63 - 1,
        getrlimit=lambda _: (256, 2**63 - 1),
        setrlimit=lambda _, pair: asked.append(pair),
    )
    monkeypatch.setitem(sys.modules, "resource", limit)
    monkeypatch.setattr(sys, "platform", "darwin")
    open_files.make_room(5000)
    assert 5000 < asked[0][0] <= open_files.MACOS_FILES
    with pytest.raises(BadValue, match="this process may have 10240"):
        open_files.make_room(20_000)


def test_on_windows_a_device_of_the_system_is_opened_for_writing(
    windows: LockDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "set_blocking")
    monkeypatch.delattr(os, "O_NONBLOCK")
    file = file_writing.open_there(os.devnull, "--output-file")
    assert os.write(file, b"x") == 1
    os.close(file)


def test_on_windows_a_hub_ends_cleanly_with_its_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalHub() as hub:
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.delattr(subprocess.Popen, "terminate")  # there it would be killed
        assert hub.stop() == 0
        monkeypatch.undo()


def test_on_windows_a_hub_in_the_foreground_is_asked_to_end_by_its_standard_input(windows: LockDouble) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    hub_in_foreground._ask_to_end(child)
    assert child.wait(30) == 0


@pytest.mark.skipif(os.name == "nt", reason="a script for a shell")
def test_on_windows_a_command_of_a_gate_is_ended_with_the_tree_of_its_processes(
    windows: LockDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\nexec sleep 600\n")
    tool.chmod(0o700)
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0, raising=False)
    monkeypatch.setattr(subprocess, "run", lambda words, **_: asked.append(words))
    monkeypatch.delattr(os, "killpg")
    process = GateProcess(CommandGate(line=str(tool)), {"SystemRoot": "unused"})
    assert process.wait(0) is None
    process.end()
    ((program, *words),) = asked
    assert program.endswith("taskkill.exe") and words[:3] == ["/T", "/F", "/PID"] and int(words[3]) > 0
    assert process.wait(30) == -9, "where taskkill has not, it alone is ended"


def test_on_windows_no_process_is_asked_whether_it_lives_for_that_would_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    this = holder.this_process()
    running = RunningHub(document={"pid": os.getpid()}, state_file=Path("none"))
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.delattr(os, "kill")
    answers = (holder.is_gone(this), running.knows_its_process)
    monkeypatch.undo()
    assert answers == (False, False)


def test_on_windows_two_hubs_cannot_share_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    sock = sockets._bound("127.0.0.1", 0, "--https-port")
    monkeypatch.undo()
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
    sock.close()


def test_an_address_that_the_machine_lacks_is_said_to_be_none_of_it_and_not_taken() -> None:
    with pytest.raises(sockets.PortTaken, match=r"192\.0\.2\.1 is not an address of this machine\.$"):
        sockets._bound("192.0.2.1", 0, "--https-port")
    assert " On macOS it becomes one with: sudo ifconfig lo0 alias 127.0.0.2" in sockets._how_to_add("127.0.0.2")


def test_windows_knows_no_closed_terminal(windows: LockDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub_program._stop_signals() == [signal.SIGINT, signal.SIGTERM]
    monkeypatch.delattr(signal, "SIGHUP")
    spec = importlib.util.spec_from_file_location("interrupt_on_windows", interrupt.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.HANG_UP is None and interrupt.HANG_UP is not None
