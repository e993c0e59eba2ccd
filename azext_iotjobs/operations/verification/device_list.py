"""Devices that are verified by whoever has them in memory."""

from bisect import bisect_right, insort
from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.model.verification import VerifyingDevice


class _Place(NamedTuple):
    verify_by: datetime
    key: int


class DeviceList:
    """Implements VerifyingDevices."""

    def __init__(self) -> None:
        self._left: dict[int, VerifyingDevice] = {}  # by their keys
        self._order: list[_Place] = []  # also of some that are gone

    def __len__(self) -> int:
        return len(self._left)

    def add(self, device: VerifyingDevice) -> None:
        """One more, under a key of its own."""
        self._left[device.key] = device
        insort(self._order, _place_of(device))

    def remove(self, device: VerifyingDevice) -> None:
        """A verdict was given on it."""
        self._left.pop(device.key, None)
        if len(self._order) > 2 * len(self._left):
            self._order = [each for each in self._order if each.key in self._left]

    def page(
        self, after: VerifyingDevice | None, limit: int, *, since: datetime | None = None
    ) -> list[VerifyingDevice]:
        """Some of them, by their deadlines and then their keys."""
        number = 0 if after is None else bisect_right(self._order, _place_of(after))
        if since is not None:
            number = max(number, bisect_right(self._order, _Place(since, -1)))
        found: list[VerifyingDevice] = []
        while number < len(self._order) and len(found) < limit:
            device = self._left.get(self._order[number].key)
            if device is not None:
                found.append(device)
            number += 1
        return found

    def first_deadline(self) -> datetime | None:
        """By when the first of them has to be verified; None: there are none."""
        return next((each.verify_by for each in self._order if each.key in self._left), None)


def _place_of(device: VerifyingDevice) -> _Place:
    return _Place(device.verify_by, device.key)
