"""/digitaltwins: a device in the terms of its model, and its commands."""

from urllib.parse import quote

from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.errors import DEVICE_NOT_FOUND, HubError
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, check_etag, seconds
from azext_iotjobs.localhub.http.twins import check_enabled, check_registered
from azext_iotjobs.localhub.rules.digital_twin import desired_patch, digital_twin_document
from azext_iotjobs.localhub.rules.job import DEFAULT_RESPONSE_TIMEOUT_S, MethodSpec, check_method
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.rules.twin import TwinState, twin_etag
from azext_iotjobs.localhub.store.identities import Identities

STATUS_CODE = "x-ms-command-statuscode"


class DigitalTwinRoutes:
    """Read and change digital twins, and call commands."""

    def __init__(self, identities: Identities, twins: TwinService, links: Links) -> None:
        self._identities = identities
        self._twins = twins
        self._links = links

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /digitaltwins/{id}"""
        address = request.address()
        identity = self._identities.get(address)
        if identity is None:
            raise HubError(DEVICE_NOT_FOUND, f"{address.shown} is not registered.")
        twin = self._twins.get(address)
        document = digital_twin_document(identity.device_id, identity.model_id, twin)
        return HubResponse(document=document, headers={"ETag": _etag(twin)})

    async def patch(self, request: HubRequest) -> HubResponse:
        """PATCH /digitaltwins/{id}: JSON Patch; the device is told of the desired properties that it changes."""
        address = request.address()
        twin = self._twins.get(address)
        check_etag(request.etag_if_good(), twin_etag(twin.etag))
        changed = self._twins.patch(address, tags=None, desired=desired_patch(twin, request.documents()))
        location = f"https://{request.headers.get('host', '')}/digitaltwins/{quote(address.device_id, safe='')}"
        return HubResponse(status=202, headers={"ETag": _etag(changed), "Location": location})

    async def invoke(self, request: HubRequest) -> HubResponse:
        """POST /digitaltwins/{id}[/components/{component}]/commands/{command}"""
        address = request.address()
        check_registered(self._identities, address)
        component = request.path.get("component")
        name = request.path["command"] if component is None else f"{component}*{request.path['command']}"
        method = check_method(
            MethodSpec(
                name=name,
                payload=request.value(),
                response_timeout_s=seconds(request.query, "responseTimeoutInSeconds", DEFAULT_RESPONSE_TIMEOUT_S),
                connect_timeout_s=seconds(request.query, "connectTimeoutInSeconds", 0),
            )
        )
        check_enabled(self._identities, address)
        answer = await self._links.invoke(
            address,
            method.name,
            method.payload,
            response_timeout_s=method.response_timeout_s,
            connect_timeout_s=method.connect_timeout_s,
        )
        headers = {STATUS_CODE: str(answer.status), "Content-Type": "application/json; charset=utf-8"}
        return HubResponse(body=dump_json(answer.payload).encode(), headers=headers)


def _etag(twin: TwinState) -> str:
    return f'"{twin_etag(twin.etag)}"'
