"""Creates what a seed has and the hub has not: devices, modules, CA certificates, configurations."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.configurations import ConfigurationService
from azext_iotjobs.localhub.engine.registry import Registry
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.http.certificates import CertificateRoutes
from azext_iotjobs.localhub.http.configurations import configuration_spec
from azext_iotjobs.localhub.http.identity_documents import identity_spec
from azext_iotjobs.localhub.http.path_ids import check_path
from azext_iotjobs.localhub.http.twins import service_parts
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.seed import Seed, SeedIdentity, SeedMistake, SeedPart
from azext_iotjobs.localhub.rules.twin import TwinState, as_patch, new_twin, patch_by_device, patch_by_service
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities


class SeedCount(NamedTuple):
    """How much of a seed was created, and how much was there already and stays as it is."""

    created: dict[str, int]
    existing: dict[str, int]


class SeedImport:
    """Puts seeds into the hub."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        identities: Identities,
        certificates: CertificateRoutes,
        configurations: ConfigurationService,
        clock: HubClock,
    ) -> None:
        self._database = database
        self._registry = registry
        self._identities = identities
        self._certificates = certificates
        self._configurations = configurations
        self._clock = clock

    def apply(self, seed: Seed) -> SeedCount:
        """Create what a seed has and the hub has not; nothing that is there is changed.

        Raises SeedMistake; then nothing was created.
        """
        count = SeedCount({}, {})
        with self._database.transaction():
            for certificate in seed.certificates:
                _note(count, "certificates", is_new=self._add_certificate(certificate))
            for device in seed.devices:
                _note(count, "devices", is_new=self._add_device(device))
                for module in device.modules:
                    _note(count, "modules", is_new=self._add_module(device.identifier, module))
            for configuration in seed.configurations:
                _note(count, "configurations", is_new=self._add_configuration(configuration))
        return count

    def _add_device(self, device: SeedIdentity) -> bool:
        if self._identities.status(Address(device.identifier)) is not None:
            return False
        with _at(device.path):
            spec = identity_spec({**device.document, **self._scopes(device)})
            self._registry.create_device(device.identifier, spec, self._first_twin(device))
        return True

    def _scopes(self, device: SeedIdentity) -> Mapping[str, Any]:
        """The members of an identity that make it the child of its parent. Raises SeedMistake."""
        if device.parent is None:
            return {}
        parent = self._identities.get(Address(device.parent))
        if parent is None or not parent.is_edge:
            what = (
                "is in neither the seed nor the hub" if parent is None else "is no edge device (capabilities.iotEdge)"
            )
            raise SeedMistake(f"{device.path}.parentDeviceId", f"{device.parent[:130]!a} {what}.")
        return {"parentScopes": [parent.device_scope]} if device.is_edge else {"deviceScope": parent.device_scope}

    def _add_module(self, device_id: str, module: SeedIdentity) -> bool:
        address = Address(device_id, module.identifier)
        if self._identities.status(address) is not None:
            return False
        with _at(module.path):
            self._registry.create_module(address, identity_spec(module.document), self._first_twin(module))
        return True

    def _add_certificate(self, part: SeedPart) -> bool:
        with _at(part.path):
            check_path({"certificate": part.identifier})
            return self._certificates.add(part.identifier, part.document)

    def _add_configuration(self, part: SeedPart) -> bool:
        service = self._configurations
        if any(each.spec.configuration_id == part.identifier for each in service.all()):
            return False
        with _at(part.path):
            check_path({"configuration": part.identifier})
            service.create(configuration_spec(part.identifier, part.document))
        return True

    def _first_twin(self, identity: SeedIdentity) -> TwinState:
        now = render(self._clock.now())
        tags, desired = (as_patch(each, {}) or None for each in service_parts(dict(identity.document)))
        twin = patch_by_service(new_twin(now), tags=tags, desired=desired, now_text=now)
        return patch_by_device(twin, identity.reported, now) if identity.reported else twin


@contextlib.contextmanager
def _at(path: str) -> Iterator[None]:
    """Say of a refusal where its reason is in the seed."""
    try:
        yield
    except HubError as err:
        raise SeedMistake(path, err.text) from err


def _note(count: SeedCount, kind: str, *, is_new: bool) -> None:
    counts = count.created if is_new else count.existing
    counts[kind] = counts.get(kind, 0) + 1
