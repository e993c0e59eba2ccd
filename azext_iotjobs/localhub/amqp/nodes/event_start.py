"""Where a reader of events begins: the filter of its link -> a place in a partition.

A filter is a text such as `amqp.annotation.x-opt-offset > '512'`: by offset, by sequence number or by time, after it or
at it. Older clients write the time as `x-opt-enqueuedtimeutc`, without quotes.
Source: Event Hubs SDKs of Microsoft; errors of offsets beyond the end: azure-sdk-for-java issue 10215.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

from azext_iotjobs.localhub.amqp.refusals import MAX_SHOWN, LinkError, shown
from azext_iotjobs.localhub.amqp.wire.conditions import ARGUMENT_ERROR
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError
from azext_iotjobs.localhub.amqp.wire.types import Described
from azext_iotjobs.localhub.clock import EPOCH
from azext_iotjobs.localhub.engine.event_log import EventLog, PartitionState
from azext_iotjobs.localhub.rules.event import OFFSET_STEP

FILTER = "apache.org:selector-filter:string"
BEGINNING, LATEST = "-1", "@latest"  # as offsets
_TEXT = re.compile(
    r"\s*amqp\.annotation\.(?P<what>[a-z-]+)\s*(?P<sign>>=?)\s*(?P<quote>'?)(?P<value>[^\s']+)(?P=quote)\s*"
)
_NUMBER = re.compile(r"-?[0-9]{1,19}")


class PositionKind(Enum):
    """By what a filter names a place."""

    OFFSET = "offset"
    SEQUENCE_NUMBER = "sequence number"
    TIME = "enqueued time"


KINDS = {
    "x-opt-offset": PositionKind.OFFSET,
    "x-opt-sequence-number": PositionKind.SEQUENCE_NUMBER,
    "x-opt-enqueued-time": PositionKind.TIME,
    "x-opt-enqueuedtimeutc": PositionKind.TIME,
}


@dataclass(frozen=True)
class Start:
    """A place in any partition, as a filter names it."""

    kind: PositionKind
    value: str
    is_inclusive: bool

    def find(self, log: EventLog, partition: int) -> int:
        """The sequence number of the first event to read, which may be yet to come.

        Raises LinkError for a place that is none, or beyond the end; StoreUnavailable, StoreDamaged.
        """
        state = log.state(partition)
        if self.value == LATEST:
            return state.last + 1
        if not _NUMBER.fullmatch(self.value):
            raise _invalid(self, state)
        number = int(self.value)
        match self.kind:
            case PositionKind.TIME:
                return log.first_at(partition, _instant(number if self.is_inclusive else number + 1))
            case PositionKind.OFFSET:
                place = -(-number // OFFSET_STEP) if self.is_inclusive else number // OFFSET_STEP + 1
            case PositionKind.SEQUENCE_NUMBER:
                place = number if self.is_inclusive else number + 1
        if place > state.last + 1:
            raise _invalid(self, state)
        return max(place, 0)


FROM_BEGINNING = Start(PositionKind.OFFSET, BEGINNING, is_inclusive=False)


def read_start(filters: Mapping[str, Any]) -> Start:
    """Where the filters of a link's source have it begin; without any it is the beginning. Raises LinkError."""
    given = filters.get(FILTER)
    if given is None:
        return FROM_BEGINNING
    text = given.value if isinstance(given, Described) else given
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    kind = KINDS.get(found["what"]) if found else None
    if found is None or kind is None:
        known = ", ".join(f"amqp.annotation.{each}" for each in KINDS)
        raise LinkError(
            AmqpError(
                ARGUMENT_ERROR,
                f"The filter {shown(str(text))} is not understood: give one of {known}, > or >=, and a value.",
            )
        )
    return Start(kind, found["value"], is_inclusive=found["sign"] == ">=")


def _invalid(start: Start, state: PartitionState) -> LinkError:
    value = start.value[:MAX_SHOWN]
    if start.kind is PositionKind.TIME:
        text = f"The supplied enqueued time {value!a} is no number of milliseconds."
        return LinkError(AmqpError(ARGUMENT_ERROR, text))
    last = state.last_offset if start.kind is PositionKind.OFFSET else str(state.last)
    return LinkError(
        AmqpError(
            ARGUMENT_ERROR,
            f"The supplied {start.kind.value} {value!a} is invalid. The last {start.kind.value} in the system is "
            f"'{last}'. A local hub that was started without storing events begins again at 0: remove old checkpoints.",
        )
    )


def _instant(milliseconds: int) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:  # beyond the years that there are
        first, last = (each.replace(tzinfo=timezone.utc) for each in (datetime.min, datetime.max))
        return first if milliseconds < 0 else last
