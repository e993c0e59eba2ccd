"""Notifications of uploaded files: a queue that services read over AMQP or HTTPS, and settle.

A notification is locked for the service that took it, until it is completed or abandoned, or the lock ends. One that
was delivered too often, or that has expired, is removed.
"""

import uuid

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.locked_queue import LockedBatch, News
from azext_iotjobs.localhub.errors import DEVICE_MESSAGE_LOCK_LOST, HubError
from azext_iotjobs.localhub.process.background import run_by_clock
from azext_iotjobs.localhub.rules.file_upload import MAX_DELIVERIES, NOTIFICATION_LIFE, NOTIFICATION_LOCK
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.file_uploads import FileNotification, FileUploads

CONTENT_TYPE = "application/vnd.microsoft.iothub.filenotification.json"
CHECK_INTERVAL_S = 1.0  # how late the end of a lock may be noticed


class FileNotifications:
    """The hub's queue of notifications; a `LockedQueue` in which each is a batch of its own."""

    def __init__(self, database: Database, uploads: FileUploads, clock: HubClock) -> None:
        self._database = database
        self._uploads = uploads
        self._clock = clock
        self.news = News()

    async def run(self) -> None:
        """Remove what has expired, and tell of locks that have ended, until cancelled."""
        await run_by_clock("the queue of file notifications", self._step, self._database.outages, self._clock)

    def add(self, notification: FileNotification) -> None:
        """Queue a notification."""
        self._uploads.add_notification(notification, notification.enqueued_at + NOTIFICATION_LIFE)
        self._database.when_stored(self.news.tell)

    def take(self) -> LockedBatch | None:
        """Lock the oldest notification that is free; None when there is none."""
        now, token = self._clock.now(), str(uuid.uuid4())
        self._forget()
        notification = self._uploads.take_notification(token, now, now + NOTIFICATION_LOCK)
        if notification is None:
            return None
        return LockedBatch(
            lock_token=token,
            body=dump_json(_document(notification)).encode(),
            content_type=CONTENT_TYPE,
            enqueued_at=notification.enqueued_at,
        )

    def complete(self, lock_token: str) -> None:
        """Remove a notification that was read, or is refused. Raises HubError 412002 when the lock is lost."""
        if not self._uploads.remove_notification(lock_token, self._clock.now()):
            raise _lock_lost()

    def abandon(self, lock_token: str) -> None:
        """Unlock a notification, to be read again. Raises HubError 412002 when the lock is lost."""
        if not self._uploads.unlock_notification(lock_token, self._clock.now()):
            raise _lock_lost()
        self._database.when_stored(self.news.tell)

    def _step(self) -> float:
        until, now = self._uploads.next_unlock_at(), self._clock.now()
        self._forget()
        if until is not None and until <= now:
            self.news.tell()
        return CHECK_INTERVAL_S

    def _forget(self) -> None:
        now = self._clock.now()
        self._uploads.forget_expired(now)
        self._uploads.remove_worn_out(now, MAX_DELIVERIES)


def _document(notification: FileNotification) -> dict[str, object]:
    """A notification as its body has it, the same over AMQP and HTTPS."""
    return {
        "deviceId": notification.device_id,
        "blobUri": notification.blob_uri,
        "blobName": notification.blob_name,
        "lastUpdatedTime": notification.updated_at.replace(microsecond=0).isoformat(),
        "blobSizeInBytes": notification.size_bytes,
        "enqueuedTimeUtc": render(notification.enqueued_at),
    }


def _lock_lost() -> HubError:
    return HubError(DEVICE_MESSAGE_LOCK_LOST, "The notification's lock has ended, or it was settled before.")
