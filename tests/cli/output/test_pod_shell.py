"""How a pod ends: az is told whatever starts it, and its exit code is the container's."""

import os
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from azext_iotjobs.cli.output import pod_shell
from tests.helpers.pods import words_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="containers of Windows run no sh")
LIMIT_S = 30
# What simulate does: it waits until it is to stop, and prints its result then.
AZ = """
import sys
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
with stopped_by_ctrl_c() as stop:
    print("started", *sys.argv[1:], flush=True)
    came = "--at-once" in sys.argv or stop.wait({limit})
print("the result" if came else "not stopped", flush=True)
sys.exit(4)
"""
SCRIPTS = {
    "as in the official images": '#!/usr/bin/env bash\n"{python}" "{az}" "$@"\n',
    "as pip installs it": '#!/bin/sh\nexec "{python}" "{az}" "$@"\n',
    "in two scripts": '#!/usr/bin/env bash\nbash -c \'"{python}" "{az}" "$@"; exit $?\' az "$@"\nexit $?\n',
}
FIRST = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


@cache
def is_first_possible() -> bool:
    """Whether this user may start a process that is the first one of its namespace."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*FIRST, "true"], capture_output=True, check=False, timeout=LIMIT_S).returncode == 0


@pytest.fixture(params=sorted(SCRIPTS))
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where az is found, as a script of one of these shapes."""
    program, script = tmp_path / "az.py", tmp_path / "az"
    program.write_text(AZ.format(limit=LIMIT_S))
    script.write_text(SCRIPTS[request.param].format(python=sys.executable, az=program))
    script.chmod(0o755)
    return f"{tmp_path}:{os.defpath}"


def started(path: str, tmp_path: Path, before: tuple[str, ...], *arguments: str) -> "subprocess.Popen[str]":
    words = words_of({"command": pod_shell.command("--more $((1 + 1))"), "args": arguments}, {})
    root = str(Path(pod_shell.__file__).parents[3])
    return subprocess.Popen(
        [*before, *words],
        env={"PATH": path, "PYTHONPATH": root, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("is_first", [True, False])
def test_az_is_told_that_its_pod_is_stopped(path: str, tmp_path: Path, number: int, is_first: bool) -> None:
    if is_first and not is_first_possible():
        pytest.skip("this user may make no namespace of processes")
    process = started(path, tmp_path, FIRST if is_first else (), "a b", "$(c)")
    assert process.stdout is not None
    assert process.stdout.readline() == "started a b $(c) --more 2\n"
    assert not list(tmp_path.glob("iotjobs-stop-*"))
    os.kill(first_of(process) if is_first else process.pid, number)
    assert process.communicate(timeout=LIMIT_S)[0] == "the result\n"
    assert process.returncode == 4


def test_a_pod_is_stopped_twice_while_az_still_starts(path: str, tmp_path: Path) -> None:
    az, started_az, go = tmp_path / "az", tmp_path / "started-az", tmp_path / "go"
    az.rename(started_az)
    az.write_text(f'#!/bin/sh\necho starts\nuntil [ -e "{go}" ]; do sleep 0.1; done\n"{started_az}" "$@"\n')
    az.chmod(0o755)
    process = started(path, tmp_path, ())
    assert process.stdout is not None
    assert process.stdout.readline() == "starts\n"
    for _ in range(2):
        process.terminate()
    go.touch()
    assert process.communicate(timeout=LIMIT_S)[0].endswith("the result\n")
    assert process.returncode == 4


def test_a_pod_ends_when_az_does(path: str, tmp_path: Path) -> None:
    process = started(path, tmp_path, (), "--at-once")
    assert process.communicate(timeout=LIMIT_S)[0].endswith("the result\n")
    assert process.returncode == 4


@pytest.mark.parametrize("code", [0, 3, 127, 137, 143])
def test_the_exit_code_is_that_of_az(tmp_path: Path, code: int) -> None:
    (tmp_path / "az").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "az").chmod(0o755)
    process = started(f"{tmp_path}:{os.defpath}", tmp_path, ())
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == code


def first_of(process: "subprocess.Popen[str]") -> int:
    """The process that is 1 in its namespace."""
    (first,) = children_of(process.pid)
    return first


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False, timeout=LIMIT_S)
    return [int(each) for each in found.stdout.split()]
