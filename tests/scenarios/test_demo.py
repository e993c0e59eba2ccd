"""`make demo-rollout`: it ends what it started, and its commands and its clock are what it takes them for.

Its whole form checks itself, and takes two minutes: with IOTJOBS_TORTURE=1.
"""

import os
import re
import signal
import subprocess
import sys
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from azext_iotjobs.model.clock import parse_instant
from tests.helpers.az import EXTENSIONS, REPOSITORY, Az
from tests.helpers.short_form import IN_FULL
from tests.helpers.surface import our_arguments
from tests.helpers.waiting import wait_until

DEMO = REPOSITORY / "demo"
NOW = "from azext_iotjobs.model.clock import SystemClock, render_instant; print(render_instant(SystemClock().now()))"


def started(az: Az, folder: Path, mark: str) -> "subprocess.Popen[bytes]":
    """The demo, in a session of its own, as on a terminal. mark: in the environment of all that it starts."""
    with open(folder / "out", "wb") as output:
        return subprocess.Popen(
            [sys.executable, str(DEMO / "rollout.py")],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**az.environment, "TMPDIR": str(folder), "DEMO_MARK": mark},
            start_new_session=True,
        )


def marked(mark: str) -> list[str]:
    """The command lines of the processes that have a mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="who has started a process is read from /proc")
def test_ctrl_c_ends_the_demo_and_all_that_it_has_started(az: Az, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    demo = started(az, tmp_path, mark)
    try:
        wait_until("devices connect", lambda: "iot device simulate" in (tmp_path / "out").read_text())
        for program in ("simulate", "localhub"):
            wait_until(f"{program} runs", lambda: any(program in each for each in marked(mark)))  # noqa: B023
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(120) == 130
    finally:
        demo.kill()
        demo.wait(30)
    assert "What the demo had started has been ended." in (tmp_path / "out").read_text()
    assert marked(mark) == [] and list(tmp_path.glob("iotjobs-demo-*")) == []


@pytest.mark.skipif(not IN_FULL, reason="it takes two minutes: IOTJOBS_TORTURE=1")
def test_all_is_as_the_demo_says(az: Az, tmp_path: Path) -> None:
    assert started(az, tmp_path, "whole").wait(600) == 0, (tmp_path / "out").read_text()


def test_the_demo_types_options_that_there_are() -> None:
    known = {option for command in our_arguments().values() for each in command.values() for option in each["options"]}
    typed = set(re.findall(r'"(--?[a-z][a-z-]*)"', (DEMO / "rollout.py").read_text(encoding="utf-8")))
    assert len(typed) > 30 and typed - known == {"--query", "-o"}


def test_the_demos_clock_is_ahead_by_what_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "clock").write_text("600.5")
    environment = {
        "PYTHONPATH": str(DEMO / "moved_clock"),
        "IOTJOBS_DEMO_CLOCK": str(tmp_path / "clock"),
        "AZURE_EXTENSION_DIR": str(EXTENSIONS),
    }
    before = datetime.now(timezone.utc)
    done = subprocess.run(
        [sys.executable, "-c", NOW], env={**os.environ, **environment}, cwd=tmp_path, capture_output=True, text=True
    )
    after = datetime.now(timezone.utc)
    assert before <= parse_instant(done.stdout).at - timedelta(seconds=600.5) <= after, done.stderr
