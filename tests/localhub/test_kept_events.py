"""A hub that stores what devices send: nothing acknowledged is lost, whatever ends it or fills its disk."""

import base64
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, Sender
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import MIGRATIONS, EventRows
from azext_iotjobs.localhub.testing.process import LocalHubFailed
from tests.helpers.hub_process import HubProcess, hubs_until_the_end
from tests.helpers.mqtt_device import MqttDevice, is_acknowledged
from tests.helpers.small_disk import filled, small_disk
from tests.helpers.waiting import wait_until

__all__ = ["small_disk"]  # a fixture

UNAVAILABLE = (503, "ServiceUnavailable")
BAD_ARGUMENTS, NO_FOLDER = 2, 12
KEEP = "--keep-events"


@pytest.fixture
def start() -> Iterator[Callable[..., HubProcess]]:
    with hubs_until_the_end() as start:
        yield start


def send(hub: HubProcess, device: str, body: str) -> bool:
    """Send over HTTPS; gives whether the hub has acknowledged it."""
    return hub.request("POST", f"/devices/{device}/messages/events", {"text": body}).status_code == 204


def sent(hub: HubProcess) -> list[tuple[int, bytes]]:
    return [(each["number"], base64.b64decode(each["body"])) for each in hub.events()]


def failed_start(folder: Path, *options: str) -> LocalHubFailed:
    with pytest.raises(LocalHubFailed) as failed:
        HubProcess(folder, *options)
    assert "Traceback" not in failed.value.errors
    return failed.value


def test_events_and_their_numbers_go_on_after_a_hub_was_killed(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    hub = start(tmp_path, KEEP, "7", "--partitions", "8")
    hub.new_device("d1")
    assert send(hub, "d1", "first")
    hub.kill()
    hub = start(tmp_path, KEEP)
    assert send(hub, "d1", "second")
    assert sent(hub) == [(1, b'{"text": "first"}'), (2, b'{"text": "second"}')]
    hub.ok("POST", "/_local/reset")
    assert sent(hub) == []
    hub.new_device("d1")
    assert send(hub, "d1", "third")
    assert hub.stop() == 0
    assert [number for number, _ in sent(start(tmp_path, KEEP))] == [3]


def test_an_event_is_stored_with_the_model_that_its_device_has_announced(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    hub = start(tmp_path, KEEP)
    identity = hub.new_device("d1")
    user = f"{hub.host}/d1/?api-version=2021-04-12&model-id=dtmi:a;1"
    device = MqttDevice(hub, "d1", identity["authentication"]["symmetricKey"]["primaryKey"], username=user)
    assert device.connect() == 0
    sent = device.publish("devices/d1/messages/events/$.sub=thermostat1&alert=", b"21", qos=1)
    wait_until("it is acknowledged", sent.is_published)
    device.close()
    hub.kill()
    with closing(Database(tmp_path / "events.db", migrations=MIGRATIONS)) as database:
        (event,) = EventRows(database).newest(10)
    assert event.sender == Sender(
        address=Address("d1"),
        auth_method=AuthMethod.DEVICE_KEY,
        generation_id=identity["generationId"],
        model_id="dtmi:a;1",
    )
    assert (event.message.system, event.message.properties) == ({"componentName": "thermostat1"}, {"alert": ""})


def test_a_full_disk_refuses_what_devices_send_and_the_hub_goes_on_when_there_is_room(
    small_disk: Path, start: Callable[..., HubProcess]
) -> None:
    hub = start(small_disk / "hub", KEEP)
    device = MqttDevice(hub, "d1", hub.new_device("d1")["authentication"]["symmetricKey"]["primaryKey"])
    assert device.connect() == 0
    stored = 0
    with filled(small_disk):
        while send(hub, "d1", f"{stored} {'x' * 5000}"):
            stored += 1
        assert hub.refused("POST", "/devices/d1/messages/events", {"text": "x" * 5000}) == UNAVAILABLE
        refused = device.publish("devices/d1/messages/events/", b"x" * 5000, qos=1)
        device.wait_for_loss()
        assert not is_acknowledged(refused)
        assert [each["reason"] for each in hub.ok("GET", "/_local/troubles")] == ["the disk is full"]
    wait_until("it is over", lambda: hub.ok("GET", "/_local/troubles") == [])
    assert send(hub, "d1", "after")
    assert [number for number, _ in sent(hub)] == list(range(1, stored + 2))
    hub.kill()
    assert [number for number, _ in sent(start(small_disk / "hub", KEEP))] == list(range(1, stored + 2))
    device.close()


def test_a_damaged_file_of_events_is_named_and_the_rest_is_not_touched(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    assert start(tmp_path, KEEP).stop() == 0
    damaged = tmp_path / "events.db"
    damaged.write_bytes(b"damaged" * 1000)
    failed = failed_start(tmp_path, KEEP)
    (line,) = failed.errors.splitlines()
    assert failed.exit_code == NO_FOLDER
    assert str(damaged) in line and "it is not a database" in line and "rm -f" in line
    assert damaged.read_bytes() == b"damaged" * 1000
    assert start(tmp_path).stop() == 0  # in memory it is not read


def test_an_event_whose_row_is_damaged_does_not_keep_the_hub_from_starting_without_it(
    start: Callable[..., HubProcess], tmp_path: Path
) -> None:
    hub = start(tmp_path, KEEP)
    hub.new_device("d1")
    assert send(hub, "d1", "first") and send(hub, "d1", "second")
    assert hub.stop() == 0
    with closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as other:
        other.execute("UPDATE events SET description = 'nothing' WHERE number = 1")
    hub = start(tmp_path, KEEP)
    assert [number for number, _ in sent(hub)] == [2]


def test_the_number_of_partitions_of_stored_events_stays(start: Callable[..., HubProcess], tmp_path: Path) -> None:
    assert start(tmp_path, KEEP, "--partitions", "8").stop() == 0
    failed = failed_start(tmp_path, KEEP, "--partitions", "4")
    assert failed.exit_code == NO_FOLDER
    assert "8 partitions" in failed.errors and "--partitions 4" in failed.errors


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((KEEP, "8"), "--keep-events 8: give 1 to 7 days"),
        ((KEEP, "0"), "--keep-events 0: give 1 to 7 days"),
        ((KEEP, "--in-memory"), "give only one of them"),
        (("--partitions", "1"), "--partitions 1: give 2 to 32"),
        (("--partitions", "33"), "--partitions 33: give 2 to 32"),
        (("--consumer-groups", "good", "bad name"), "'bad name': a consumer group has"),
    ],
)
def test_settings_of_events_that_no_hub_can_have_are_refused(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    failed = failed_start(tmp_path, *options)
    assert failed.exit_code == BAD_ARGUMENTS
    assert said in failed.errors
