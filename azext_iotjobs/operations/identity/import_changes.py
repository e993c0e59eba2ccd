"""Devices of an import that are registered already: their tags are merged, and their identities become as the rows say.

A device never gets other keys or thumbprints unless that was asked for: a device in the field would be locked out.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence

from azext_iotjobs.clients.bulk import BulkClient
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.identity_codec import thumbprints_of
from azext_iotjobs.clients.throttling import outlasting_throttling
from azext_iotjobs.model.bulk import BulkFailure, IdentityChange
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.device_import import ImportRow, RowFault, RowResult, RowStatus
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.model.identity import Identity, NewIdentity, SignIn
from azext_iotjobs.model.late_dataclass import dataclass

REMOVED = RowFault(code="DeviceNotFound", text="It was removed while it was imported.")
OTHER_SIGN_IN = RowFault(
    code="SignInDiffers", text="It is registered with another key or thumbprint, which was not replaced."
)


@dataclass(frozen=True)
class DeviceUpdates:
    """What updates devices of one hub."""

    client: HubClient
    bulk: BulkClient
    clock: Clock
    replaces_keys: bool  # whether a device may get another key or thumbprint

    def apply(self, rows: Sequence[ImportRow]) -> dict[str, RowResult]:
        """Update the devices of at most MAX_IN_BULK rows: what became of each, by device. Raises HubAnswer, LinkError.

        Reads the identity of each device whose row says something of it.
        """
        faults: dict[str, RowFault] = {}
        changes: list[IdentityChange] = []
        for each in rows:
            planned = self._planned(each) if each.states_sign_in or each.states_status else None
            if isinstance(planned, RowFault):
                faults[each.device_id] = planned
            elif planned is not None:
                changes.append(planned)
        if changes:
            faults |= self._sent_changes(changes)
        faults |= self._sent_tags(each for each in rows if each.device_id not in faults)
        changed = {each.now.device_id for each in changes}
        return {each.device_id: _result(each, faults.get(each.device_id), each.device_id in changed) for each in rows}

    def _planned(self, row: ImportRow) -> IdentityChange | RowFault | None:
        """The change of an identity; None: it is as the row says."""
        assert row.device is not None
        wanted = row.device.identity
        try:
            now = outlasting_throttling(lambda: self.client.identities.get(row.device_id), self.clock)
        except NotFound:
            return REMOVED
        has_other_sign_in = row.states_sign_in and fingerprint_of(now) != fingerprint(wanted)
        if has_other_sign_in and not self.replaces_keys:
            return OTHER_SIGN_IN
        has_other_status = row.states_status and now.is_enabled != wanted.is_enabled
        if not has_other_sign_in and not has_other_status:
            return None
        return IdentityChange(
            now=now,
            sign_in=wanted if has_other_sign_in else None,
            status=wanted if has_other_status else None,
        )

    def _sent_changes(self, changes: Sequence[IdentityChange]) -> dict[str, RowFault]:
        result = outlasting_throttling(lambda: self.bulk.change(changes), self.clock)
        return _faults(result.failures)

    def _sent_tags(self, rows: Iterable[ImportRow]) -> dict[str, RowFault]:
        tags = {each.device_id: each.device.tags for each in rows if each.device is not None and each.device.tags}
        if not tags:
            return {}
        result = outlasting_throttling(lambda: self.bulk.set_tags(tags), self.clock)
        return _faults(result.failures)


def fingerprint(identity: NewIdentity) -> str:
    """What a device signs in with, as a text that does not give it away."""
    if identity.sign_in is SignIn.THUMBPRINT:
        parts = (identity.primary_thumbprint, identity.secondary_thumbprint)
    else:
        parts = (identity.primary_key, identity.secondary_key)
    return _digest(identity.device_id, identity.sign_in.value, parts)


def fingerprint_of(identity: Identity) -> str:
    """The same of a device that is registered."""
    if identity.sign_in == SignIn.THUMBPRINT.value:
        parts = thumbprints_of(identity)
    else:
        parts = (identity.primary_key, identity.secondary_key)
    return _digest(identity.device_id, identity.sign_in, parts)


def _digest(device_id: str, sign_in: str, parts: tuple[str | None, str | None]) -> str:
    if sign_in == SignIn.THUMBPRINT.value:  # hexadecimal, in either case
        parts = (parts[0] and parts[0].upper(), parts[1] and parts[1].upper())
    text = json.dumps([device_id, sign_in, *(each or None for each in parts)])
    return hashlib.sha256(text.encode()).hexdigest()


def _faults(failures: Iterable[BulkFailure]) -> dict[str, RowFault]:
    return {each.device_id: RowFault(code=each.code, text=each.reason) for each in failures}


def _result(row: ImportRow, fault: RowFault | None, was_changed: bool) -> RowResult:
    has_tags = row.device is not None and bool(row.device.tags)
    status = RowStatus.UPDATED if was_changed or has_tags else RowStatus.SKIPPED
    return RowResult(
        line=row.line, device_id=row.device_id, status=RowStatus.FAILED if fault is not None else status, fault=fault
    )
