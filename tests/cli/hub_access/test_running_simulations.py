"""State files of simulations: what others see of one that runs, of one that was killed, and how they end one."""

import json
import os
import stat
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from azext_iotjobs.cli.hub_access import running_simulations as simulations
from azext_iotjobs.cli.hub_access.running_simulations import StateFile
from azext_iotjobs.cli.output.file_lock import lock
from azext_iotjobs.model.errors import NotFound, StateError
from tests.helpers.clock_double import ClockDouble

ID = "20261129-120000-0a1b2c3d"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    return tmp_path / "iotjobs" / "running-simulations"


def test_one_is_seen_while_it_runs_by_its_owner_alone(folder: Path) -> None:
    state = StateFile(ID, {"hub": "h"})
    assert list(simulations.running_simulations()) == [], "it has not said anything"
    state.write({"connected": 1})
    (found,) = simulations.running_simulations()
    assert (found["id"], found["hub"], found["connected"], found["isEnding"]) == (ID, "h", 1, False)
    assert [stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()] == [0o600, 0o600]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    state.write({"connected": 2})
    assert simulations.running_simulation(ID)["connected"] == 2
    state.close()
    assert list(folder.iterdir()) == []


def test_what_a_killed_one_leaves_is_removed_whoever_has_its_process_id(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / f"{ID}.lock").touch()
    (folder / f"{ID}.json").write_text(json.dumps({"id": ID, "pid": 1}))
    assert list(simulations.running_simulations()) == [] and list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"id": '])
def test_a_file_that_cannot_be_read_is_no_simulation(folder: Path, content: bytes) -> None:
    state = StateFile(ID, {})
    state.write({})
    (folder / f"{ID}.json").write_bytes(content)
    assert list(simulations.running_simulations()) == []
    state.close()


def test_one_is_told_to_end_and_waited_for(folder: Path) -> None:
    state = StateFile(ID, {})
    state.write({})
    assert not state.is_stop_requested
    simulations.request_stop(ID)
    assert state.is_stop_requested and simulations.running_simulation(ID)["isEnding"]
    with pytest.raises(StateError, match="still runs"):
        simulations.wait_until_ended(ID, ClockDouble())
    state.close()
    simulations.wait_until_ended(ID, ClockDouble())
    with pytest.raises(NotFound):
        simulations.request_stop(ID)


def test_an_id_is_no_path(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder.parent / "secret.log").write_text("secret")
    with pytest.raises(NotFound):
        simulations.running_simulation("../secret")
    assert simulations.log_end("../secret") == ""


def test_the_end_of_a_long_log_begins_with_a_whole_line() -> None:
    log = simulations.log_of(ID)
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    found = simulations.log_end(ID)
    assert found.endswith("line 9999\n") and found.startswith("line ") and len(found) <= simulations.MAX_LOG_BYTES


NOW = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)


def write_logs(count: int, *, age: timedelta) -> list[Path]:
    """Logs of simulations, the oldest first, all last written so long ago."""
    paths = [simulations.log_of(f"20261101-120000-{number:08x}") for number in range(count)]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for path in paths:
        path.write_text("ended")
        written_at = (NOW - age).timestamp()
        os.utime(path, (written_at, written_at))
    return paths


def left() -> list[Path]:
    return sorted(simulations.log_of("").parent.iterdir())


def test_of_old_logs_the_newest_are_kept() -> None:
    paths = write_logs(simulations.KEPT_LOGS + 3, age=timedelta(days=2))
    simulations.remove_old_logs(NOW)
    assert left() == paths[3:]
    simulations.remove_old_logs(NOW)
    assert left() == paths[3:]


def test_all_logs_of_the_last_day_are_kept_and_what_is_no_log_of_a_simulation() -> None:
    paths = write_logs(simulations.KEPT_LOGS + 3, age=timedelta(hours=23))
    (other := simulations.log_of("mine")).write_text("")
    simulations.remove_old_logs(NOW)
    assert left() == [*paths, other]
    simulations.remove_old_logs(NOW + timedelta(hours=2))
    assert left() == [*paths[3:], other]


def test_the_log_of_one_that_runs_is_kept_however_old_it_is(folder: Path) -> None:
    paths = write_logs(simulations.KEPT_LOGS + 4, age=timedelta(days=90))
    state = StateFile(paths[1].stem, {})
    with open(paths[2], "ab") as log:  # its state file could not be written
        assert lock(log.fileno())
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=log)
    simulations.remove_old_logs(NOW)
    assert left() == [paths[1], paths[2], *paths[4:]]
    state.close()
    process.communicate(b"\n")
    simulations.remove_old_logs(NOW)
    assert left() == paths[4:]
    assert list(folder.iterdir()) == []


def test_without_a_folder_of_logs_nothing_is_removed() -> None:
    simulations.remove_old_logs(NOW)


def test_a_lock_leaves_the_position_in_its_file(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb", buffering=0) as file:
        file.write(b"one")
        assert lock(file.fileno())
        file.write(b" two")
    assert (tmp_path / "log").read_bytes() == b"one two"
