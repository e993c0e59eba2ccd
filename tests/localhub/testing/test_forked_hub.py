"""Hubs that are forked from a process that has loaded their modules: what differs from a start is the time alone."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azext_iotjobs.localhub.testing import LocalHub, LocalHubFailed
from azext_iotjobs.localhub.testing import forked_hub as forks
from azext_iotjobs.localhub.testing.forked_hub import HUB_FORKS, MODULE
from azext_iotjobs.localhub.testing.forked_process import (
    IS_POSSIBLE,
    NOT_REPORTED,
    CannotFork,
    ForkedProcess,
    PreloadedProcess,
)
from tests.helpers.az import REPOSITORY

pytestmark = pytest.mark.skipif(not IS_POSSIBLE, reason="hubs are forked on Linux alone")
PIPE = subprocess.PIPE
TWO_HUBS = """
from azext_iotjobs.localhub.testing import LocalHub

for _ in range(2):
    with LocalHub() as hub:
        print(type(hub.process).__name__)
"""


def start(parent: PreloadedProcess, folder: Path, program: str, *words: str) -> ForkedProcess:
    """Start a program in a folder."""
    (folder / "program.py").write_text(program)
    environment = {**os.environ, "COLOUR": "red"}
    return parent.start(words, folder, environment=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE)


@pytest.fixture
def empty(tmp_path: Path) -> PreloadedProcess:
    """A process that has loaded nothing yet."""
    return PreloadedProcess("program", os.environ)


def test_the_second_hub_of_a_program_is_forked_and_the_first_is_not() -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run([sys.executable, "-c", TWO_HUBS], env=environment, capture_output=True, text=True, timeout=120)
    assert (ran.stdout.split(), ran.returncode) == (["Popen", "ForkedProcess"], 0), ran.stderr


def test_a_forked_hub_has_a_session_an_environment_and_an_exit_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    HUB_FORKS.expect()
    bundle = tmp_path / "roots.pem"
    bundle.write_text("a root of this test\n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with LocalHub() as hub:
        assert isinstance(hub.process, ForkedProcess)
        assert MODULE.encode() in Path(f"/proc/{hub.process.pid}/cmdline").read_bytes()  # az looks for it
        assert hub.process.poll() is None and os.getsid(hub.process.pid) == hub.process.pid
        assert Path(hub.ca_bundle_path).read_text().startswith("a root of this test\n")
    assert hub.process.returncode == 0
    with LocalHub() as hub:
        assert hub.kill() == -signal.SIGKILL


def test_hubs_that_start_at_once_have_ports_and_keys_of_their_own() -> None:
    HUB_FORKS.expect()
    hubs = [LocalHub() for _ in range(3)]
    threads = [threading.Thread(target=each.start) for each in hubs]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({each.https_port for each in hubs}) == len({each.connection_string for each in hubs}) == 3
        assert len({Path(each.ca_certificate_path).read_bytes() for each in hubs}) == 3
    finally:
        for each in hubs:
            each.close()


def test_why_a_forked_hub_does_not_start_is_said() -> None:
    HUB_FORKS.expect()
    with pytest.raises(LocalHubFailed, match="no-such-option") as failure:
        LocalHub("--no-such-option").start()
    assert failure.value.exit_code == 2


def test_what_python_looks_at_only_as_it_starts_is_that_of_a_hub_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    HUB_FORKS.expect()
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    with LocalHub() as hub:
        assert not isinstance(hub.process, ForkedProcess)


def test_where_modules_do_not_load_hubs_are_started_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit(3)\n")
    monkeypatch.setattr(forks, "LOADED", broken)
    own = forks.HubForks()
    own.expect()
    with open(tmp_path / "log", "wb") as log:
        assert own.start([], tmp_path, log) is None


def test_a_forked_program_has_its_words_its_environment_its_files_and_its_folder(
    empty: PreloadedProcess, tmp_path: Path
) -> None:
    program = "import os, sys\nprint(sys.argv[1:], os.environ['COLOUR'], input(), os.getcwd())\nsys.exit(7)\n"
    process = start(empty, tmp_path, program, "a", "b c")
    stdout, stderr = process.communicate(b"typed\n", timeout=60)
    assert (stdout.decode(), stderr, process.wait()) == (f"['a', 'b c'] red typed {tmp_path}\n", b"", 7)


def test_any_thread_may_look_while_others_wait(empty: PreloadedProcess, tmp_path: Path) -> None:
    process = start(empty, tmp_path, "import sys; sys.exit(int(sys.stdin.read()))")
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None

    def look() -> int:
        while (code := process.poll()) is None:
            pass
        return code

    with ThreadPoolExecutor(8) as threads:
        codes = [threads.submit(process.wait, 60) for _ in range(6)] + [threads.submit(look) for _ in range(2)]
        with process.stdout, process.stderr, process.stdin:
            process.stdin.write(b"7")
        assert [each.result() for each in codes] == [7] * 8
    assert process.poll() == 7


def test_who_waits_for_what_a_program_writes_does_so_no_longer_than_the_limit(
    empty: PreloadedProcess, tmp_path: Path
) -> None:
    process = start(empty, tmp_path, "import time; time.sleep(600)")
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=0.01)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL


def test_a_program_that_an_exception_ends_shows_it(empty: PreloadedProcess, tmp_path: Path) -> None:
    process = start(empty, tmp_path, "raise ValueError('what is wrong')\n")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1 and b"ValueError: what is wrong" in stderr


def test_when_the_process_that_forks_is_killed_no_exit_code_is_known_and_no_other_is_forked(
    empty: PreloadedProcess, tmp_path: Path
) -> None:
    program = "import os\nprint(os.getppid(), flush=True)\ninput()\n"
    process = start(empty, tmp_path, program)
    assert process.stdout is not None and process.stdin is not None and process.stderr is not None
    os.kill(int(process.stdout.readline()), signal.SIGKILL)
    assert process.wait(60) == NOT_REPORTED
    with pytest.raises(CannotFork):
        start(empty, tmp_path, program)
    process.stdin.close()
    with process.stdout, process.stderr:  # it ends
        process.stdout.read()
