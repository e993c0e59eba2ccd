"""/devices and /devices/{id}/modules: the registry, one at a time; and how many there are."""

from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.registry import Check, Registry
from azext_iotjobs.localhub.errors import PRECONDITION_FAILED, HubError
from azext_iotjobs.localhub.http.documents import identity_document
from azext_iotjobs.localhub.http.identity_documents import check_named, wanted
from azext_iotjobs.localhub.http.request import Answer, Asked, check_etag, whole_number
from azext_iotjobs.localhub.rules.etags import identity_etag
from azext_iotjobs.localhub.store.identities import Identities, Identity

MAX_LISTED = 1000


class IdentityRoutes:
    """Create, read, update, delete and list devices and modules."""

    def __init__(self, registry: Registry, identities: Identities, links: Links) -> None:
        self._registry = registry
        self._identities = identities
        self._links = links

    async def get(self, asked: Asked) -> Answer:
        """GET /devices/{id}"""
        return _answer(self._registry.device(asked.path["id"]))

    async def list(self, asked: Asked) -> Answer:
        """GET /devices?top="""
        count = whole_number(asked.query.get("top", "")) or MAX_LISTED
        # Anything out of range means "as many as there may be".
        return Answer(document=[identity_document(each) for each in self._identities.first(min(count, MAX_LISTED))])

    async def put(self, asked: Asked) -> Answer:
        """PUT /devices/{id}: creates without If-Match, updates with it."""
        device_id, document, etag = asked.path["id"], asked.document(), asked.etag()
        check_named(document, deviceId=device_id)
        if etag is None:
            return _answer(self._registry.create_device(device_id, wanted(document)))
        return _answer(self._registry.update_device(device_id, wanted(document), _has(etag)))

    async def delete(self, asked: Asked) -> Answer:
        """DELETE /devices/{id}: If-Match is mandatory."""
        self._registry.delete_device(asked.path["id"], _has_given(asked))
        return Answer(status=204)

    async def get_module(self, asked: Asked) -> Answer:
        """GET /devices/{id}/modules/{module}"""
        return _answer(self._registry.module(asked.address()))

    async def list_modules(self, asked: Asked) -> Answer:
        """GET /devices/{id}/modules"""
        return Answer(document=[identity_document(each) for each in self._registry.modules(asked.path["id"])])

    async def put_module(self, asked: Asked) -> Answer:
        """PUT /devices/{id}/modules/{module}: creates without If-Match, updates with it."""
        address, document, etag = asked.address(), asked.document(), asked.etag()
        check_named(document, deviceId=address.device_id, moduleId=address.module_id or "")
        if etag is None:
            return _answer(self._registry.create_module(address, wanted(document)))
        return _answer(self._registry.update_module(address, wanted(document), _has(etag)))

    async def delete_module(self, asked: Asked) -> Answer:
        """DELETE /devices/{id}/modules/{module}: If-Match is mandatory."""
        self._registry.delete_module(asked.address(), _has_given(asked))
        return Answer(status=204)

    async def device_statistics(self, _asked: Asked) -> Answer:
        """GET /statistics/devices"""
        total, enabled = self._identities.count()
        return Answer(
            document={
                "totalDeviceCount": total,
                "enabledDeviceCount": enabled,
                "disabledDeviceCount": total - enabled,
            }
        )

    async def service_statistics(self, _asked: Asked) -> Answer:
        """GET /statistics/service"""
        return Answer(document={"connectedDeviceCount": self._links.count_devices()})


def _answer(identity: Identity) -> Answer:
    return Answer(document=identity_document(identity), headers={"ETag": f'"{identity_etag(identity.etag)}"'})


def _has(etag: str) -> Check:
    return lambda identity: check_etag(etag, identity_etag(identity.etag))


def _has_given(asked: Asked) -> Check:
    def check(identity: Identity) -> None:
        etag = asked.etag()
        if etag is None:
            raise HubError(PRECONDITION_FAILED, "Precondition failed: the If-Match header with an ETag is missing.")
        check_etag(etag, identity_etag(identity.etag))

    return check
