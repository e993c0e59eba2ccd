"""iotjobs-local-hub exec -- COMMAND: a hub for one command."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.az import REPOSITORY
from tests.helpers.waiting import wait_until

RUN = (sys.executable, "-m", "azext_iotjobs.localhub", "exec")
SAY = (
    "import json, os, re; from pathlib import Path;"
    "host, port = re.search('HostName=([^:;]+):([0-9]+)', os.environ['IOTJOBS_CONNECTION_STRING']).groups();"
    "print(json.dumps({'port': int(port), 'home': os.environ['AZURE_CONFIG_DIR'], 'pid': os.getpid()}), flush=True)"
)
WAIT = (
    "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); signal.signal(signal.SIGINT, "
    f"lambda *_: sys.exit(8)); {SAY}; signal.pause()"
)


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder)}


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*RUN, *words], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120, check=False
    )


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_the_command_has_a_hub_its_output_and_its_exit_code_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("devices: [{deviceId: pump-1}]\n")
    program = f"{SAY}; import sys; sys.exit(42)"
    ran = run(tmp_path, "--seed", "fleet.yaml", "--ready-file", "r.json", "--", sys.executable, "-c", program)
    assert ran.returncode == 42 and ran.stderr == ""
    said = json.loads(ran.stdout)
    assert not listens(said["port"]) and not Path(said["home"]).parent.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.yaml"], "the hub and what it wrote are gone"


def test_the_command_knows_the_ports_of_its_hub(tmp_path: Path) -> None:
    names = [f"IOTJOBS_LOCAL_HUB_{each}" for each in ("HTTPS_PORT", "MQTT_PORT", "AMQP_PORT")]
    program = (
        "import os, socket\n"
        f"for name in {names}:\n"
        "    socket.create_connection(('127.0.0.1', int(os.environ[name]))).close()\n"
        "print(os.environ['IOTJOBS_LOCAL_HUB_HOST_NAME'])"
    )
    ran = run(tmp_path, "--", sys.executable, "-c", program)
    assert ran.returncode == 0 and ran.stdout.startswith("localhost"), ran.stderr


def test_a_command_that_cannot_be_run_and_a_hub_that_does_not_start_have_codes_of_their_own(tmp_path: Path) -> None:
    ran = run(tmp_path, "--", "no-such-command")
    assert (ran.returncode, ran.stdout, ran.stderr) == (
        127,
        "",
        "no-such-command cannot be run: No such file or directory.\n",
    )
    ran = run(tmp_path, "--partitions", "99", "--", "true")
    assert ran.returncode == 2 and "--partitions 99: give 2 to 32" in ran.stderr
    ran = run(tmp_path, "--skus", "S1", "--", "true")
    assert ran.returncode == 2 and "error: unrecognized arguments: --skus S1" in ran.stderr
    ran = run(tmp_path, "--sku", "S1")
    assert ran.returncode == 2 and "give a command after --, such as: exec -- pytest" in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 8), (signal.SIGHUP, 128 + signal.SIGHUP)]
)
def test_signals_are_the_commands(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = start(tmp_path, WAIT)
    said = first_line(process)
    process.send_signal(number)
    assert process.wait(60) == code
    assert not listens(said["port"])


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_hub_is_gone_when_the_command_or_who_started_both_is_killed(tmp_path: Path) -> None:
    process = start(tmp_path, WAIT)
    said = first_line(process)
    os.kill(said["pid"], signal.SIGKILL)
    assert process.wait(60) == 128 + signal.SIGKILL and not listens(said["port"])
    process = start(tmp_path, WAIT)
    said = first_line(process)
    process.kill()
    process.wait(60)
    wait_until("the hub has ended", lambda: not listens(said["port"]))
    os.kill(said["pid"], signal.SIGKILL)


def start(folder: Path, program: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*RUN, "--", sys.executable, "-c", program],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # no terminal
    )


def first_line(process: "subprocess.Popen[str]") -> dict[str, int]:
    assert process.stdout is not None
    with process.stdout:
        return dict(json.loads(process.stdout.readline()))
