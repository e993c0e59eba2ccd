"""The registry: creates, changes and deletes devices and modules.

Everything is checked before the first write, so a refused request has changed nothing.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from azext_iotjobs.localhub.auth.policies import new_key
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import (
    ARGUMENT_INVALID,
    DEVICE_ALREADY_EXISTS,
    DEVICE_NOT_FOUND,
    INVALID_DEVICE_SCOPE,
    MODULE_ALREADY_EXISTS_ON_DEVICE,
    MODULE_NOT_FOUND,
    UNAUTHORIZED_ACCESS,
    HubError,
)
from azext_iotjobs.localhub.rules import identity as rules
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import IdentitySpec, SignIn, SignInKind
from azext_iotjobs.localhub.rules.twin import TwinState, new_twin
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import DISABLED, ENABLED, Identities, Identity

NO_TWINS: Mapping[str, TwinState] = MappingProxyType({})
Check = Callable[[Identity], None]  # raises HubError when the stored record is not the expected one


class Registry:
    """Creates, changes and deletes identities."""

    def __init__(self, database: Database, identities: Identities, links: Links, clock: HubClock) -> None:
        self._database = database
        self._identities = identities
        self._links = links
        self._clock = clock

    def device(self, device_id: str) -> Identity:
        """A device. Raises HubError 404001."""
        identity = self._identities.get(Address(device_id))
        if identity is None:
            raise HubError(DEVICE_NOT_FOUND, f"The device {device_id!a} is not registered.")
        return identity

    def module(self, address: Address) -> Identity:
        """A module. Raises HubError 404010, or 401002 if its device is missing or disabled."""
        self._check_device(address)
        identity = self._identities.get(address)
        if identity is None:
            raise HubError(MODULE_NOT_FOUND, f"{address.shown} is not registered.")
        return identity

    def modules(self, device_id: str) -> list[Identity]:
        """A device's modules. Raises HubError 401002."""
        self._check_device(Address(device_id))
        return self._identities.modules(device_id)

    def create_device(self, device_id: str, spec: IdentitySpec, twin: TwinState | None = None) -> Identity:
        """Create a device with its twin, and the two system modules of an edge device. Raises HubError."""
        rules.check_device_id(device_id)
        if self._identities.get(Address(device_id)) is not None:
            raise HubError(DEVICE_ALREADY_EXISTS, f"A device with ID {device_id!a} is already registered.")
        return self._create_devices([device_id], spec, twin or new_twin(self._now()))[0]

    def create_devices(
        self, device_ids: Sequence[str], spec: IdentitySpec, twin: TwinState, system_twins: Mapping[str, TwinState]
    ) -> None:
        """Create devices that are alike, each with such a twin; all or none. Raises HubError.

        system_twins: of edge devices, the twins of the system's modules that are not to be empty, by their ids.
        """
        for device_id in device_ids:
            rules.check_device_id(device_id)
        for device_id in self._identities.registered(device_ids):
            raise HubError(DEVICE_ALREADY_EXISTS, f"A device with ID {device_id!a} is already registered.")
        self._create_devices(device_ids, spec, twin, system_twins)

    def update_device(self, device_id: str, spec: IdentitySpec, check: Check) -> Identity:
        """Replace a device's record. Raises HubError."""
        old = self.device(device_id)
        check(old)
        check_new_device(spec)
        scope, parents = self._scopes(device_id, spec, own=old.device_scope if old.is_edge else None)
        changed = replace(
            old,
            status=spec.status,
            status_reason=spec.status_reason,
            status_updated_at=self._now() if spec.status != old.status else old.status_updated_at,
            is_edge=spec.is_edge,
            device_scope=scope,
            parent_scopes=parents,
            **_sign_in(spec.sign_in),
        )
        with self._database.transaction():
            saved = self._identities.save(changed)
            if spec.is_edge and not old.is_edge:
                self._add_system_modules(device_id)
            elif old.is_edge and not spec.is_edge:
                self._remove_system_modules(device_id)
        if saved.status == DISABLED:
            self._drop(device_id)
        return saved

    def delete_device(self, device_id: str, check: Check) -> None:
        """Delete a device with everything that belongs to it. Raises HubError."""
        check(self.device(device_id))
        modules = [each.address for each in self._identities.modules(device_id)]
        self._identities.delete(Address(device_id))
        self._drop(device_id, *modules)

    def create_module(self, address: Address, spec: IdentitySpec, twin: TwinState | None = None) -> Identity:
        """Create a module with its twin. Raises HubError."""
        assert address.module_id is not None
        rules.check_new_module_id(address.module_id)
        self._check_device(address)
        if self._identities.get(address) is not None:
            raise HubError(MODULE_ALREADY_EXISTS_ON_DEVICE, f"{address.shown} is already registered.")
        identity = Identity(
            **_new_numbers(),
            device_id=address.device_id,
            module_id=address.module_id,
            managed_by=spec.managed_by,
            **_sign_in(spec.sign_in),
        )
        self._identities.create(identity, twin or new_twin(self._now()))
        return identity

    def update_module(self, address: Address, spec: IdentitySpec, check: Check) -> Identity:
        """Replace a module's record. Raises HubError."""
        assert address.module_id is not None
        rules.check_new_module_id(address.module_id)
        old = self.module(address)
        check(old)
        return self._identities.save(replace(old, managed_by=spec.managed_by, **_sign_in(spec.sign_in)))

    def delete_module(self, address: Address, check: Check) -> None:
        """Delete a module. Raises HubError."""
        assert address.module_id is not None
        rules.check_new_module_id(address.module_id)
        check(self.module(address))
        self._identities.delete(address)
        self._links.drop(address)

    def renew_keys(self, address: Address, *, primary: bool, secondary: bool) -> Identity:
        """Renew one of the two keys, or both; the other key stays valid. Raises HubError."""
        old = self.device(address.device_id) if address.module_id is None else self.module(address)
        if old.sign_in != SignInKind.SAS.value:
            raise HubError(ARGUMENT_INVALID, f"{address.shown} does not sign in with keys.")
        return self._identities.save(
            replace(
                old,
                primary_key=new_key() if primary else old.primary_key,
                secondary_key=new_key() if secondary else old.secondary_key,
            )
        )

    def _create_devices(
        self,
        device_ids: Sequence[str],
        spec: IdentitySpec,
        twin: TwinState,
        system_twins: Mapping[str, TwinState] = NO_TWINS,
    ) -> list[Identity]:
        check_new_device(spec)
        created = []
        for device_id in device_ids:
            scope, parents = self._scopes(device_id, spec, own=None)
            created.append(
                Identity(
                    **_new_numbers(),
                    device_id=device_id,
                    status=spec.status,
                    status_reason=spec.status_reason,
                    is_edge=spec.is_edge,
                    device_scope=scope,
                    parent_scopes=parents,
                    **_sign_in(spec.sign_in),
                )
            )
        with self._database.transaction():
            self._identities.create_many(created, twin)
            if spec.is_edge:
                for device_id in device_ids:
                    self._add_system_modules(device_id, system_twins)
        return created

    def _check_device(self, address: Address) -> None:
        device = self._identities.get(address.device)
        # With a token of a shared access policy, the service answers 401 rather than that the device does not exist.
        if device is None or device.status != ENABLED:
            raise HubError(UNAUTHORIZED_ACCESS, f"The device {address.device_id!a} is not registered, or disabled.")

    def _scopes(self, device_id: str, spec: IdentitySpec, *, own: str | None) -> tuple[str | None, tuple[str, ...]]:
        """The scope of a device, and those of its parents; own: its scope, if it was an edge device."""
        if not spec.is_edge:
            # A former edge device may send its own scope back; the scope of a leaf device is that of its parent.
            given = spec.device_scope if spec.device_scope != own else None
            scope = (given or None) if given is not None else next(iter(spec.parent_scopes), None)
            self._check_parents(device_id, (scope,) if scope else ())
            return scope, (scope,) if scope else ()
        if own is not None and spec.device_scope != own:
            raise HubError(ARGUMENT_INVALID, "The deviceScope of an edge device cannot be changed.")
        self._check_parents(device_id, spec.parent_scopes)
        return own or rules.own_scope(device_id, secrets.randbelow(10**18)), spec.parent_scopes

    def _check_parents(self, device_id: str, scopes: tuple[str, ...]) -> None:
        for scope in scopes:
            if not self._identities.has_edge_scope(scope) or rules.is_own_scope(device_id, scope):
                raise HubError(INVALID_DEVICE_SCOPE, f"The scope {scope!a} is not that of another edge device.")

    def _add_system_modules(self, device_id: str, twins: Mapping[str, TwinState] = NO_TWINS) -> None:
        for module_id in rules.SYSTEM_MODULES:
            module = Identity(
                **_new_numbers(),
                device_id=device_id,
                module_id=module_id,
                managed_by="iotEdge",
                sign_in=SignInKind.NONE.value,
            )
            self._identities.create(module, twins.get(module_id) or new_twin(self._now()))

    def _remove_system_modules(self, device_id: str) -> None:
        for module_id in rules.SYSTEM_MODULES:
            self._identities.delete(Address(device_id, module_id))
            self._links.drop(Address(device_id, module_id))

    def _drop(self, device_id: str, *gone_modules: Address) -> None:
        """Close the connections of a device and its modules."""
        still_there = (each.address for each in self._identities.modules(device_id))
        for address in (Address(device_id), *gone_modules, *still_there):
            self._links.drop(address)

    def _now(self) -> str:
        return render(self._clock.now())


def check_new_device(spec: IdentitySpec) -> None:
    """Raise HubError 400 for an identity that no device can have."""
    if spec.sign_in.kind is SignInKind.NONE:
        raise HubError(ARGUMENT_INVALID, "A device must have a way to sign in.")


def _new_numbers() -> dict[str, Any]:
    return {"generation_id": str(secrets.randbelow(10**18)), "etag": secrets.randbelow(10**9)}


def _sign_in(spec: SignIn) -> dict[str, Any]:
    """The columns for its authentication; keys that were not given are generated, also in an update."""
    # A module always has authentication: the service gives it keys.
    kind = SignInKind.SAS if spec.kind is SignInKind.NONE else spec.kind
    has_keys = kind is SignInKind.SAS
    has_prints = kind is SignInKind.SELF_SIGNED
    return {
        "sign_in": kind.value,
        "primary_key": (spec.primary_key or new_key()) if has_keys else None,
        "secondary_key": (spec.secondary_key or new_key()) if has_keys else None,
        "primary_thumbprint": spec.primary_thumbprint if has_prints else None,
        "secondary_thumbprint": spec.secondary_thumbprint if has_prints else None,
    }
