"""Notifications of uploaded files, as services receive them over AMQP: one by one."""

from azext_iotjobs.localhub.engine.file_notifications import CONTENT_TYPE, FileNotifications, notification_document
from azext_iotjobs.localhub.engine.locked_queue import LockedBatch, News
from azext_iotjobs.localhub.rules.json_values import dump_json


class FileNotificationQueue:
    """The notifications as a queue of batches."""

    def __init__(self, notifications: FileNotifications) -> None:
        self._notifications = notifications

    @property
    def news(self) -> News:
        """Those who wait for notifications."""
        return self._notifications.news

    def take(self) -> LockedBatch | None:
        """Lock the oldest notification; None when there is none."""
        notification = self._notifications.take()
        if notification is None:
            return None
        assert notification.lock_token is not None  # it was taken
        return LockedBatch(
            lock_token=notification.lock_token,
            body=dump_json(notification_document(notification)).encode(),
            content_type=CONTENT_TYPE,
            enqueued_at=notification.enqueued_at,
        )

    def complete(self, lock_token: str) -> None:
        """Remove a notification that was read. Raises HubError 412002 when the lock is lost."""
        self._notifications.complete(lock_token)

    def abandon(self, lock_token: str) -> None:
        """Unlock a notification, to be read again. Raises HubError 412002 when the lock is lost."""
        self._notifications.abandon(lock_token)
