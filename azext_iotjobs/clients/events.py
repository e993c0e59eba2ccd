"""EventsClient: the built-in endpoint of a hub, over one connection; and how a hub is asked where that is."""

from collections.abc import Callable, Iterator
from functools import partial

from azext_iotjobs.clients import event_codec as codec
from azext_iotjobs.clients.amqp_access import EVENTS, advised
from azext_iotjobs.model.amqp import AmqpEndpoint, AmqpLogin
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.device_event import DeviceEvent, EventHub, PartitionState, Position
from azext_iotjobs.model.errors import AnswerTooLate
from azext_iotjobs.model.host_names import is_loopback
from azext_iotjobs.model.target import SasKey
from azext_iotjobs.transport.amqp import AmqpConnection, AmqpLink, Receiver
from azext_iotjobs.transport.amqp_errors import LinkRedirected
from azext_iotjobs.transport.amqp_login import event_hub_login, hub_login

Connect = Callable[[AmqpEndpoint, AmqpLogin], AmqpLink]
CREDIT = 300  # events of a partition that may be under way
REDIRECT_TIMEOUT_S = 30.0


class EventsClient:
    """One connection to an event hub; closed after use."""

    def __init__(self, hub: EventHub, group: str, clock: Clock, connect: Connect = AmqpConnection) -> None:
        """Connect and sign in.

        hub: where.  group: the consumer group that is read with.  clock: by which tokens end.
        connect: makes a connection.  Raises LinkError, HubAnswer.
        """
        self._hub = hub
        self._group = group
        self._receivers: dict[str, Receiver] = {}
        where = hub.endpoint if is_loopback(hub.endpoint.host) else None  # in Azure it is a host of Event Hubs
        self._advised = partial(advised, EVENTS, hub.key, clock, where)
        with self._advised():
            self._link = connect(hub.endpoint, event_hub_login(hub.endpoint.host, hub.name, hub.key, clock))

    def partitions(self) -> tuple[str, ...]:
        """The ids of its partitions. Raises LinkError, HubAnswer."""
        with self._advised():
            return codec.parse_partitions(self._link.read("com.microsoft:eventhub", name=self._hub.name))

    def state(self, partition: str) -> PartitionState:
        """How far a partition is. Raises LinkError, HubAnswer."""
        return codec.parse_state(self._link.read("com.microsoft:partition", name=self._hub.name, partition=partition))

    def follow(self, partition: str, position: Position) -> None:
        """Let what is behind a position come, and go on with what is new. Raises LinkError, HubAnswer."""
        with self._advised():
            self._receivers[partition] = self._link.receiver(
                codec.render_address(self._hub.name, self._group, partition),
                selector=codec.render_selector(position),
                credit=CREDIT,
                settled=True,
            )

    def wait(self) -> None:
        """Let events come, for a moment. Raises LinkError, HubAnswer."""
        with self._advised():
            self._link.wait()

    def take(self) -> Iterator[DeviceEvent]:
        """What has come, and was not taken; of each partition in its order."""
        for partition, receiver in self._receivers.items():
            for delivery in receiver.take():
                yield codec.parse_event(delivery.message, partition)

    def close(self) -> None:
        """End the connection."""
        self._link.close()


def find_event_hub(hub: AmqpEndpoint, key: SasKey, clock: Clock, connect: Connect = AmqpConnection) -> EventHub:
    """Ask a hub where its events are read: it refuses a link, and says where to open it.

    hub: where services reach it.  key: with the right ServiceConnect.  clock: by which tokens end.
    connect: makes a connection.
    Raises LinkError, HubAnswer, AnswerTooLate where it says nothing.
    """
    with advised(EVENTS, key, clock, hub):
        link = connect(hub, hub_login(hub.host, key, clock))
        try:
            deadline = clock.monotonic() + REDIRECT_TIMEOUT_S
            link.receiver(f"amqps://{hub.host}/messages/events/$management", credit=1, settled=True)
            while clock.monotonic() < deadline:
                link.wait()
        except LinkRedirected as err:
            return codec.parse_redirect(err.redirect, hub, key)
        finally:
            link.close()
    raise AnswerTooLate(f"{hub.authority} did not say where its events are read.", waited_s=REDIRECT_TIMEOUT_S)
