"""A device on an AMQP connection: all of its links there are what the hub reaches it through.

A device is online while at least one of its links is attached. A connection may carry several devices, as gateways do.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from azext_iotjobs.localhub.amqp.nodes.base import AmqpLink, ConnectionContext
from azext_iotjobs.localhub.amqp.nodes.call_ids import CallIds
from azext_iotjobs.localhub.amqp.nodes.twin_channel import TwinChannel
from azext_iotjobs.localhub.amqp.refusals import REFUSALS, amqp_error
from azext_iotjobs.localhub.amqp.wire.conditions import DETACH_FORCED, LINK_STOLEN
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError
from azext_iotjobs.localhub.engine.faults import Effect
from azext_iotjobs.localhub.engine.observations import Connections
from azext_iotjobs.localhub.errors import SERVICE_UNAVAILABLE, UNAUTHORIZED, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import Sender
from azext_iotjobs.localhub.rules.fault import NOT_AUTHORISED, REASON, InjectedFault, Kind, Operation
from azext_iotjobs.localhub.rules.json_values import Json
from azext_iotjobs.localhub.rules.quota import Throttle
from azext_iotjobs.localhub.store.messages import Message

MODEL_ID = "com.microsoft:model-id"


class DeviceNode(Protocol):
    """What stands behind one of the device's links."""

    @property
    def link(self) -> AmqpLink:
        """Its link."""

    def start(self) -> None:
        """Accept the link."""

    def ended(self) -> None:
        """The link has ended, for whatever reason; a second call does nothing."""


class MessageReceiver(Protocol):
    """The link on which a device receives cloud-to-device messages."""

    @property
    def has_credit(self) -> bool:
        """Whether another message may be sent now."""

    def deliver(self, message: Message) -> None:
        """Send a message, which is locked."""


class MethodReceiver(Protocol):
    """The link on which a device receives method calls."""

    def call(self, rid: str, name: str, payload: str) -> None:
        """Send a call."""


