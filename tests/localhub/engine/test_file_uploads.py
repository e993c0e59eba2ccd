"""How many uploads are open, and how services read notifications of those that have ended."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.engine.file_notifications import FileNotifications
from azext_iotjobs.localhub.engine.file_uploads import FileUploadService
from azext_iotjobs.localhub.errors import (
    ARGUMENT_INVALID,
    DEVICE_MAXIMUM_ACTIVE_FILE_UPLOAD_LIMIT_EXCEEDED,
    DEVICE_MESSAGE_LOCK_LOST,
    FORMAT_ERROR,
    Fault,
    HubError,
)
from azext_iotjobs.localhub.rules.blob_sas import StorageAccount
from azext_iotjobs.localhub.rules.file_upload import MAX_DELIVERIES, MAX_OPEN, UPLOAD_LIFE
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.file_uploads import FileUploads
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.twins import Twins
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns, within_limit


class Hub:
    """File upload over a database in memory, with two devices."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.database = Database(None)
        self.identities = Identities(self.database, Twins(self.database))
        for device in ("pump", "valve"):
            self.identities.create(Identity(device_id=device, generation_id="1", etag=1, sign_in="sas"), new_twin(""))
        self.storage = Storage(folder, StorageAccount("localhost:8443", b"key"))
        uploads = FileUploads(self.database)
        self.notifications = FileNotifications(self.database, uploads, self.clock)
        self.service = FileUploadService(self.database, uploads, self.notifications, self.storage, self.clock)

    def upload(self, name: str = "a.txt", content: bytes = b"12345") -> None:
        place = self.service.begin("pump", name)
        container = self.storage.container(place.container)
        assert container is not None
        with container.write(place.blob) as writer:
            writer.write(content)
            writer.commit()
        self.service.end("pump", place.correlation_id, is_success=True)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    yield made
    made.database.close()


def fault_of(caught: pytest.ExceptionInfo[HubError]) -> Fault:
    return caught.value.fault


def test_a_device_has_at_most_ten_open_uploads_until_they_end_or_expire(hub: Hub) -> None:
    ids = [hub.service.begin("pump", f"{number}").correlation_id for number in range(MAX_OPEN)]
    with pytest.raises(HubError) as caught:
        hub.service.begin("pump", "more")
    assert fault_of(caught) is DEVICE_MAXIMUM_ACTIVE_FILE_UPLOAD_LIMIT_EXCEEDED
    hub.service.begin("valve", "its own")
    hub.service.end("pump", ids[0], is_success=False)
    hub.service.begin("pump", "more")
    hub.clock.advance(UPLOAD_LIFE.total_seconds())
    hub.service.begin("pump", "much later")


def test_an_upload_is_ended_once_and_by_its_device(hub: Hub) -> None:
    place = hub.service.begin("pump", "a")
    for device, correlation_id in (("valve", place.correlation_id), ("pump", "unknown")):
        with pytest.raises(HubError) as caught:
            hub.service.end(device, correlation_id, is_success=True)
        assert fault_of(caught) is FORMAT_ERROR
    hub.service.end("pump", place.correlation_id, is_success=False)
    with pytest.raises(HubError):
        hub.service.end("pump", place.correlation_id, is_success=False)


@pytest.mark.parametrize("name", ["", "/", "a\x00b", "x" * 1024])
def test_a_name_that_no_blob_has_is_refused_and_opens_nothing(hub: Hub, name: str) -> None:
    with pytest.raises(HubError) as caught:
        hub.service.begin("pump", name)
    assert fault_of(caught) is ARGUMENT_INVALID
    assert hub.database.rows("SELECT * FROM file_uploads") == []


def test_a_notification_describes_the_file(hub: Hub) -> None:
    hub.upload("ü b.txt")
    taken = hub.notifications.take()
    assert taken is not None
    document = json.loads(taken.body)
    assert {name: document[name] for name in ("deviceId", "blobName", "blobUri", "blobSizeInBytes")} == {
        "deviceId": "pump",
        "blobName": "pump/ü b.txt",
        "blobUri": "https://localhost:8443/localhub/uploads/pump/%C3%BC%20b.txt",
        "blobSizeInBytes": 5,
    }


def test_of_a_failure_or_of_a_file_that_is_not_there_nobody_is_notified(hub: Hub) -> None:
    for is_success in (True, False):
        hub.service.end("pump", hub.service.begin("pump", "none").correlation_id, is_success=is_success)
    assert hub.notifications.take() is None


def test_when_the_clock_is_moved_beyond_its_lock_a_notification_is_there_again_at_once(hub: Hub) -> None:
    async def main(_loop: MovedLoop) -> None:
        news = asyncio.Event()
        hub.upload()
        assert hub.notifications.take() is not None
        hub.notifications.news.subscribe(news.set)
        task = asyncio.ensure_future(hub.notifications.run())
        await turns()
        assert not news.is_set()
        hub.clock.move(timedelta(seconds=61))
        await within_limit(news.wait())
        task.cancel()

    run(main)
    assert hub.notifications.take() is not None


def test_a_notification_is_locked_comes_again_and_is_completed(hub: Hub) -> None:
    hub.upload()
    first = hub.notifications.take()
    assert first is not None and hub.notifications.take() is None
    hub.notifications.abandon(first.lock_token)
    second = hub.notifications.take()
    assert second is not None
    assert hub.database.rows("SELECT delivery_count FROM file_notifications")[0]["delivery_count"] == 2
    hub.clock.advance(61)
    with pytest.raises(HubError) as caught:
        hub.notifications.complete(second.lock_token)
    assert fault_of(caught) is DEVICE_MESSAGE_LOCK_LOST
    third = hub.notifications.take()
    assert third is not None
    hub.notifications.complete(third.lock_token)
    hub.clock.advance(61)
    assert hub.notifications.take() is None


def test_a_notification_expires_and_is_delivered_only_so_often(hub: Hub) -> None:
    hub.upload("expires")
    hub.clock.advance(3600)
    assert hub.notifications.take() is None
    hub.upload("wears out")
    for _ in range(MAX_DELIVERIES):
        taken = hub.notifications.take()
        assert taken is not None
        hub.notifications.abandon(taken.lock_token)
    assert hub.notifications.take() is None


def test_who_listens_is_told_of_what_is_new_or_free_again(hub: Hub) -> None:
    told: list[str] = []
    end = hub.notifications.news.subscribe(lambda: told.append("news"))
    hub.upload()
    assert len(told) == 1
    taken = hub.notifications.take()
    assert taken is not None
    hub.notifications.abandon(taken.lock_token)
    assert len(told) == 2
    end()
    hub.upload("b")
    assert len(told) == 2


def test_a_device_that_is_deleted_takes_its_uploads_along(hub: Hub) -> None:
    place = hub.service.begin("pump", "a")
    hub.database.change("DELETE FROM identities WHERE device_id = 'pump'")
    with pytest.raises(HubError):
        hub.service.end("pump", place.correlation_id, is_success=True)
