"""/devices/{id}/messages/events: what devices and modules send to the hub, one by one or in batches."""

from functools import partial

from azext_iotjobs.localhub.amqp.nodes.base import Delivery, InAmqpLink, OutAmqpLink
from azext_iotjobs.localhub.amqp.nodes.device_link import DeviceLink
from azext_iotjobs.localhub.amqp.nodes.telemetry_message import read_telemetry
from azext_iotjobs.localhub.amqp.nodes.throttled import MAX_WAITING, ThrottledWork, Work
from azext_iotjobs.localhub.amqp.refusals import amqp_error
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Rejected
from azext_iotjobs.localhub.engine.device_service import DeviceService
from azext_iotjobs.localhub.engine.event_log import StoreError
from azext_iotjobs.localhub.errors import HubError, StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.rules.event import DeviceMessage
from azext_iotjobs.localhub.rules.fault import InjectedFault, Kind, Operation
from azext_iotjobs.localhub.rules.quota import Throttle

MAX_BYTES = 256 * 1024  # of a message, and of a batch, as it is encoded [IoT Hub quotas]
CREDIT = 1000  # what the service grants: azure-iot-sdk-c issue 1397, a trace of a live hub


class Telemetry:
    """Device -> hub. A message is accepted once it is stored."""

    def __init__(self, link: InAmqpLink, device: DeviceLink, devices: DeviceService, work: ThrottledWork) -> None:
        self.link = link
        self._device = device
        self._devices = devices
        self._work = work

    def start(self) -> None:
        """Accept the link."""
        credit = CREDIT if self._devices.quotas is None else MAX_WAITING
        self.link.accept(credit=credit, max_message_bytes=MAX_BYTES)

    def receive(self, delivery: Delivery) -> None:
        """Take a message, or all of a batch. Raises DecodeError, also when one of a batch is wrong."""
        messages = read_telemetry(delivery.message_format, delivery.payload)
        effect = self._device.effect(Operation.TELEMETRY)
        if effect is None and self._devices.quotas is None and not self._work.is_waiting:
            self._take(delivery, messages, None)
            return
        delay_s, fault = effect or (0.0, None)
        take, refuse = partial(self._take, delivery, messages, fault), partial(self._refuse, delivery)
        self._work.add(Work(Throttle.SENDS, take, refuse, cost=len(messages), delay_s=delay_s))

    def _take(self, delivery: Delivery, messages: list[DeviceMessage], fault: InjectedFault | None) -> None:
        if fault is not None and fault.kind is Kind.DROP:
            self._device.drop()
            return
        end = partial(self._end, delivery) if fault is None else _leave_open
        try:
            self._devices.telemetry(self._device.sender(), messages, end)
        except (HubError, StoreUnavailable, StoreDamaged) as err:
            self._refuse(delivery, err)

    def _end(self, delivery: Delivery, error: StoreError | None) -> None:
        """error: why what the device sent is not stored."""
        if error is None:
            self.link.settle(delivery, Accepted())
        else:
            self._refuse(delivery, error)

    def _refuse(self, delivery: Delivery, err: HubError | StoreUnavailable | StoreDamaged) -> None:
        self.link.settle(delivery, Rejected(amqp_error(err)))

    def ended(self) -> None:
        """The device sends nothing more on this link."""
        self._work.end(is_dropped=self._device.is_ended)
        self._device.remove(self)


def _leave_open(_error: StoreError | None) -> None:
    """Tell the device nothing."""


class ModuleInputs:
    """The same address as a source: messages that an edge hub routes to a module. This hub has no routes."""

    def __init__(self, link: OutAmqpLink, device: DeviceLink) -> None:
        self.link = link
        self._device = device

    def start(self) -> None:
        """Accept the link."""
        self.link.accept()

    def pull(self) -> None:
        """Nothing is sent."""
        self.link.end_drain()

    def settled(self, tag: bytes, outcome: object) -> None:
        """Nothing was sent."""

    def ended(self) -> None:
        """The module listens no more."""
        self._device.remove(self)
