"""POST /devices/{id}/applyConfigurationContent: sets the modules of an edge device in one request."""

from typing import Any

from azext_iotjobs.localhub.engine.registry import Registry
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.identity_documents import identity_spec
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, member
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.content_paths import settings_of, with_settings
from azext_iotjobs.localhub.rules.identity import SYSTEM_MODULES, check_module_id, check_new_module_id
from azext_iotjobs.localhub.rules.twin import Tree, new_twin, replace_by_service
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities

MAX_MODULES = 50  # of one device [IoT Hub quotas]


class EdgeRoutes:
    """Set the modules of edge devices."""

    def __init__(self, database: Database, registry: Registry, identities: Identities, twins: TwinService) -> None:
        self._database = database
        self._registry = registry
        self._identities = identities
        self._twins = twins

    async def apply(self, request: HubRequest) -> HubResponse:
        """POST /devices/{id}/applyConfigurationContent: all of it, or nothing."""
        device = self._registry.device(request.path["id"])
        if not device.is_edge:
            raise HubError(ARGUMENT_INVALID, f"{device.address.shown} is not an edge device.")
        contents = _contents(request.document())
        if len(contents) > MAX_MODULES + len(SYSTEM_MODULES):
            raise HubError(
                ARGUMENT_INVALID, f"A device may have at most {MAX_MODULES} modules beside the system's own."
            )
        # All is checked before the first write: a notification of a module cannot be taken back.
        changes = [
            self._checked(Address(device.device_id, module_id), content) for module_id, content in contents.items()
        ]
        with self._database.transaction():
            for address, tags, desired in changes:
                if self._identities.get(address) is None:
                    self._registry.create_module(address, identity_spec({"managedBy": "iotEdge"}))
                self._twins.replace(address, tags=tags, desired=desired)
        return HubResponse(status=204)

    def _checked(self, address: Address, content: Any) -> tuple[Address, Tree, Tree]:
        """A module with its new tags and desired properties. Raises HubError 400."""
        if not isinstance(content, dict):
            raise HubError(ARGUMENT_INVALID, f"The content of {address.shown} must be an object.")
        module_id = address.module_id or ""
        check_module_id(module_id)  # first: in the tables, an empty id means the device itself
        exists = self._identities.get(address) is not None
        if not exists:
            check_new_module_id(module_id)
        twin = self._twins.get(address) if exists else new_twin("")
        desired = with_settings(twin.desired.data, settings_of(content, ARGUMENT_INVALID))
        replace_by_service(twin, tags=twin.tags, desired=desired, now_text="")
        return address, twin.tags, desired


def _contents(document: dict[str, Any]) -> dict[str, Any]:
    """The contents of the modules that a request names. Raises HubError 400."""
    if member(document, "deviceContent", dict):
        raise HubError(ARGUMENT_INVALID, "Only a configuration can set deviceContent; here modulesContent is taken.")
    # Earlier versions of the API called it moduleContent.
    contents: dict[str, Any] = member(document, "modulesContent", dict) or member(document, "moduleContent", dict, {})
    if not contents:
        raise HubError(ARGUMENT_INVALID, "modulesContent is missing or empty.")
    return contents
