"""/_local/snapshot: all that the hub holds, as a file. Only for callers with iothubowner's key."""

from azext_iotjobs.localhub.engine.snapshots import Snapshots
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.own_request import DONE, Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.store.snapshot_file import NotASnapshot

ZIP_TYPE = "application/zip"
GET = OwnForm(answers={200: Answer(what="A ZIP file, with the keys of devices in it.", media_type=ZIP_TYPE)})
PUT = OwnForm(file_type=ZIP_TYPE, answers={204: DONE})


class SnapshotRoutes:
    """Make a snapshot, and go back to one."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    async def get(self, _request: HubRequest) -> HubResponse:
        """GET /_local/snapshot"""
        return HubResponse(body=await self._snapshots.create(), headers={"Content-Type": ZIP_TYPE})

    async def put(self, request: HubRequest) -> HubResponse:
        """PUT /_local/snapshot"""
        try:
            await self._snapshots.restore(request.body)
        except NotASnapshot as err:
            raise HubError(ARGUMENT_INVALID, str(err)) from err
        return HubResponse(status=204)
