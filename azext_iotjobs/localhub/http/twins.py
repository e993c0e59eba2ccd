"""/twins, and /twins/{id}/methods."""

from typing import Any

from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.errors import (
    ARGUMENT_INVALID,
    DEVICE_NOT_FOUND,
    DEVICE_NOT_ONLINE,
    MODULE_NOT_FOUND,
    HubError,
)
from azext_iotjobs.localhub.http.documents import twin_document
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse, check_etag, member, seconds
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.job import DEFAULT_RESPONSE_TIMEOUT_S, MethodSpec, check_method
from azext_iotjobs.localhub.rules.twin import (
    Change,
    Tree,
    TwinState,
    WholeSection,
    as_patch,
    check_without_null,
    twin_etag,
)
from azext_iotjobs.localhub.store.identities import DISABLED, Identities


class TwinRoutes:
    """Read and change twins, and call methods."""

    def __init__(self, identities: Identities, twins: TwinService, links: Links) -> None:
        self._identities = identities
        self._twins = twins
        self._links = links

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /twins/{id}[/modules/{module}]"""
        address = request.address()
        return self._answer(address, self._twins.get(address))

    async def patch(self, request: HubRequest) -> HubResponse:
        """PATCH /twins/{id}[/modules/{module}]: merge."""
        address = request.address()
        self._check_etag(request.etag_if_good(), address)
        tags, desired = service_parts(request.document())
        return self._answer(address, self._twins.patch(address, tags=tags, desired=desired))

    async def put(self, request: HubRequest) -> HubResponse:
        """PUT /twins/{id}[/modules/{module}]: replaces; what is left out is removed."""
        address = request.address()
        self._check_etag(request.etag(), address)
        tags, desired = _whole_parts(request.document())
        return self._answer(address, self._twins.replace(address, tags=tags, desired=desired))

    async def invoke(self, request: HubRequest) -> HubResponse:
        """POST /twins/{id}[/modules/{module}]/methods"""
        address = request.address()
        check_registered(self._identities, address)
        method = check_method(method_spec(request.document()))
        check_enabled(self._identities, address)
        answer = await self._links.invoke(
            address,
            method.name,
            method.payload,
            response_timeout_s=method.response_timeout_s,
            connect_timeout_s=method.connect_timeout_s,
        )
        return HubResponse(document={"status": answer.status, "payload": answer.payload})

    def _check_etag(self, etag: str | None, address: Address) -> None:
        check_etag(etag, twin_etag(self._twins.get(address).etag))

    def _answer(self, address: Address, twin: TwinState) -> HubResponse:
        identity = self._identities.get(address)
        assert identity is not None  # every twin has an identity
        return HubResponse(document=twin_document(identity, twin), headers={"ETag": f'"{twin_etag(twin.etag)}"'})


def check_registered(identities: Identities, address: Address) -> None:
    """Raise HubError 404 for a device or module that does not exist."""
    if identities.status(address.device) is None:
        raise HubError(DEVICE_NOT_FOUND, f"{address.device.shown} is not registered.")
    if address.module_id is not None and identities.status(address) is None:
        raise HubError(MODULE_NOT_FOUND, f"{address.shown} is not registered.")


def check_enabled(identities: Identities, address: Address) -> None:
    """Raise HubError 404 for a device that is disabled, or a module on one: its methods cannot be called."""
    if identities.status(address.device) == DISABLED:
        raise HubError(DEVICE_NOT_ONLINE, "The device is disabled.", info={})


def service_parts(document: dict[str, Any]) -> tuple[Change, Change]:
    """The changes of tags and desired properties in a twin document; services cannot write reported properties.

    Raises HubError 400.
    """
    if "desired" in document:
        raise HubError(ARGUMENT_INVALID, "desired belongs under properties.")
    properties = document.get("properties", {})
    if not isinstance(properties, dict):  # null, too: it would be ambiguous
        raise HubError(ARGUMENT_INVALID, "properties must be an object.")
    desired = _change(properties, "desired")
    if isinstance(desired, dict):
        # A whole twin may be sent back: members that only the hub writes are ignored.
        desired = {key: value for key, value in desired.items() if key not in ("$metadata", "$version")}
    return _change(document, "tags"), desired


def _change(document: dict[str, Any], name: str) -> Change:
    """The change of a section: null clears it, an absent member does not change it. Raises HubError 400."""
    if name not in document:
        return None
    section: Tree | None = member(document, name, dict)
    return WholeSection.CLEARED if section is None else section


def _whole_parts(document: dict[str, Any]) -> tuple[Tree, Tree]:
    """The tags and desired properties of a replacement. Raises HubError 400 for null anywhere."""
    tags, desired = service_parts(document)
    for name, part in (("tags", tags), ("desired", desired)):
        if part is WholeSection.CLEARED:
            raise HubError(ARGUMENT_INVALID, f"{name} is null. A replacement leaves out what is to be removed.")
        if isinstance(part, dict):
            check_without_null(part, name)
    return as_patch(tags, {}) or {}, as_patch(desired, {}) or {}


def method_spec(document: dict[str, Any]) -> MethodSpec:
    """The method call that a document describes. Raises HubError 400."""
    return MethodSpec(
        name=str(member(document, "methodName", str, "")),
        payload=document.get("payload"),
        response_timeout_s=seconds(document, "responseTimeoutInSeconds", DEFAULT_RESPONSE_TIMEOUT_S),
        connect_timeout_s=seconds(document, "connectTimeoutInSeconds", 0),
    )
