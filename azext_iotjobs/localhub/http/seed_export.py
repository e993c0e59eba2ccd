"""What a hub holds, as a seed from which another one can begin: devices, modules, CA certificates, configurations."""

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

from azext_iotjobs.localhub.engine.configurations import ConfigurationService
from azext_iotjobs.localhub.errors import SERVICE_UNAVAILABLE, HubError
from azext_iotjobs.localhub.http.configurations import configuration_document
from azext_iotjobs.localhub.http.documents import Document
from azext_iotjobs.localhub.rules.identity import SYSTEM_MODULES, SignInKind
from azext_iotjobs.localhub.rules.seed import CONFIGURATION
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.configurations import Configuration
from azext_iotjobs.localhub.store.identities import ENABLED, Identities, Identity
from azext_iotjobs.localhub.store.twins import Twins

ROWS_AT_ONCE = 500


class SeedExport:
    """Writes seeds."""

    def __init__(
        self, identities: Identities, twins: Twins, authorities: Authorities, configurations: ConfigurationService
    ) -> None:
        self._identities = identities
        self._twins = twins
        self._authorities = authorities
        self._configurations = configurations

    async def document(self, *, with_keys: bool) -> Document:
        """The seed. with_keys: also the keys of devices and modules; without them a hub makes new ones.

        It says what the hub holds at the beginning, but for twins, which change meanwhile: others do not wait for it.
        """
        found = list(self._all())
        parents: dict[str | None, str] = {
            each.device_scope: each.device_id for each in found if each.is_edge and each.device_scope
        }
        devices: dict[str, Document] = {}
        for number, identity in enumerate(found):
            if number % ROWS_AT_ONCE == 0:
                await self._let_others_on()
            if identity.module_id is None:
                devices[identity.device_id] = self._device(identity, parents, with_keys=with_keys)
            elif identity.device_id in devices and (module := self._module(identity, with_keys=with_keys)) is not None:
                devices[identity.device_id].setdefault("modules", []).append(module)
        certificates = [
            {"name": each.name, "certificate": ssl.DER_cert_to_PEM_cert(each.der)} for each in self._authorities.all()
        ]
        configurations = [_configuration(each) for each in self._configurations.all()]
        parts: Document = {
            "devices": list(devices.values()),
            "certificates": certificates,
            "configurations": configurations,
        }
        return {name: part for name, part in parts.items() if part}

    async def _let_others_on(self) -> None:
        before = self._identities.generation
        await asyncio.sleep(0)
        if self._identities.generation != before:
            raise HubError(SERVICE_UNAVAILABLE, "The hub was brought back to a snapshot meanwhile: try again.")

    def _all(self) -> Iterator[Identity]:
        after = ("", "")
        while True:
            keys, found = self._identities.page(after, ROWS_AT_ONCE)
            yield from found
            if len(keys) < ROWS_AT_ONCE:
                return
            after = keys[-1]

    def _device(self, identity: Identity, parents: dict[str | None, str], *, with_keys: bool) -> Document:
        scope = next(iter(identity.parent_scopes), None) if identity.is_edge else identity.device_scope
        return {
            "deviceId": identity.device_id,
            **({} if identity.status == ENABLED else {"status": identity.status}),
            **({"statusReason": identity.status_reason} if identity.status_reason else {}),
            **({"capabilities": {"iotEdge": True}} if identity.is_edge else {}),
            **({"parentDeviceId": parents[scope]} if scope in parents else {}),
            **_authentication(identity, with_keys=with_keys),
            **self._twin(identity),
        }

    def _module(self, identity: Identity, *, with_keys: bool) -> Document | None:
        """A module; None for one that comes with its device and has nothing in its twin."""
        if identity.module_id in SYSTEM_MODULES:
            twin = self._twin(identity)
            return {"moduleId": identity.module_id, **twin} if twin else None
        return {
            "moduleId": identity.module_id,
            **({"managedBy": identity.managed_by} if identity.managed_by else {}),
            **_authentication(identity, with_keys=with_keys),
            **self._twin(identity),
        }

    def _twin(self, identity: Identity) -> Document:
        twin = self._twins.get(identity.address) or new_twin("")
        both = (("desired", twin.desired.data), ("reported", twin.reported.data))
        properties = {name: data for name, data in both if data}
        return {
            **({"tags": twin.tags} if twin.tags else {}),
            **({"properties": properties} if properties else {}),
        }


def _authentication(identity: Identity, *, with_keys: bool) -> Document:
    kind = SignInKind(identity.sign_in)
    if kind is SignInKind.SAS:
        keys = {"primaryKey": identity.primary_key, "secondaryKey": identity.secondary_key}
        return {"authentication": {"type": kind.value, "symmetricKey": keys}} if with_keys else {}
    prints: dict[str, Any] = {
        name: value
        for name, value in (
            ("primaryThumbprint", identity.primary_thumbprint),
            ("secondaryThumbprint", identity.secondary_thumbprint),
        )
        if value
    }
    return {"authentication": {"type": kind.value, **({"x509Thumbprint": prints} if prints else {})}}


def _configuration(configuration: Configuration) -> Document:
    """What somebody has given of a configuration; not what the hub has counted."""
    document = configuration_document(configuration)
    given = {name: document[name] for name in CONFIGURATION if name != "metrics" and document[name] is not None}
    queries = document["metrics"]["queries"]
    return {**given, **({"metrics": {"queries": queries}} if queries else {})}
