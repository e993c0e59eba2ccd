"""The extension is removed and added in another version: what was saved stays, and what runs goes on to its end.

az deletes the extension's folder and fills it anew. What is saved is in az's configuration folder, which it keeps.
"""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.az import EXTENSIONS, REPOSITORY, Az
from tests.helpers.short_form import IN_FULL
from tests.helpers.waiting import wait_until

OLDER = "0.0.1"
FREE_PORTS = ("--https-port", "0", "--mqtt-port", "0", "--amqp-port", "0")


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Az]:
    """az with an older version of our extension, and a hub of its that runs in the background with a data folder."""
    folder = tmp_path / "extensions" / "iotjobs"
    shutil.copytree(EXTENSIONS / "iotjobs", folder)
    (info,) = folder.glob("iotjobs-*.dist-info")
    version = info.name.removeprefix("iotjobs-").removesuffix(".dist-info")
    for path in (info / "METADATA", folder / "azext_iotjobs" / "_version.py"):
        path.write_text(path.read_text(encoding="utf-8").replace(version, OLDER), encoding="utf-8")
    info.rename(info.with_name(f"iotjobs-{OLDER}.dist-info"))
    (tmp_path / "config").mkdir()
    az = Az(tmp_path / "config", folder.parent)
    az.json("iot local-hub start --detach", *FREE_PORTS)
    try:
        yield az
    finally:
        if not folder.exists():
            add(az)
        az.run("iot local-hub stop")


def remove(az: Az) -> None:
    assert az.run("extension remove -n iotjobs").code == 0
    assert not (az.extensions / "iotjobs").exists()


def add(az: Az) -> None:
    """Add the version of this checkout: by az, or in short as az leaves it, without pip."""
    if IN_FULL:
        (wheel,) = (REPOSITORY / "dist").glob("iotjobs-*.whl")
        assert az.run("extension add --yes --source", str(wheel)).code == 0
    else:
        shutil.copytree(EXTENSIONS / "iotjobs", az.extensions / "iotjobs")


def version_of(az: Az) -> str:
    (listed,) = az.json("extension list")
    return str(listed["version"])


@contextmanager
def running(az: Az, line: str, output: Path, says: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command that goes on, once its stderr says that it does; killed at the end if it has not ended."""
    process = az.start(line, output=output)
    try:
        wait_until(f"{line} says {says!r}", lambda: says in Path(f"{output}.err").read_text())
        yield process
    finally:
        process.kill()
        process.wait()


def test_what_is_saved_stays_and_what_runs_goes_on_while_the_extension_is_replaced(older: Az, tmp_path: Path) -> None:
    az, hub = older, ("-n", "localhost")
    for device in ("d1", "d2"):
        az.json("iot hub device-identity create", *hub, "-d", device)
    az.json(
        "iot hub fleet-job create",
        *hub,
        *"-j f1 --twin-patch".split(),
        '{"tags": {"ring": 1}}',
        *"-q * --batch 1 --batch-pause 3s".split(),
    )
    az.json("iot hub fleet-job schedule set", *"-j f1 --weekly mon --at 02:30 --time-zone UTC".split())
    assert version_of(az) == OLDER
    with (
        running(az, "iot device simulate -n localhost -d d1", tmp_path / "simulator", "connected") as simulator,
        running(az, "iot hub monitor-events -n localhost --timeout 0", tmp_path / "events", "Starting") as events,
        running(az, "iot hub fleet-job run -j f1", tmp_path / "run", "atch") as run,
    ):
        remove(az)
        assert run.wait(120) == 0, (tmp_path / "run.err").read_text()
        seen = (tmp_path / "events").stat().st_size
        wait_until("events come", lambda: (tmp_path / "events").stat().st_size > seen)
        for process in (simulator, events):
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
    for name in ("simulator", "events", "run"):
        assert "Traceback" not in (tmp_path / f"{name}.err").read_text()
    add(az)
    assert version_of(az) != OLDER
    assert [job["id"] for job in az.json("iot hub fleet-job list")] == ["f1"]
    assert [run["status"] for run in az.json("iot hub fleet-job list-runs -j f1")] == ["completed"]
    assert len(az.json("iot hub fleet-job schedule list")) == 1
    assert {
        each["deviceId"] for each in az.json("iot hub query -q", "SELECT * FROM devices WHERE tags.ring = 1", *hub)
    } == {"d1", "d2"}
    assert az.run("iot local-hub stop").code == 0
    az.json("iot local-hub start --detach", *FREE_PORTS)
    assert len(az.json("iot hub device-identity list", *hub)) == 2
