"""A hub that is killed while devices send: no acknowledged event is lost, and none has another one's place."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.localhub.rules.event import partition_of
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import MIGRATIONS, EventRows
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice, is_acknowledged
from tests.helpers.short_form import IN_FULL
from tests.helpers.waiting import wait_until

DEVICES, PARTITIONS = 4, 3
ROUNDS, MESSAGES = (30, 2000) if IN_FULL else (2, 300)
Place = tuple[int, int]


class Sending:
    """Devices that send as fast as they can, and what of it the hub has acknowledged."""

    def __init__(self, hub: HubProcess) -> None:
        self._devices = [self._connect(hub, f"d{number}") for number in range(DEVICES)]
        self._sent: list[tuple[bytes, Any]] = []

    def send(self, mark: str, count: int) -> None:
        for number in range(count):
            device = self._devices[number % DEVICES]
            body = f"{mark}-{number}".encode()
            self._sent.append((body, device.publish(f"devices/{device.device}/messages/events/", body, qos=1)))

    def acknowledged(self) -> set[bytes]:
        return {body for body, sent in self._sent if is_acknowledged(sent)}

    def wait_for(self, count: int) -> None:
        """Wait until the hub has acknowledged so many."""
        wait_until("the hub has acknowledged some", lambda: len(self.acknowledged()) >= count)

    def close(self) -> None:
        for each in self._devices:
            each.close()

    def _connect(self, hub: HubProcess, device: str) -> MqttDevice:
        key = hub.ok("GET", f"/devices/{device}")["authentication"]["symmetricKey"]["primaryKey"]
        connected = MqttDevice(hub, device, key)
        assert connected.connect() == 0
        return connected


def stored(folder: Path) -> dict[Place, bytes]:
    """All events on disk by their places; each partition is whole from 0."""
    with closing(Database(folder / "events.db", migrations=MIGRATIONS)) as database:
        rows = EventRows(database)
        found: dict[Place, bytes] = {}
        for partition, extent in enumerate(rows.extents()):
            at = extent.begin
            while page := rows.page(partition, at, 50):
                assert [each.sequence_number for each in page] == list(range(at, at + len(page)))
                assert all(partition_of(each.sender.address.device_id, PARTITIONS) == partition for each in page)
                found.update({(partition, each.sequence_number): each.message.body for each in page})
                at += len(page)
            assert (extent.begin, at) == (0, extent.end)
    return found


@pytest.fixture
def start(tmp_path: Path) -> Callable[[], HubProcess]:
    return lambda: HubProcess(tmp_path, "--keep-events", "--partitions", str(PARTITIONS))


def test_what_was_acknowledged_before_the_hub_was_killed_is_stored_and_stays_where_it_is(
    start: Callable[[], HubProcess], tmp_path: Path
) -> None:
    seed = random.randrange(10**9) if IN_FULL else 7
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)
    acknowledged: set[bytes] = set()
    before: dict[Place, bytes] = {}
    with start() as hub:
        for number in range(DEVICES):
            hub.new_device(f"d{number}")
    for number in range(ROUNDS):
        hub = start()
        sending = Sending(hub)
        sending.send(f"round {number}", MESSAGES)
        enough = chance.randrange(1, MESSAGES // 2)
        sending.wait_for(enough)
        hub.kill()
        sending.close()
        acknowledged |= sending.acknowledged()
        found = stored(tmp_path)
        assert found.items() >= before.items()
        times = Counter(found.values())
        assert acknowledged <= set(times)
        assert max(times.values()) == 1
        before = found
