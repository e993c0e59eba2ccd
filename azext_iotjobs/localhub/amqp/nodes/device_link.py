"""A device on an AMQP connection: all of its links there are what the hub reaches it through.

A device is online while at least one of its links is attached. A connection may carry several devices, as gateways do.
"""

from collections.abc import Callable
from typing import Protocol

from azext_iotjobs.localhub.amqp.nodes.call_ids import CallIds
from azext_iotjobs.localhub.amqp.nodes.twin_channel import TwinChannel
from azext_iotjobs.localhub.amqp.protocol.link import Link
from azext_iotjobs.localhub.amqp.wire.conditions import DETACH_FORCED, LINK_STOLEN
from azext_iotjobs.localhub.amqp.wire.performatives import AmqpError
from azext_iotjobs.localhub.engine.device_service import DeviceService
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import Json
from azext_iotjobs.localhub.store.messages import Message


class DeviceNode(Protocol):
    """What stands behind one of the device's links."""

    link: Link

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

    def __init__(
        self, address: Address, links: Links, devices: DeviceService, forget: Callable[["DeviceLink"], None]
    ) -> None:
        self.address = address
        self.call_ids = CallIds()
        self.is_ended = False
        self._links = links
        self._devices = devices
        self._forget = forget
        self._nodes: list[DeviceNode] = []
        self._messages: MessageReceiver | None = None
        self._methods: MethodReceiver | None = None
        self._channels: dict[str, TwinChannel] = {}

    # --- its links

    def add(self, node: DeviceNode) -> None:
        """One of its links was attached; with the first one the device is online."""
        self._nodes.append(node)
        if len(self._nodes) == 1:
            self._links.attach(self)
            self._devices.connected(self.address, None)

    def remove(self, node: DeviceNode) -> None:
        """One of its links has ended; without any the device is offline."""
        if node in self._nodes:
            self._nodes.remove(node)
        if not self._nodes:
            self._end()

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
        self._links.subscriptions_changed(self)

    def stop_methods(self, receiver: MethodReceiver) -> None:
        """They go there no more."""
        if self._methods is receiver:
            self._methods = None

    def channel(self, name: str) -> TwinChannel:
        """The twin links of this correlation id."""
        return self._channels.setdefault(name, TwinChannel())

    def end_channel(self, name: str) -> None:
        """One of the twin links of this correlation id has ended."""
        if name in self._channels and self._channels[name].is_unused:
            del self._channels[name]

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
        nodes, self._nodes = self._nodes, []
        self._end()
        for node in nodes:
            node.link.detach(error)
            node.ended()

    def _end(self) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        self._forget(self)
        if self._links.detach(self):
            self._devices.disconnected(self.address)
