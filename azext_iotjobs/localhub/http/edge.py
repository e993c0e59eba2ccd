"""POST /devices/{id}/applyConfigurationContent: sets an edge device and its modules in one request."""

from typing import Any

from azext_iotjobs.localhub.engine.registry import Registry
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, member
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.content_paths import expanded, settings_of, with_settings
from azext_iotjobs.localhub.rules.identity import (
    check_module_count,
    check_module_id,
    check_new_module_id,
    edge_module_spec,
)
from azext_iotjobs.localhub.rules.twin import Tree, TwinState, new_twin, replace_by_service
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities


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
        # All is checked before the first write: a notification of a module cannot be taken back.
        changes = self._changes(device.address, request.document())
        with self._database.transaction():
            for address, tags, desired in changes:
                if self._identities.get(address) is None:
                    self._registry.create_module(address, edge_module_spec())
                self._twins.replace(address, tags=tags, desired=desired)
        return HubResponse(status=204)

    def _changes(self, device: Address, document: dict[str, Any]) -> list[tuple[Address, Tree, Tree]]:
        """The device and its modules that a document sets, with their new tags and desired properties."""
        contents, own = _contents(document), member(document, "deviceContent", dict)
        if not contents and not own:
            raise HubError(ARGUMENT_INVALID, "modulesContent is missing or empty.")
        check_module_count(contents, ARGUMENT_INVALID)
        changes = [self._checked(Address(device.device_id, module), content) for module, content in contents.items()]
        return [*changes, *([self._changed(device, self._twins.get(device), own)] if own else [])]

    def _checked(self, address: Address, content: Any) -> tuple[Address, Tree, Tree]:
        """A module with its new tags and desired properties. Raises HubError 400."""
        if not isinstance(content, dict):
            raise HubError(ARGUMENT_INVALID, f"The content of {address.shown} must be an object.")
        module_id = address.module_id or ""
        check_module_id(module_id)  # first: in the tables, an empty id means the device itself
        exists = self._identities.get(address) is not None
        if not exists:
            check_new_module_id(module_id)
        return self._changed(address, self._twins.get(address) if exists else new_twin(""), content)

    def _changed(self, address: Address, twin: TwinState, content: dict[str, Any]) -> tuple[Address, Tree, Tree]:
        settings = settings_of(content, ARGUMENT_INVALID)
        # Of a device, other desired properties are kept, as when a configuration sets them.
        settings = expanded(settings) if address.module_id is None else settings
        desired = with_settings(twin.desired.data, settings)
        replace_by_service(twin, tags=twin.tags, desired=desired, now_text="")
        return address, twin.tags, desired


def _contents(document: dict[str, Any]) -> dict[str, Any]:
    """The contents of the modules that a request names. Raises HubError 400."""
    contents: dict[str, Any] = member(document, "modulesContent", dict, {})
    # Earlier versions of the API had this name for it; today it is the content of a single module.
    earlier: dict[str, Any] = member(document, "moduleContent", dict, {})
    if any(name.startswith("properties.") for name in earlier):
        raise HubError(ARGUMENT_INVALID, "moduleContent does not say of which module; here modulesContent is taken.")
    return contents or earlier
