"""Creates what a seed has and the hub has not: devices, modules, CA certificates, configurations.

Strategy: everything is checked before the first write, and then created some devices at a time, so that others are
served meanwhile. What a range describes is read and checked once: its devices are alike.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, NamedTuple

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.configurations import ConfigurationService
from azext_iotjobs.localhub.engine.registry import Registry, check_new_device
from azext_iotjobs.localhub.errors import SERVICE_UNAVAILABLE, UNAUTHORIZED_ACCESS, HubError
from azext_iotjobs.localhub.http.certificates import CertificateRoutes
from azext_iotjobs.localhub.http.configurations import configuration_spec
from azext_iotjobs.localhub.http.identity_documents import identity_spec
from azext_iotjobs.localhub.http.path_ids import check_path
from azext_iotjobs.localhub.http.twins import service_parts
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import SYSTEM_MODULES, IdentitySpec, check_device_id, check_new_module_id
from azext_iotjobs.localhub.rules.seed import Ids, Seed, SeedDevices, SeedMistake, SeedModule, SeedPart
from azext_iotjobs.localhub.rules.twin import TwinState, as_patch, new_twin, patch_by_device, patch_by_service
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import ENABLED, Identities

SYSTEM_MEMBERS = ("moduleId", "tags", "properties")  # of a module that comes with its device
DEVICES_AT_ONCE = 100  # some milliseconds; then others are served


class SeedCount(NamedTuple):
    """How much of a seed was created, and how much was there already and stays as it is."""

    created: dict[str, int]
    existing: dict[str, int]


class _Made(NamedTuple):
    """What the devices of an item, or a module, are made of."""

    spec: IdentitySpec
    twin: TwinState


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

    async def apply(self, seed: Seed) -> SeedCount:
        """Create what a seed has and the hub has not; nothing that is there is changed.

        When the hub ends in the middle, what was created stays, and the same seed creates the rest.
        Raises SeedMistake; then nothing was created, unless somebody has removed a parent meanwhile. HubError 503 when
        the hub was brought back to a snapshot meanwhile.
        """
        for item in seed.devices:
            await self._check_devices(item, seed)
        count = SeedCount({}, {})
        with self._database.transaction():
            for certificate in seed.certificates:
                _note(count, "certificates", is_new=self._add_certificate(certificate))
            for configuration in seed.configurations:
                _note(count, "configurations", is_new=self._add_configuration(configuration))
        for item in seed.devices:
            await self._add_devices(item, count)
        return count

    # --- before the first write

    async def _check_devices(self, item: SeedDevices, seed: Seed) -> None:
        is_checked = False
        for ids in _some(item.ids):
            known = self._identities.registered(ids)
            new = [each for each in ids if each not in known]
            if new and not is_checked:
                self._check_new_devices(item, seed)
                is_checked = True
            with _at(item.path):
                for device_id in new:
                    check_device_id(device_id)
            for device_id, module in product(ids, item.modules):
                self._check_module(item, device_id, module)
            await self._let_others_on()

    def _check_new_devices(self, item: SeedDevices, seed: Seed) -> None:
        with _at(item.path):
            check_new_device(self._made(item.document).spec)
        self._check_parent(item, seed)

    def _check_parent(self, item: SeedDevices, seed: Seed) -> None:
        if item.parent is None:
            return
        parent, described = self._identities.get(Address(item.parent)), seed.parents.get(item.parent)
        if parent is None and described is None:
            what = "is in neither the seed nor the hub"
        elif not (parent.is_edge if parent is not None else described is not None and described.is_edge):
            what = "is no edge device (capabilities.iotEdge)"
        else:
            return
        raise SeedMistake(f"{item.path}.parentDeviceId", f"{item.parent[:130]!a} {what}.")

    def _check_module(self, item: SeedDevices, device_id: str, module: SeedModule) -> None:
        if self._identities.status(Address(device_id, module.identifier)) is not None:
            return
        status = self._identities.status(Address(device_id))
        if status is None and item.is_edge and module.identifier in SYSTEM_MODULES:
            self._check_system_module(module)
            return
        with _at(module.path):
            check_new_module_id(module.identifier)
            self._made(module.document)
            if (status or self._made(item.document).spec.status) != ENABLED:
                raise HubError(UNAUTHORIZED_ACCESS, f"The device {device_id!a} is not registered, or disabled.")

    def _check_system_module(self, module: SeedModule) -> None:
        for name, value in module.document.items():
            if name not in SYSTEM_MEMBERS and value is not None:
                raise SeedMistake(
                    f"{module.path}.{name}",
                    f"{module.identifier} is made with its device. It may have {', '.join(SYSTEM_MEMBERS)}.",
                )
        with _at(module.path):
            self._made(module.document)

    # --- creating

    async def _add_devices(self, item: SeedDevices, count: SeedCount) -> None:
        made: _Made | None = None
        system: dict[str, TwinState] = {}
        for ids in _some(item.ids):
            with self._database.transaction():
                known = self._identities.registered(ids)
                new = [each for each in ids if each not in known]
                if new:
                    made = made or self._made({**item.document, **self._scopes(item)})
                    system = system or self._system_twins(item)
                    with _at(item.path):
                        self._registry.create_devices(new, made.spec, made.twin, system)
                _note(count, "devices", is_new=True, items=len(new))
                _note(count, "devices", is_new=False, items=len(known))
                _note(count, "modules", is_new=True, items=len(new) * len(system))
                for device_id, module in product(ids, item.modules):
                    if device_id in known or module.identifier not in system:
                        _note(count, "modules", is_new=self._add_module(device_id, module))
            await self._let_others_on()

    def _system_twins(self, item: SeedDevices) -> dict[str, TwinState]:
        """The twins of the modules that come with an edge device, by their ids."""
        given = [each for each in item.modules if item.is_edge and each.identifier in SYSTEM_MODULES]
        return {each.identifier: self._made(each.document).twin for each in given}

    def _scopes(self, item: SeedDevices) -> Mapping[str, Any]:
        """The members of an identity that make it the child of its parent."""
        if item.parent is None:
            return {}
        parent = self._identities.get(Address(item.parent))
        if parent is None:
            raise SeedMistake(f"{item.path}.parentDeviceId", f"{item.parent[:130]!a} was removed meanwhile.")
        return {"parentScopes": [parent.device_scope]} if item.is_edge else {"deviceScope": parent.device_scope}

    def _add_module(self, device_id: str, module: SeedModule) -> bool:
        address = Address(device_id, module.identifier)
        if self._identities.status(address) is not None:
            return False
        with _at(module.path):
            made = self._made(module.document)
            self._registry.create_module(address, made.spec, made.twin)
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

    def _made(self, document: Mapping[str, Any]) -> _Made:
        """Raises HubError."""
        now = render(self._clock.now())
        tags, desired = (as_patch(each, {}) or None for each in service_parts(dict(document)))
        twin = patch_by_service(new_twin(now), tags=tags, desired=desired, now_text=now)
        reported = (document.get("properties") or {}).get("reported")
        return _Made(identity_spec(document), patch_by_device(twin, reported, now) if reported else twin)

    async def _let_others_on(self) -> None:
        before = self._identities.generation
        await asyncio.sleep(0)
        if self._identities.generation != before:
            raise HubError(SERVICE_UNAVAILABLE, "The hub was brought back to a snapshot meanwhile: try again.")


def _some(ids: Ids) -> Iterator[Sequence[str]]:
    left = iter(ids)
    while some := list(islice(left, DEVICES_AT_ONCE)):
        yield some


@contextlib.contextmanager
def _at(path: str) -> Iterator[None]:
    """Say of a refusal where its reason is in the seed."""
    try:
        yield
    except HubError as err:
        raise SeedMistake(path, err.text) from err


def _note(count: SeedCount, kind: str, *, is_new: bool, items: int = 1) -> None:
    counts = count.created if is_new else count.existing
    if items:
        counts[kind] = counts.get(kind, 0) + items
