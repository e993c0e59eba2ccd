"""/devices and /devices/{id}/modules: the registry, one identity at a time; and statistics."""

from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.registry import Check, Registry
from azext_iotjobs.localhub.errors import PRECONDITION_FAILED, HubError
from azext_iotjobs.localhub.http.documents import identity_document
from azext_iotjobs.localhub.http.identity_documents import check_ids, identity_spec
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, check_etag, whole_number
from azext_iotjobs.localhub.rules.identity import identity_etag
from azext_iotjobs.localhub.store.identities import Identities, Identity

MAX_LISTED = 1000


class IdentityRoutes:
    """Create, read, update, delete and list devices and modules."""

    def __init__(self, registry: Registry, identities: Identities, links: Links) -> None:
        self._registry = registry
        self._identities = identities
        self._links = links

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /devices/{id}"""
        return _answer(self._registry.device(request.path["id"]))

    async def list(self, request: HubRequest) -> HubResponse:
        """GET /devices?top="""
        count = whole_number(request.query.get("top", "")) or MAX_LISTED
        # A number out of range means the maximum.
        return HubResponse(
            document=[identity_document(each) for each in self._identities.first(min(count, MAX_LISTED))]
        )

    async def put(self, request: HubRequest) -> HubResponse:
        """PUT /devices/{id}: creates without If-Match, updates with it."""
        device_id, document, etag = request.path["id"], request.document(), request.etag()
        check_ids(document, deviceId=device_id)
        if etag is None:
            return _answer(self._registry.create_device(device_id, identity_spec(document)))
        return _answer(self._registry.update_device(device_id, identity_spec(document), _matches(etag)))

    async def delete(self, request: HubRequest) -> HubResponse:
        """DELETE /devices/{id}: If-Match is mandatory."""
        self._registry.delete_device(request.path["id"], _matches_header(request))
        return HubResponse(status=204)

    async def get_module(self, request: HubRequest) -> HubResponse:
        """GET /devices/{id}/modules/{module}"""
        return _answer(self._registry.module(request.address()))

    async def list_modules(self, request: HubRequest) -> HubResponse:
        """GET /devices/{id}/modules"""
        return HubResponse(document=[identity_document(each) for each in self._registry.modules(request.path["id"])])

    async def put_module(self, request: HubRequest) -> HubResponse:
        """PUT /devices/{id}/modules/{module}: creates without If-Match, updates with it."""
        address, document, etag = request.address(), request.document(), request.etag()
        check_ids(document, deviceId=address.device_id, moduleId=address.module_id or "")
        if etag is None:
            return _answer(self._registry.create_module(address, identity_spec(document)))
        return _answer(self._registry.update_module(address, identity_spec(document), _matches(etag)))

    async def delete_module(self, request: HubRequest) -> HubResponse:
        """DELETE /devices/{id}/modules/{module}: If-Match is mandatory."""
        self._registry.delete_module(request.address(), _matches_header(request))
        return HubResponse(status=204)

    async def device_statistics(self, _request: HubRequest) -> HubResponse:
        """GET /statistics/devices"""
        total, enabled = self._identities.count()
        return HubResponse(
            document={
                "totalDeviceCount": total,
                "enabledDeviceCount": enabled,
                "disabledDeviceCount": total - enabled,
            }
        )

    async def service_statistics(self, _request: HubRequest) -> HubResponse:
        """GET /statistics/service"""
        return HubResponse(document={"connectedDeviceCount": self._links.count_devices()})


def _answer(identity: Identity) -> HubResponse:
    return HubResponse(document=identity_document(identity), headers={"ETag": f'"{identity_etag(identity.etag)}"'})


def _matches(etag: str) -> Check:
    return lambda identity: check_etag(etag, identity_etag(identity.etag))


def _matches_header(request: HubRequest) -> Check:
    def check(identity: Identity) -> None:
        etag = request.etag()
        if etag is None:
            raise HubError(PRECONDITION_FAILED, "Precondition failed: the If-Match header with an ETag is missing.")
        check_etag(etag, identity_etag(identity.etag))

    return check
