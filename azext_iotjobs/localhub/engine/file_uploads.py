"""File upload: gives devices a place in the storage container, and notifies services of files that are there."""

import uuid
from dataclasses import dataclass, field

from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.file_notifications import FileNotifications
from azext_iotjobs.localhub.errors import DEVICE_MAXIMUM_ACTIVE_FILE_UPLOAD_LIMIT_EXCEEDED, FORMAT_ERROR, HubError
from azext_iotjobs.localhub.rules.blob_sas import READ, WRITE, Resource
from azext_iotjobs.localhub.rules.file_upload import CONTAINER, MAX_OPEN, UPLOAD_LIFE, blob_name
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.file_uploads import FileNotification, FileUploads


@dataclass(frozen=True, kw_only=True)
class UploadPlace:
    """Where a device may write its file, until the signature expires."""

    correlation_id: str
    container: str
    blob: str
    signature: str = field(repr=False)  # a query, without its `?`


class FileUploadService:
    """The uploads of all devices."""

    def __init__(
        self,
        database: Database,
        uploads: FileUploads,
        notifications: FileNotifications,
        storage: Storage,
        clock: HubClock,
    ) -> None:
        self._database = database
        self._uploads = uploads
        self._notifications = notifications
        self._storage = storage
        self._clock = clock

    def begin(self, device_id: str, given_name: str) -> UploadPlace:
        """Open an upload. Raises HubError 400004, 403006 when too many of the device's are open."""
        name, now = blob_name(device_id, given_name), self._clock.now()
        self._uploads.forget_expired(now)
        if self._uploads.count_open(device_id) >= MAX_OPEN:
            raise HubError(
                DEVICE_MAXIMUM_ACTIVE_FILE_UPLOAD_LIMIT_EXCEEDED,
                f"Number of active file upload requests cannot exceed {MAX_OPEN}.",
            )
        correlation_id, expires_at = str(uuid.uuid4()), now + UPLOAD_LIFE
        self._uploads.begin(device_id, correlation_id, name, expires_at)
        signature = self._storage.account.sign(Resource(CONTAINER, name), READ + WRITE, expires_at)
        return UploadPlace(correlation_id=correlation_id, container=CONTAINER, blob=name, signature=signature)

    def end(self, device_id: str, correlation_id: str, *, is_success: bool) -> None:
        """End an upload; of a file that is there, services are notified.

        Raises HubError 400006 for a correlation id that is not of an open upload of this device.
        Source: the C# SDK's tests against hubs with the newer gateway, for that code.
        """
        now = self._clock.now()
        with self._database.transaction():
            self._uploads.forget_expired(now)
            name = self._uploads.end(device_id, correlation_id)
            if name is None:
                raise HubError(FORMAT_ERROR, "The correlationId is not that of an open file upload of this device.")
            container = self._storage.container(CONTAINER)
            blob = container.get(name) if container is not None else None
            if is_success and blob is not None:
                self._notifications.add(
                    FileNotification(
                        device_id=device_id,
                        blob_uri=self._storage.account.uri(Resource(CONTAINER, name)),
                        blob_name=name,
                        updated_at=blob.modified_at,
                        size_bytes=blob.size_bytes,
                        enqueued_at=now,
                    )
                )
