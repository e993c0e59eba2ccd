"""A hub that is killed while it is brought back to a snapshot: its next start has the old state or the new one."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from azext_iotjobs.localhub.engine.snapshots import PARTS_FOLDER, RESTORING
from azext_iotjobs.localhub.testing import LocalHub, LocalHubFailed, Snapshot
from tests.helpers.short_form import IN_FULL
from tests.helpers.small_disk import filled, small_disk
from tests.helpers.snapshot_contents import dump, parts

__all__ = ["small_disk"]  # a fixture

DEVICES, EVENTS = 300, 3
ROUNDS = 30 if IN_FULL else 2
Databases = dict[str, list[str]]


class States(NamedTuple):
    """Two snapshots that have no device and no event in common."""

    old: Snapshot
    new: Snapshot


def open_hub(folder: Path) -> LocalHub:
    return LocalHub("--keep-events", data_dir=folder)


def fill(hub: LocalHub, name: str) -> Snapshot:
    hub.seed({"devices": [{"deviceId": f"{name}-{{1..{DEVICES}}}", "tags": {"note": "x" * 1000}}]})
    for number in range(EVENTS):
        hub.request("POST", f"/devices/{name}-1/messages/events", f"{name} {number}")
    return hub.snapshot()


def held(snapshot: Snapshot) -> Databases:
    return dump(snapshot.content)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[States]:
    with open_hub(tmp_path_factory.mktemp("states")) as hub:
        new = fill(hub, "new")
        hub.reset()
        yield States(fill(hub, "old"), new)


@pytest.fixture
def folder(states: States, tmp_path: Path) -> Path:
    """The data folder of a hub that has ended, and that held the old state."""
    with open_hub(tmp_path / "hub") as hub:
        hub.restore(states.old)
    return tmp_path / "hub"


@pytest.mark.parametrize("replaced", [[], ["hub.db"], ["hub.db", "events.db"]])
def test_what_was_begun_is_completed(states: States, folder: Path, replaced: list[str]) -> None:
    (folder / RESTORING).write_bytes(states.new.content)
    (folder / PARTS_FOLDER).mkdir()
    for name in replaced:
        (folder / name).write_bytes(parts(states.new.content)[name])
    with open_hub(folder) as hub:
        assert held(hub.snapshot()) == held(states.new)
    assert not (folder / RESTORING).exists() and not (folder / PARTS_FOLDER).exists()


def test_what_cannot_be_completed_is_said_and_left(states: States, folder: Path) -> None:
    (folder / RESTORING).write_bytes(states.new.content[:-1000])
    with pytest.raises(LocalHubFailed) as caught:
        open_hub(folder).start()
    assert caught.value.exit_code == 12 and f"rm -f {folder / RESTORING}" in caught.value.errors
    (folder / RESTORING).unlink()
    with open_hub(folder) as hub:
        assert held(hub.snapshot()) == held(states.old)


def test_a_full_disk_is_not_told_as_damage_and_the_snapshot_is_kept(
    states: States, folder: Path, small_disk: Path
) -> None:
    on_disk = small_disk / "hub"
    shutil.copytree(folder, on_disk)
    (on_disk / RESTORING).write_bytes(states.new.content)
    with filled(small_disk), pytest.raises(LocalHubFailed) as caught:
        open_hub(on_disk).start()
    assert caught.value.exit_code == 12 and "No space left on device" in caught.value.errors
    assert "rm -f" not in caught.value.errors and (on_disk / RESTORING).exists()
    with open_hub(on_disk) as hub:
        assert held(hub.snapshot()) == held(states.new)


@pytest.mark.parametrize("seen", [PARTS_FOLDER, f"{PARTS_FOLDER}/events.db", RESTORING])
def test_a_hub_that_is_killed_has_one_state_or_the_other(
    states: States, folder: Path, tmp_path: Path, seen: str
) -> None:
    for number in range(ROUNDS):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(folder, copy)
        with open_hub(copy) as hub:
            kill_when(lambda: (copy / seen).exists(), hub, states.new)  # noqa: B023 - it is over before the next round
            hub.start()
            assert held(hub.snapshot()) in (held(states.old), held(states.new))


def kill_when(is_there: Callable[[], bool], hub: LocalHub, snapshot: Snapshot) -> None:
    """Kill a hub that is being brought to a snapshot when something is there, or when it is done."""

    def restore() -> None:
        with suppress(LocalHubFailed):  # it is killed meanwhile
            hub.restore(snapshot)

    restoring = threading.Thread(target=restore)
    restoring.start()
    while restoring.is_alive() and not is_there():
        pass
    os.kill(hub.process.pid, signal.SIGKILL)
    restoring.join()
    hub.kill()
