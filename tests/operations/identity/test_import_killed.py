"""An import whose process is killed, again and again: every row has one result, and every device was created once."""

import csv
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.hub_process import HubProcess
from tests.helpers.import_process import imported
from tests.helpers.killable_process import KillableProcess, needs_fork

COUNT = 250  # three requests
NEVER = -1

pytestmark = needs_fork


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    process = HubProcess(tmp_path / "hub", "--in-memory")
    yield process
    process.stop()


def ended(hub: HubProcess, folder: Path, kill_at: int) -> int:
    """Import until it is killed, or all is done; gives the exit code."""
    return KillableProcess(imported, hub, folder, COUNT, kill_at).end()


def test_kill_9_at_any_moment_loses_no_row_and_creates_no_device_twice(hub: HubProcess, tmp_path: Path) -> None:
    other = hub.new_device("killed-120")  # somebody else's: it is never taken for one of the import's
    for kill_at in (1, 1, 2):  # after the first request, after it was repeated, and before the second
        assert ended(hub, tmp_path, kill_at) == -signal.SIGKILL
    assert ended(hub, tmp_path, NEVER) == 0
    with open(tmp_path / "results.csv", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [each["deviceId"] for each in found] == [f"killed-{number}" for number in range(COUNT)]
    statuses = {each["deviceId"]: each["status"] for each in found}
    assert statuses.pop("killed-120") == "skipped"
    assert set(statuses.values()) == {"created"}
    assert hub.ok("GET", "/devices/killed-120") == other
    counted = hub.ok("POST", "/devices/query", {"query": "SELECT COUNT() AS n FROM devices"})
    assert counted == [{"n": COUNT}]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["hub", "results.csv"]
