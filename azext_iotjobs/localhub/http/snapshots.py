"""/_local/snapshot: all that the hub holds, as a file. Only for callers with iothubowner's key."""

from azext_iotjobs.localhub.engine.snapshots import Snapshots
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.store.snapshot_file import NotASnapshot


class SnapshotRoutes:
    """Make a snapshot, and go back to one."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    async def get(self, _request: HubRequest) -> HubResponse:
        """GET /_local/snapshot"""
        return HubResponse(body=await self._snapshots.create(), headers={"Content-Type": "application/zip"})

    async def put(self, request: HubRequest) -> HubResponse:
        """PUT /_local/snapshot"""
        try:
            await self._snapshots.restore(request.body)
        except NotASnapshot as err:
            raise HubError(ARGUMENT_INVALID, str(err)) from err
        return HubResponse(status=204)
