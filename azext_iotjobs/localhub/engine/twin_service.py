"""Reads and changes twins for HTTP, MQTT and jobs: applies the rules, stores the rows, notifies the device."""

from collections.abc import Callable
from functools import partial
from typing import Any

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, DEVICE_NOT_FOUND, HubError
from azext_iotjobs.localhub.rules import twin as rules
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.content_paths import difference
from azext_iotjobs.localhub.rules.observation import ReportedEntry
from azext_iotjobs.localhub.rules.twin import Change, Tree, TwinState
from azext_iotjobs.localhub.store.twins import Twins


class TwinService:
    """Reads and changes twins."""

    def __init__(self, twins: Twins, links: Links, clock: HubClock) -> None:
        self._twins = twins
        self._links = links
        self._clock = clock

    def get(self, address: Address) -> TwinState:
        """A device's or module's twin. Raises HubError 404001, for a missing module too."""
        twin = self._twins.get(address)
        if twin is None:
            raise HubError(DEVICE_NOT_FOUND, f"{address.shown} is not registered.")
        return twin

    def patch(self, address: Address, *, tags: Change, desired: Change) -> TwinState:
        """Merge tags and desired properties, and notify the device. Raises HubError."""
        current = self.get(address)
        tags_patch, desired_patch = rules.as_patch(tags, current.tags), rules.as_patch(desired, current.desired.data)
        return self._write(
            address,
            current,
            desired_patch,
            lambda twin, now: rules.patch_by_service(twin, tags=tags_patch, desired=desired_patch, now_text=now),
        )

    def replace(self, address: Address, *, tags: Any, desired: Any) -> TwinState:
        """Replace tags and desired properties, and notify the device. Raises HubError."""
        current = self.get(address)
        return self._write(
            address,
            current,
            rules.replacement(current.desired.data, desired),
            lambda twin, now: rules.replace_by_service(twin, tags=tags, desired=desired, now_text=now),
        )

    def change_desired(self, address: Address, change: Callable[[Tree], Tree]) -> TwinState:
        """Set the desired properties to what `change` makes of them, and notify the device of what differs.

        Gives the twin; without a difference it is not written. Raises HubError.
        """
        current = self.get(address)
        patch = difference(current.desired.data, change(current.desired.data))
        if not patch:
            return current
        return self._write(
            address,
            current,
            patch,
            lambda twin, now: rules.patch_by_service(twin, tags=None, desired=patch, now_text=now),
        )

    def patch_reported(self, address: Address, reported: Any) -> int:
        """Merge reported properties; gives the new $version. Raises HubError."""
        if not isinstance(reported, dict):
            raise HubError(ARGUMENT_INVALID, "Reported properties must be a JSON object.")
        now = self._clock.now()
        twin = rules.patch_by_device(self.get(address), reported, render(now))
        size = self._twins.save(address, twin)
        self._links.observations.reported.add(ReportedEntry(now, address, reported, twin.reported), size)
        return twin.reported.version

    def _write(
        self,
        address: Address,
        current: TwinState,
        notification: Tree | None,
        change: Callable[[TwinState, str], TwinState],
    ) -> TwinState:
        """Store a changed twin. notification: the patch that the device receives; None: nothing."""
        twin = change(current, render(self._clock.now()))
        self._twins.save(address, twin)
        if notification is not None:
            # Not before the transaction is committed: a notification cannot be taken back.
            self._twins.when_saved(partial(self._links.notify_desired, address, notification, twin.desired.version))
        return twin
