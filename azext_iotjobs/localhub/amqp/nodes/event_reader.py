"""{event hub}/ConsumerGroups/{group}/Partitions/{partition}: an Event Hubs client reads what devices have sent.

Events are sent settled, as the service sends them. A reader waits for news without polling: the log calls it.
"""

import logging
from typing import Any

from azext_iotjobs.localhub.amqp.nodes.base import ConnectionContext, HubParts, Match, OutAmqpLink
from azext_iotjobs.localhub.amqp.nodes.event_hub import check_event_hub, no_partition, partition_number
from azext_iotjobs.localhub.amqp.nodes.event_message import encode_event, encode_metrics
from azext_iotjobs.localhub.amqp.nodes.event_start import read_start
from azext_iotjobs.localhub.amqp.refusals import MAX_SHOWN, REFUSALS, LinkError, amqp_error, shown
from azext_iotjobs.localhub.amqp.wire.conditions import (
    ARGUMENT_OUT_OF_RANGE,
    INVALID_FIELD,
    LINK_STOLEN,
    NOT_FOUND,
    RESOURCE_LIMIT_EXCEEDED,
)
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError
from azext_iotjobs.localhub.engine.event_readers import GroupPartition, ReaderRefused

EPOCH, RECEIVER_NAME = "com.microsoft:epoch", "com.microsoft:receiver-name"
METRICS = "com.microsoft:enable-receiver-runtime-metric"
EVENTS_AT_ONCE, BYTES_AT_ONCE = 64, 256 * 1024  # then others are served: some milliseconds

logger = logging.getLogger(__name__)


class EventReader:
    """One reader of a partition."""

    def __init__(self, link: OutAmqpLink, hub: HubParts, partition: GroupPartition) -> None:
        """Accept the link. Raises LinkError, StoreUnavailable, StoreDamaged."""
        self._link = link
        self._hub = hub
        self._partition = partition
        self._has_metrics = METRICS in link.desired_capabilities
        self._is_scheduled = self._is_ended = False
        self._has_read = self._has_missed = False
        self.epoch = _epoch(link.properties.get(EPOCH))
        self.name = str(link.properties.get(RECEIVER_NAME) or link.name)[:MAX_SHOWN]
        self._next = read_start(link.filters).find(hub.event_log, partition.number)
        try:
            hub.event_readers.enter(partition, self)
        except ReaderRefused as err:
            raise LinkError(AmqpError(LINK_STOLEN if err.is_owned else RESOURCE_LIMIT_EXCEEDED, str(err))) from err
        self._stop_listening = hub.event_log.listen(partition.number, self._wake)
        link.accept(offered_capabilities=(METRICS,) if self._has_metrics else (), sends_settled=True)

    def pull(self) -> None:
        """Send some of the events that there are, and go on with the others in another turn."""
        if self._is_ended or self._is_scheduled:
            return
        if self._send_some():
            self._is_scheduled = True
            self._hub.loop.call_soon(self._continue)
        elif self._link.credit > 0:
            self._link.end_drain()

    def settled(self, tag: bytes, outcome: Any) -> None:
        """Events are sent settled."""

    def ended(self) -> None:
        """The link has ended; a second call does nothing."""
        self._is_ended = True
        self._stop_listening()
        self._hub.event_readers.leave(self._partition, self)

    def give_way(self, reason: str) -> None:
        """Another reader has taken the partition."""
        self._is_ended = True
        self._link.detach(AmqpError(LINK_STOLEN, reason))

    def _send_some(self) -> bool:
        """Send events; gives whether there are more that may be sent."""
        link, log = self._link, self._hub.event_log
        count = min(link.credit, EVENTS_AT_ONCE)
        events = log.read(self._partition.number, self._next, count) if count > 0 else ()
        prefix = self._metrics() if self._has_metrics and events else b""
        left_bytes = BYTES_AT_ONCE
        for event in events:
            self._note_gap(event.sequence_number - self._next)
            if link.credit <= 0 or left_bytes <= 0:
                break
            payload = encode_event(event)
            left_bytes -= len(payload)
            link.send(prefix + payload, is_settled=True)
            self._next, self._has_read = event.sequence_number + 1, True
        return link.credit > 0 and self._next <= log.state(self._partition.number).last

    def _note_gap(self, missed: int) -> None:
        """Log, once, that events were removed before the reader got them; where it begins there may be a gap."""
        if missed and self._has_read and not self._has_missed:
            self._has_missed = True
            logger.warning(
                "reader %s of partition %d has missed %d events, which are kept no longer: it reads more slowly than "
                "devices send. On disk there is room for more: --keep-events",
                ascii(self.name),
                self._partition.number,
                missed,
            )

    def _metrics(self) -> bytes:
        return encode_metrics(self._hub.event_log.state(self._partition.number), self._hub.clock.now())

    def _continue(self) -> None:
        self._is_scheduled = False
        self._wake()

    def _wake(self) -> None:
        try:
            self.pull()
        except REFUSALS as err:
            self._link.detach(amqp_error(err))


def open_reader(context: ConnectionContext, link: OutAmqpLink, match: Match) -> EventReader:
    """The node of a reader. Raises LinkError for what this event hub does not have."""
    hub = context.hub
    check_event_hub(hub, match.ids["hub"])
    group = hub.event_readers.group(match.ids["group"])
    if group is None:
        known = ", ".join(hub.event_readers.groups)
        text = f"The consumer group {shown(match.ids['group'])} could not be found; this hub has {known}."
        raise LinkError(AmqpError(NOT_FOUND, f"{text} Others are given when it is started."))
    text, count = match.ids["partition"], hub.event_log.partition_count
    partition = partition_number(text, count)
    if partition is None:
        raise LinkError(AmqpError(ARGUMENT_OUT_OF_RANGE, no_partition(text, count)))
    return EventReader(link, hub, GroupPartition(group, partition))


def _epoch(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return None if value is None else int(value)
    raise LinkError(AmqpError(INVALID_FIELD, f"The link property {EPOCH} is no whole number."))
