"""The hub as `iotjobs-local-hub` runs it: without az, without a data folder, ended by signals."""

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from azext_iotjobs.localhub.process.arguments import SCRIPT
from tests.helpers.az import REPOSITORY
from tests.helpers.device_certificates import make
from tests.helpers.waiting import wait_until

MODULE = "azext_iotjobs.localhub"
FREE_PORTS = ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0")
BAD_ARGUMENTS, NO_DEPENDENCY, NO_FOLDER = 2, 11, 12
COMPANY_ROOT = make("root", ca=True).pem


def start(temporary: Path, *words: str) -> "subprocess.Popen[str]":
    """A hub that keeps what is temporary in this folder, where it runs too."""
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, *words],
        cwd=temporary,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(folder: Path, *words: str) -> tuple[int, str]:
    """The exit code and the error of a hub that must not start."""
    hub = start(folder, *words)
    stdout, stderr = hub.communicate(timeout=60)
    assert stdout == ""
    return hub.returncode, stderr


def test_the_console_script_is_the_hubs_main() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'[project.scripts]\n{SCRIPT} = "{MODULE}.__main__:main"\n' in project


@pytest.mark.skipif(sys.platform == "win32", reason="its signals are others")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_without_a_data_folder_it_is_in_memory_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    hub = start(tmp_path, *FREE_PORTS)
    assert hub.stdout is not None
    ready = json.loads(hub.stdout.readline())
    (folder,) = tmp_path.iterdir()
    assert ready["inMemory"] is True and Path(ready["caCertificatePath"]).parent == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    hub.send_signal(number)
    assert hub.communicate(timeout=60) == ("", "") and hub.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="its signals are others")
def test_ctrl_c_before_it_is_ready_leaves_no_folder_and_no_traceback(tmp_path: Path) -> None:
    hub = start(tmp_path, *FREE_PORTS)
    wait_until("its folder is there", lambda: list(tmp_path.iterdir()))
    hub.send_signal(signal.SIGINT)
    _, stderr = hub.communicate(timeout=60)
    assert (hub.returncode, stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="its signals are others")
@pytest.mark.parametrize("port", ["httpsPort", "mqttPort", "amqpPort"])
def test_it_ends_without_a_word_while_several_clients_do_nothing(tmp_path: Path, port: str) -> None:
    hub = start(tmp_path, *FREE_PORTS)
    assert hub.stdout is not None
    ready = json.loads(hub.stdout.readline())
    trust = ssl.create_default_context(cafile=ready["caCertificatePath"])
    with contextlib.ExitStack() as held:
        for _ in range(3):
            plain, other = (socket.create_connection(("127.0.0.1", ready[port]), timeout=30) for _ in range(2))
            held.enter_context(plain)  # in the middle of its handshake
            held.enter_context(trust.wrap_socket(other, server_hostname="localhost"))
        hub.send_signal(signal.SIGTERM)
        assert hub.communicate(timeout=60) == ("", "") and hub.returncode == 0


ENDED = """
import asyncio, os, signal, sys
from azext_iotjobs.localhub import __main__ as hub

async def serve(config, report_ready, stop):
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()

asyncio.run(hub._serve(serve, None, end_with_stdin=False, detached=False))
for number in hub._stop_signals():
    os.kill(os.getpid(), number)
sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="its signals are others")
def test_signals_while_it_ends_do_not_end_it_before_it_has_removed_its_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    words = [sys.executable, "-c", ENDED]
    ran = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (7, "")


def test_events_are_not_kept_without_a_data_folder(tmp_path: Path) -> None:
    code, error = refused(tmp_path, "--keep-events", "2")
    assert code == BAD_ARGUMENTS and error.startswith("--keep-events stores events on disk: give --data-dir")
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_for_its_temporary_folder_it_says_what_to_give(tmp_path: Path) -> None:
    program = "import os, sys, tempfile; from azext_iotjobs.localhub.__main__ import main; "
    program += "tempfile.tempdir = os.path.join(os.getcwd(), 'gone'); sys.exit(main([]))"
    words = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == NO_FOLDER
    assert ran.stderr == "No temporary folder can be made (No such file or directory): give --data-dir.\n"


@pytest.mark.parametrize(
    ("folder", "advice"),
    [
        ("iotjobs", "az extension remove -n iotjobs"),
        ("site-packages", 'pip install "./iotjobs-….whl[local-hub]"'),
    ],
)
def test_a_dependency_that_is_missing_is_said_to_who_installed_it_with_az_or_pip(
    tmp_path: Path, folder: str, advice: str
) -> None:
    installed = tmp_path / folder
    shutil.copytree(
        REPOSITORY / "azext_iotjobs" / "localhub",
        installed / "azext_iotjobs" / "localhub",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("__init__.py", "_version.py"):
        shutil.copy(REPOSITORY / "azext_iotjobs" / name, installed / "azext_iotjobs")
    (installed / "iotjobs-0.0.1.dist-info").mkdir()
    ran = subprocess.run(
        [sys.executable, "-S", "-m", MODULE],  # -S: no site-packages
        cwd=installed,
        env={**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert ran.returncode == NO_DEPENDENCY
    (line,) = ran.stderr.splitlines()
    assert "A dependency of the local hub does not load (No module named" in line and advice in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be written: No such file or directory."),
        ("secret", "this is there, and it is not the certificate of a local hub's CA."),
        ("-----BEGIN CERTIFICATE-----\n" * 2, "this is there, and it is not the certificate of a local hub's CA."),
        (COMPANY_ROOT, "this is there, and it is not the certificate of a local hub's CA."),
    ],
)
def test_the_ca_is_copied_to_where_nothing_is_lost(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "pki" / "ca.pem"
    if content is not None:
        path.parent.mkdir()
        path.write_text(content)
    code, error = refused(tmp_path, *FREE_PORTS, "--ca-file", str(path))
    assert (code, said in error) == (NO_FOLDER, True), error
    assert (path.read_text() if path.exists() else None) == content


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_is_no_file_to_write_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    assert refused(tmp_path, *FREE_PORTS, "--ca-file", str(pipe))[0] == NO_FOLDER
    assert refused(tmp_path, *FREE_PORTS, "--ready-file", str(pipe))[0] == BAD_ARGUMENTS
    assert pipe.is_fifo()
