"""POST /devices/{id}/applyConfigurationContent: sets the modules of an edge device in one request."""

from typing import Any

from azext_iotjobs.localhub.engine.registry import Registry
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.identity_documents import identity_spec
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, member
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import SYSTEM_MODULES, check_module_id, check_new_module_id
from azext_iotjobs.localhub.rules.twin import DEPTH_LIMIT, Tree, new_twin, replace_by_service
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities

DESIRED = "properties.desired"
MAX_MODULES = 50  # of one device [IoT Hub quotas]
MAX_PATHS = 1000  # of one module; each one copies the tree that it changes


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
        contents: dict[str, Any] = member(request.document(), "modulesContent", dict, {})
        if not contents:
            raise HubError(ARGUMENT_INVALID, "modulesContent is missing or empty.")
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
        desired = _desired(twin.desired.data, content)
        replace_by_service(twin, tags=twin.tags, desired=desired, now_text="")
        return address, twin.tags, desired


def _desired(old: Tree, content: dict[str, Any]) -> Tree:
    """Desired properties after a content was applied: `properties.desired` sets all of them, a longer path one.

    Null removes the value at a path. Raises HubError 400.
    """
    desired: Tree = (member(content, DESIRED, dict) or {}) if DESIRED in content else old
    if len(content) > MAX_PATHS:
        raise HubError(ARGUMENT_INVALID, f"A module's content may have at most {MAX_PATHS} paths.")
    for path in content:
        prefix, dot, rest = path[: len(DESIRED)], path[len(DESIRED) :][:1], path[len(DESIRED) + 1 :]
        if path == DESIRED:
            continue
        if prefix != DESIRED or dot != "." or not rest:
            raise HubError(ARGUMENT_INVALID, f"{path[:100]!a} is not a path of desired properties.")
        if rest.count(".") >= DEPTH_LIMIT:
            raise HubError(ARGUMENT_INVALID, f"{path[:100]!a} is deeper than {DEPTH_LIMIT} levels.")
        desired = _with(desired, rest.split("."), content[path])
    return desired


def _with(tree: Any, path: list[str], value: Any) -> Tree:
    """A copy of a tree with a value at a path; null removes the value."""
    name, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else {}
    if value is not None:
        return {**copy, name: _with(copy.get(name), rest, value) if rest else value}
    if not rest:
        copy.pop(name, None)
    elif isinstance(copy.get(name), dict):
        copy[name] = _with(copy[name], rest, None)
    return copy
