"""Events: what a hub says that devices sent, where the reading of them begins, and which ones are wanted. Pure."""

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, NamedTuple

from azext_iotjobs.model.amqp import AmqpEndpoint
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import SasKey

BEGINNING = "-1"  # the offset before the oldest event


@dataclass(frozen=True, kw_only=True)
class EventHub:
    """The built-in endpoint of a hub, where what devices send is read."""

    endpoint: AmqpEndpoint
    name: str  # of the event hub
    key: SasKey


@dataclass(frozen=True, kw_only=True)
class DeviceEvent:
    """An event of one partition."""

    partition: str
    offset: str
    sequence_number: int
    device_id: str
    module_id: str
    body: bytes = field(repr=False)
    system: Mapping[str, Any]  # AMQP's properties, such as content_type
    application: Mapping[str, Any]
    annotations: Mapping[str, Any]

    def annotation(self, *names: str) -> str:
        """The first of these annotations that it has; "" for none."""
        return next((str(self.annotations[name]) for name in names if self.annotations.get(name)), "")

    @property
    def interface(self) -> str:
        """The interface, or the model, that the device says it has."""
        return self.annotation("iothub-interface-name", "dt-dataschema")


class PartitionState(NamedTuple):
    """How far a partition is."""

    last_offset: str
    last_sequence_number: int
    is_empty: bool


class Position(NamedTuple):
    """Where the reading of a partition begins: behind an offset, or with what came after an instant."""

    offset: str = BEGINNING
    enqueued_after_ms: int | None = None  # since 1970; counts instead of the offset
    sequence_number: int | None = None  # of the event at the offset, where it was read

    @classmethod
    def behind(cls, state: PartitionState) -> "Position":
        """Behind all that a partition has now."""
        return cls() if state.is_empty else cls(state.last_offset, None, state.last_sequence_number)

    def still_in(self, state: PartitionState) -> "Position":
        """The same, or the beginning where the partition has fewer events than were read: it was begun anew."""
        is_older = self.sequence_number is not None and state.last_sequence_number < self.sequence_number
        return Position() if is_older or (state.is_empty and self.sequence_number is not None) else self


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Which events are wanted; None: whatever it is."""

    device: str | None = None  # an id, or a pattern with * and ?
    module: str | None = None  # the same
    interface: str | None = None
    device_ids: frozenset[str] | None = None

    def matches(self, event: DeviceEvent) -> bool:
        """Whether an event is wanted."""
        return (
            _fits(self.device, event.device_id)
            and _fits(self.module, event.module_id)
            and self.interface in (None, event.interface)
            and (self.device_ids is None or event.device_id in self.device_ids)
        )


def _fits(pattern: str | None, text: str) -> bool:
    """Ids have characters that other patterns give a meaning: of these, * and ? alone have one."""
    if pattern is None:
        return True
    if "*" not in pattern and "?" not in pattern:
        return pattern == text
    expression = "".join({"*": ".*", "?": "."}.get(each) or re.escape(each) for each in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