class DeviceLink:
    """One device's links on one connection; `engine.links.Link` for the hub."""

    def __init__(self, address: Address, context: ConnectionContext, forget: Callable[[Address], None]) -> None:
        """forget: called when the device has gone."""
        self.address = address
        self.call_ids = CallIds()
        self.is_ended = False
        self.drop = context.drop
        self._hub = context.hub
        self._peer = context.peer
        self._forget = forget
        self._model_id: str | None = None
        self._sender: Sender | None = None  # made with its first message
        self._is_online = False
        self._delay: asyncio.TimerHandle | None = None  # while the hub's quotas have the device wait
        self._nodes: list[DeviceNode] = []
        self._messages: MessageReceiver | None = None
        self._methods: MethodReceiver | None = None
        self._channels: dict[str, TwinChannel] = {}

    # --- its links

    def add(self, node: DeviceNode) -> None:
        """One of its links is requested; with the first one the device comes. Raises HubError 429, StoreUnavailable."""
        self._announce(node.link.properties.get(MODEL_ID))
        self._nodes.append(node)
        if self._is_online:
            node.start()
        elif len(self._nodes) == 1:
            try:
                self._come()
            except HubError:
                self.remove(node)
                raise

    def remove(self, node: DeviceNode) -> None:
        """One of its links has ended; without any the device is offline."""
        if node in self._nodes:
            self._nodes.remove(node)
        if not self._nodes:
            self._end(self._peer.end_reason or "its links were detached")

    def _announce(self, model_id: object) -> None:
        if isinstance(model_id, str) and model_id not in ("", self._model_id):
            self._hub.devices.announce_model(self.address, model_id)
            self._model_id = model_id
            self._sender = None

    def sender(self) -> Sender:
        """The device, as its events name it. Raises HubError 401, StoreUnavailable, StoreDamaged."""
        if self._sender is None:
            claim = self._peer.require_device(self.address)
            self._sender = self._hub.devices.sender(self.address, claim.auth_method, self._model_id)
        return self._sender

    def effect(self, operation: Operation) -> Effect | None:
        """What a fault that was requested does to an operation of the device; it is counted now. None: nothing."""
        faults = self._hub.links.faults
        return faults.effect(operation, self.address.device_id) if faults.active else None

    def _come(self) -> None:
        effect = self.effect(Operation.CONNECT)
        if effect is not None and effect.fault is not None:
            if effect.fault.kind is Kind.DROP:
                self.drop()
            raise _not_let_in(effect.fault)
        wait_s = 0.0 if self._hub.quotas is None else self._hub.quotas.wait_s(Throttle.CONNECTIONS)
        wait_s += 0.0 if effect is None else effect.delay_s
        if wait_s:
            self._delay = self._hub.loop.call_later(wait_s, self._end_delay)
        else:
            self._go_online()

    def _end_delay(self) -> None:
        self._delay = None
        try:
            self._peer.require_device(self.address)  # it may have been disabled meanwhile
        except REFUSALS as err:
            error = amqp_error(err)
            self._connections.refused(self._peer.client(self.address), str(error.description))
            self._drop(error)
        else:
            self._go_online()

    def _go_online(self) -> None:
        self._is_online = True
        self._peer.online_count += 1
        for node in list(self._nodes):  # what the hub sends has to follow after this
            node.start()
        self._hub.links.attach(self)
        self._connections.connected(self._peer.client(self.address))
        self._hub.devices.connected(self.address, None)

    def receive_messages(self, receiver: MessageReceiver) -> None:
        """Cloud-to-device messages go to this link."""
        self._messages = receiver

    def stop_messages(self, receiver: MessageReceiver) -> None:
        """They go there no more."""
        if self._messages is receiver:
            self._messages = None

    def receive_methods(self, receiver: MethodReceiver) -> None:
        """Method calls go to this link."""
        self._methods = receiver
        self._hub.links.subscriptions_changed(self)

    def stop_methods(self, receiver: MethodReceiver) -> None:
        """They go there no more."""
        if self._methods is receiver:
            self._methods = None

    def channel(self, name: str) -> TwinChannel:
        """What the twin links of this correlation id have together."""
        self._channels = {each: channel for each, channel in self._channels.items() if not channel.is_unused}
        return self._channels.setdefault(name, TwinChannel())

    def end_others(self, node: DeviceNode) -> None:
        """A device has one link of this kind, the newest: older ones end."""
        for each in [each for each in self._nodes if type(each) is type(node) and each is not node]:
            each.link.detach(AmqpError(LINK_STOLEN, "Another link to this address was attached."))
            each.ended()

    # --- engine.links.Link

    @property
    def accepts_methods(self) -> bool:
        return self._methods is not None

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        if self._methods is None:
            return False
        self._methods.call(rid, name, payload)
        return True

    def notify_desired(self, patch: Json, version: int) -> None:
        for channel in list(self._channels.values()):
            channel.notify(patch, version)

    @property
    def accepts_messages(self) -> bool:
        return self._messages is not None and self._messages.has_credit

    def deliver(self, message: Message) -> None:
        assert self._messages is not None  # it has just accepted messages
        self._messages.deliver(message)

    def close(self, client_error: str | None = None) -> None:
        if client_error is None:
            error = AmqpError(DETACH_FORCED, "The hub ended the device's connection.")
        else:
            error = AmqpError(LINK_STOLEN, f"The device's connection was ended: {client_error}.")
        self._drop(error)

    def _drop(self, error: AmqpError) -> None:
        nodes, self._nodes = self._nodes, []
        self._end(str(error.description))
        for node in nodes:
            node.link.detach(error)
            node.ended()

    @property
    def _connections(self) -> Connections:
        return self._hub.links.observations.connections

    def _end(self, reason: str) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        if self._delay is not None:
            self._delay.cancel()
        self._forget(self.address)
        if self._is_online:
            self._peer.online_count -= 1
            self._connections.ended(self._peer.client(self.address), reason)
        if self._hub.links.detach(self):
            self._hub.devices.disconnected(self.address)


class DeviceLinks:
    """The devices on one connection."""

    def __init__(self, context: ConnectionContext) -> None:
        self._context = context
        self._by_address: dict[Address, DeviceLink] = {}

    def of(self, address: Address) -> DeviceLink:
        """The device's links on this connection."""
        if address not in self._by_address:
            self._by_address[address] = DeviceLink(address, self._context, self._forget)
        return self._by_address[address]

    def _forget(self, address: Address) -> None:
        self._by_address.pop(address, None)


def _not_let_in(fault: InjectedFault) -> HubError:
    """What stands for a CONNACK with its code."""
    kind = UNAUTHORIZED if fault.code == NOT_AUTHORISED else SERVICE_UNAVAILABLE
    return HubError(kind, f"The device is not let in: {REASON}.")
