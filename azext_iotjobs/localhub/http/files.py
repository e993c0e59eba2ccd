"""/devices/{id}/files, and /messages/serviceBound/filenotifications."""

from azext_iotjobs.localhub.engine.file_notifications import FileNotifications
from azext_iotjobs.localhub.engine.file_uploads import FileUploadService
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, member


class FileRoutes:
    """File upload, for devices, and its notifications, for services."""

    def __init__(self, uploads: FileUploadService, notifications: FileNotifications, port_suffix: str) -> None:
        """port_suffix: of the hub's HTTPS port as a URL has it: ":8443", or nothing for 443."""
        self._uploads = uploads
        self._notifications = notifications
        self._port_suffix = port_suffix

    async def begin(self, request: HubRequest) -> HubResponse:
        """POST /devices/{id}/files: where to write the file."""
        name = member(request.document(), "blobName", str, "")
        place = self._uploads.begin(request.path["id"], str(name))
        return HubResponse(
            document={
                "correlationId": place.correlation_id,
                "hostName": self._host_name(request),
                "containerName": place.container,
                "blobName": place.blob,
                "sasToken": f"?{place.signature}",
            }
        )

    async def end(self, request: HubRequest) -> HubResponse:
        """POST /devices/{id}/files/notifications[/{correlation}]: how the upload went."""
        document = request.document()
        correlation_id = request.path.get("correlation") or member(document, "correlationId", str)
        if not correlation_id:
            raise HubError(ARGUMENT_INVALID, "The correlationId is missing.")
        is_success = member(document, "isSuccess", bool)
        if is_success is None:
            raise HubError(ARGUMENT_INVALID, "isSuccess is missing.")
        member(document, "statusCode", int)
        member(document, "statusDescription", str)
        self._uploads.end(request.path["id"], str(correlation_id), is_success=bool(is_success))
        return HubResponse(status=204)

    async def notification(self, _request: HubRequest) -> HubResponse:
        """GET /messages/serviceBound/filenotifications: locks the oldest one; 204 when there is none."""
        taken = self._notifications.take()
        if taken is None:
            return HubResponse(status=204)
        return HubResponse(
            body=taken.body, headers={"ETag": f'"{taken.lock_token}"', "Content-Type": taken.content_type}
        )

    async def complete(self, request: HubRequest) -> HubResponse:
        """DELETE /messages/serviceBound/filenotifications/{token}"""
        self._notifications.complete(request.path["token"])
        return HubResponse(status=204)

    async def abandon(self, request: HubRequest) -> HubResponse:
        """POST /messages/serviceBound/filenotifications/{token}/abandon"""
        self._notifications.abandon(request.path["token"])
        return HubResponse(status=204)

    def _host_name(self, request: HubRequest) -> str:
        """The name by which the device reached the hub, with the hub's own port: it may be the only one that it can."""
        given = request.headers.get("host", "localhost")
        name, colon, port = given.rpartition(":")
        return f"{name if colon and port.isdecimal() else given}{self._port_suffix}"
