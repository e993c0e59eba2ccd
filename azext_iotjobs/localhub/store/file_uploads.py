"""File uploads that are open, and notifications of those that have ended: rows."""

from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.localhub.clock import parse, render
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import NUMBER, TEXT, RowReader, RowValues

IS_FREE = "(lock_token IS NULL OR locked_until <= ?)"


@dataclass(frozen=True, kw_only=True)
class FileNotification:
    """A file that a device has uploaded, as services are told of it."""

    device_id: str
    blob_uri: str
    blob_name: str
    updated_at: datetime  # aware UTC; when the blob was last written
    size_bytes: int
    enqueued_at: datetime


class FileUploads:
    """The uploads and notifications in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, device_id: str, correlation_id: str, blob_name: str, expires_at: datetime) -> None:
        """Add an open upload."""
        self._database.change(
            "INSERT INTO file_uploads (correlation_id, device_id, blob_name, expires_at) VALUES (?, ?, ?, ?)",
            (correlation_id, device_id, blob_name, render(expires_at)),
        )

    def count_open(self, device_id: str) -> int:
        """How many uploads of a device are open."""
        row = self._database.row("SELECT count(*) FROM file_uploads WHERE device_id = ?", (device_id,))
        assert row is not None  # an aggregate always has its row
        return int(row[0])

    def end(self, device_id: str, correlation_id: str) -> str | None:
        """End an open upload of a device; gives the name of its blob, None for one that is unknown."""
        rows = self._database.rows(
            "DELETE FROM file_uploads WHERE device_id = ? AND correlation_id = ? RETURNING blob_name",
            (device_id, correlation_id),
        )
        return str(rows[0]["blob_name"]) if rows else None

    def forget_expired(self, now: datetime) -> None:
        """Remove uploads and notifications that have expired."""
        for table in ("file_uploads", "file_notifications"):
            self._database.change(f"DELETE FROM {table} WHERE expires_at <= ?", (render(now),))

    def add_notification(self, notification: FileNotification, expires_at: datetime) -> None:
        """Add a notification at the end of the queue."""
        self._database.change(
            "INSERT INTO file_notifications "
            "(device_id, blob_uri, blob_name, updated_at, size_bytes, enqueued_at, expires_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                notification.device_id,
                notification.blob_uri,
                notification.blob_name,
                render(notification.updated_at),
                notification.size_bytes,
                render(notification.enqueued_at),
                render(expires_at),
            ),
        )

    def take_notification(self, token: str, now: datetime, until: datetime) -> FileNotification | None:
        """Lock the oldest notification that is not locked, until `until`; None when there is none."""
        rows = self._database.rows(
            "UPDATE file_notifications SET lock_token = ?, locked_until = ?, delivery_count = delivery_count + 1 "
            f"WHERE row_id = (SELECT min(row_id) FROM file_notifications WHERE {IS_FREE}) RETURNING *",
            (token, render(until), render(now)),
        )
        return _notification_of(rows[0]) if rows else None

    def remove_notification(self, token: str, now: datetime) -> bool:
        """Remove a locked notification; gives whether the token still locked one."""
        sql = "DELETE FROM file_notifications WHERE lock_token = ? AND locked_until > ?"
        return self._database.change(sql, (token, render(now))) > 0

    def unlock_notification(self, token: str, now: datetime) -> bool:
        """Unlock a notification; gives whether the token still locked one."""
        sql = "UPDATE file_notifications SET lock_token = NULL WHERE lock_token = ? AND locked_until > ?"
        return self._database.change(sql, (token, render(now))) > 0

    def remove_worn_out(self, now: datetime, max_deliveries: int) -> None:
        """Remove notifications that were delivered as often as allowed, and are not locked any more."""
        sql = f"DELETE FROM file_notifications WHERE delivery_count >= ? AND {IS_FREE}"
        self._database.change(sql, (max_deliveries, render(now)))

    def next_unlock_at(self) -> datetime | None:
        """When the next lock ends; None when nothing is locked."""
        row = self._database.row("SELECT min(locked_until) AS at FROM file_notifications WHERE lock_token IS NOT NULL")
        return parse(row["at"]) if row is not None and row["at"] is not None else None


def _read_notification(row: RowValues) -> FileNotification:
    return FileNotification(
        device_id=row["device_id"],
        blob_uri=row["blob_uri"],
        blob_name=row["blob_name"],
        updated_at=parse(row["updated_at"]),
        size_bytes=row["size_bytes"],
        enqueued_at=parse(row["enqueued_at"]),
    )


_notification_of = RowReader(
    "file notification {row_id} of device {device_id}",
    {
        **dict.fromkeys(("device_id", "blob_uri", "blob_name", "updated_at", "enqueued_at"), TEXT),
        "size_bytes": NUMBER,
    },
    _read_notification,
)
