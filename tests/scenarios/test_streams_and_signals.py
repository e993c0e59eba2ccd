"""Who closes a stream, leaves a pipe or closes the terminal costs a command none of its work and sees no traceback."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ScenarioHub
from tests.helpers.az import AZ, TIMEOUT_S
from tests.helpers.waiting import wait_until

ONCE = ("--msg-count", "1", "--msg-interval", "1")


def shell(hub: ScenarioHub, script: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a script in which `az` is "$0" and `words` are "$@"."""
    return subprocess.run(
        ["bash", "-c", script, str(AZ), *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=hub.az.environment,
        cwd=hub.az.config_dir,
        check=False,
    )


def query(hub: ScenarioHub) -> tuple[str, ...]:
    return ("iot", "hub", "query", "-n", hub.name, "-q", "SELECT deviceId FROM devices")


@pytest.fixture(scope="module")
def device(hub: ScenarioHub) -> str:
    hub.new_device("streams-1")
    return "streams-1"


@pytest.fixture(scope="module")
def commands(hub: ScenarioHub, device: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    folder = tmp_path_factory.mktemp("streams")
    created = ("iot", "hub", "fleet-job", "create", "-n", hub.name, "--state-dir", str(folder), "-j", "streams")
    hub.az.json(*created, "--twin-patch", '{"tags": {"a": 1}}', "--device-ids", device)
    called = "--mn x --timeout 5 --ct 0 --exit-zero"
    return {
        "fleet-job run": ("iot", "hub", "fleet-job", "run", "--state-dir", str(folder), "-j", "streams"),
        "simulate": ("iot", "device", "simulate", "-n", hub.name, "-d", device, *ONCE),
        "simulate many": ("iot", "device", "simulate", "-n", hub.name, "--device-ids", device, *ONCE),
        "simulate http": ("iot", "device", "simulate", "-n", hub.name, "-d", device, "--protocol", "http", *ONCE),
        "query": query(hub),
        "invoke": (
            *"iot hub invoke-device-method -n".split(),
            hub.name,
            *called.split(),
            "--device-ids",
            f"{device},{device}-2",
        ),
    }


COMMANDS = ["fleet-job run", "simulate", "simulate many", "simulate http", "query", "invoke"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_no_exit_code(
    hub: ScenarioHub, commands: dict[str, tuple[str, ...]], command: str, closed: str
) -> None:
    ran = shell(hub, f'"$0" "$@" {closed}', *commands[command])
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr and "Error" not in ran.stderr
    if command == "query" and closed == "2>&-":
        assert json.loads(ran.stdout)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("left", ["| true", "2> >(true)", "2>&1 | true"])
def test_a_reader_that_has_left_changes_no_exit_code(
    hub: ScenarioHub, commands: dict[str, tuple[str, ...]], command: str, left: str
) -> None:
    ran = shell(hub, f'"$0" "$@" {left}; exit ${{PIPESTATUS[0]}}', *commands[command])
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr and "BrokenPipe" not in ran.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_result_that_finds_no_room_is_an_error(hub: ScenarioHub, commands: dict[str, tuple[str, ...]]) -> None:
    run = commands["fleet-job run"]
    assert hub.az.run(*run).code == 0
    rows = tuple("results" if word == "run" else word for word in run)
    for command in (commands["query"], (*rows, "--output-file", "-")):
        ran = shell(hub, '"$0" "$@" > /dev/full', *command)
        assert ran.returncode == 1 and "could not be written to stdout: No space left" in ran.stderr
        assert "Traceback" not in ran.stderr and "Exception ignored" not in ran.stderr


def test_events_end_when_their_reader_has_had_enough(hub: ScenarioHub, device: str) -> None:
    for _ in range(2):
        send = ("iot", "device", "send-d2c-message", "-n", hub.name, "-d", device, "--data", "x")
        assert hub.az.run(*send).code == 0
    events = ("iot", "local-hub", "events", "--https-port", hub.name.rpartition(":")[2], "--msg-count", "500")
    ran = shell(hub, '"$0" "$@" --timeout 20 | head -n 1; exit ${PIPESTATUS[0]}', *events)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_closes_still_has_made_devices_removed(
    hub: ScenarioHub, tmp_path: Path, number: signal.Signals
) -> None:
    words = ("--prefix", "hup-", "--count", "2", "--create", "--delete-after")
    run = hub.az.start(f"iot device simulate -n {hub.name}", *words, output=tmp_path / "o")
    wait_until("it runs", lambda: "All 2 devices are connected" in (tmp_path / "o.err").read_text())
    run.send_signal(number)
    if number == signal.SIGHUP:
        run.send_signal(number)  # a shell and the system may both tell it
    assert run.wait(30) == 0
    result = json.loads((tmp_path / "o").read_text())
    assert (result["endedBy"], result["creation"]["deleted"]) == ("stopped", 2)


def test_a_simulation_whose_terminal_is_gone_removes_what_it_made(hub: ScenarioHub) -> None:
    """A real terminal: its end is a signal, and every later write fails."""
    main, side = os.openpty()
    words = (
        "iot",
        "device",
        "simulate",
        "-n",
        hub.name,
        "--prefix",
        "tty-",
        "--count",
        "2",
        "--create",
        "--delete-after",
    )
    run = subprocess.Popen(
        [str(AZ), *words],
        stdin=side,
        stdout=side,
        stderr=side,
        env=hub.az.environment,
        cwd=hub.az.config_dir,
        start_new_session=True,
        preexec_fn=_has_terminal,
    )
    os.close(side)
    seen = b""
    while b"All 2 devices are connected" not in seen:
        seen += os.read(main, 4096)
    os.close(main)
    run.wait(60)
    rows = hub.az.json(f"iot hub query -n {hub.name} -q 'SELECT deviceId FROM devices'")
    assert [each for each in rows if each["deviceId"].startswith("tty-")] == []


def test_nohup_keeps_a_simulation_alive(hub: ScenarioHub, tmp_path: Path, device: str) -> None:
    with open(tmp_path / "o", "wb") as output, open(tmp_path / "e", "wb") as errors:
        run = subprocess.Popen(
            ["nohup", str(AZ), "iot", "device", "simulate", "-n", hub.name, "-d", device],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=hub.az.environment,
            cwd=hub.az.config_dir,
        )
    said = tmp_path / "e"
    wait_until("it runs", lambda: "connected" in said.read_text())
    run.send_signal(signal.SIGHUP)
    events = ("iot", "local-hub", "events", "--https-port", hub.name.rpartition(":")[2], "-d", device)
    assert len(hub.az.run(*events, "--msg-count", "3").stdout.splitlines()) == 3
    assert run.poll() is None, "it goes on"
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 0


def _has_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
