"""/twins, and /twins/{id}/methods."""

from typing import Any

from azext_iotjobs.localhub.address import Address
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.twins import TwinDesk
from azext_iotjobs.localhub.errors import (
    ARGUMENT_INVALID,
    DEVICE_NOT_FOUND,
    DEVICE_NOT_ONLINE,
    MODULE_NOT_FOUND,
    HubError,
)
from azext_iotjobs.localhub.http.asked import Answer, Asked, check_etag, member, seconds
from azext_iotjobs.localhub.http.documents import twin_document
from azext_iotjobs.localhub.rules.etags import twin_etag
from azext_iotjobs.localhub.rules.job import DEFAULT_RESPONSE_TIMEOUT_S, MethodSpec, check_method
from azext_iotjobs.localhub.rules.twin import TwinState
from azext_iotjobs.localhub.store.identities import DISABLED, Identities


class TwinRoutes:
    """Read and change twins, and call methods."""

    def __init__(self, identities: Identities, twins: TwinDesk, links: Links) -> None:
        self._identities = identities
        self._twins = twins
        self._links = links

    async def get(self, asked: Asked) -> Answer:
        """GET /twins/{id}[/modules/{module}]"""
        address = asked.address()
        return self._answer(address, self._twins.get(address))

    async def patch(self, asked: Asked) -> Answer:
        """PATCH /twins/{id}[/modules/{module}]: merge."""
        address = asked.address()
        self._check_etag(asked, address)
        tags, desired = service_parts(asked.document())
        return self._answer(address, self._twins.patch(address, tags=tags, desired=desired))

    async def put(self, asked: Asked) -> Answer:
        """PUT /twins/{id}[/modules/{module}]: what is not given is wiped."""
        address = asked.address()
        self._check_etag(asked, address)
        tags, desired = service_parts(asked.document())
        return self._answer(address, self._twins.replace(address, tags=tags or {}, desired=desired or {}))

    async def invoke(self, asked: Asked) -> Answer:
        """POST /twins/{id}[/modules/{module}]/methods"""
        address = asked.address()
        status = self._identities.status(address.device)
        if status is None:
            raise HubError(DEVICE_NOT_FOUND, f"{address.device.shown} is not registered.")
        if address.module_id is not None and self._identities.status(address) is None:
            raise HubError(MODULE_NOT_FOUND, f"{address.shown} is not registered.")
        method = check_method(method_spec(asked.document()))
        if status == DISABLED:
            raise HubError(DEVICE_NOT_ONLINE, "The device is disabled.", info={})
        answer = await self._links.invoke(
            address,
            method.name,
            method.payload,
            response_timeout_s=method.response_timeout_s,
            connect_timeout_s=method.connect_timeout_s,
        )
        return Answer(document={"status": answer.status, "payload": answer.payload})

    def _check_etag(self, asked: Asked, address: Address) -> None:
        check_etag(asked.etag(), twin_etag(self._twins.get(address).etag))

    def _answer(self, address: Address, twin: TwinState) -> Answer:
        identity = self._identities.get(address)
        assert identity is not None  # a twin lives and dies with its identity
        return Answer(document=twin_document(identity, twin), headers={"ETag": f'"{twin_etag(twin.etag)}"'})


def service_parts(document: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The tags and desired properties of a twin document; reported properties are not a service's to write.

    Raises HubError 400.
    """
    if "desired" in document:
        raise HubError(ARGUMENT_INVALID, "desired belongs under properties.")
    properties = member(document, "properties", dict, {})
    desired = member(properties, "desired", dict)
    if desired is not None:
        # A whole twin may be sent back: what only the hub writes is left out.
        desired = {key: value for key, value in desired.items() if key not in ("$metadata", "$version")}
    return member(document, "tags", dict), desired


def method_spec(document: dict[str, Any]) -> MethodSpec:
    """A method call as it was asked for. Raises HubError 400."""
    return MethodSpec(
        name=str(member(document, "methodName", str, "")),
        payload=document.get("payload"),
        response_timeout_s=seconds(document, "responseTimeoutInSeconds", DEFAULT_RESPONSE_TIMEOUT_S),
        connect_timeout_s=seconds(document, "connectTimeoutInSeconds", 0),
    )
