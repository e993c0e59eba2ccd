"""Devices with the same outcome, as one group. Pure; bounded in memory, however many devices and answers there are."""

import json
from collections.abc import Iterable
from dataclasses import field
from typing import Any

from azext_iotjobs.model.ids import name_of
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.run_state import DeviceState

MAX_GROUPS = 100  # devices that answer in more ways send data, not outcomes
SHOWN_DEVICES = 10  # of a group, by id


@dataclass(kw_only=True)
class Group:
    """Devices with the same answer, or the same failure."""

    method_status: int | None  # None: they did not answer
    payload: Any
    error_class: ErrorClass | None
    error_code: str | None
    is_verifying: bool = False  # nothing was decided on what verifies them
    count: int = 0
    devices: list[str] = field(default_factory=list)  # the first SHOWN_DEVICES


# What a simulated device answers unless a rule says otherwise, the reference's as ours. The id is of the call, another
# one for each: with it no two answers would be equal.
ECHOED = frozenset({"methodName", "methodRequestId", "methodRequestPayload"})
ID_OF_CALL = "methodRequestId"


def outcome_of(payload: Any) -> Any:
    """A device's answer without what only names the call."""
    if isinstance(payload, dict) and payload.keys() == ECHOED:
        return {name: value for name, value in payload.items() if name != ID_OF_CALL}
    return payload


class Groups:
    """Takes rows one by one."""

    def __init__(self) -> None:
        self._by_answer: dict[tuple[Any, ...], Group] = {}
        self._other = _group_of(None)

    def add(self, row: DeviceResult) -> None:
        """Count a device."""
        # As text: 1 and true are equal in Python, and are not the same answer.
        answer = json.dumps(outcome_of(row.payload), sort_keys=True)
        key = (row.method_status, answer, row.error_class, row.error_code, _is_verifying(row))
        group = self._by_answer.get(key)
        if group is None and len(self._by_answer) < MAX_GROUPS:
            group = self._by_answer[key] = _group_of(row)
        if group is None:
            group = self._other
        group.count += 1
        if len(group.devices) < SHOWN_DEVICES:
            group.devices.append(name_of(row.device_id, row.module_id))

    def ranked(self) -> Iterable[Group]:
        """The most frequent first; last, without an answer and an error, those beyond MAX_GROUPS, if any."""
        yield from sorted(self._by_answer.values(), key=lambda each: -each.count)
        if self._other.count:
            yield self._other


def _group_of(row: DeviceResult | None) -> Group:
    if row is None:
        return Group(method_status=None, payload=None, error_class=None, error_code=None)
    return Group(
        method_status=row.method_status,
        payload=outcome_of(row.payload),
        error_class=row.error_class,
        error_code=row.error_code,
        is_verifying=_is_verifying(row),
    )


def _is_verifying(row: DeviceResult) -> bool:
    return row.status == DeviceState.VERIFYING.value
