"""The addresses of devices and modules, and what stands behind them."""

from collections.abc import Callable
from typing import Any, TypeVar

from azext_iotjobs.localhub.amqp.nodes.base import (
    ConnectionContext,
    Direction,
    InAmqpLink,
    InNode,
    Match,
    OutAmqpLink,
    OutNode,
    Route,
    Side,
)
from azext_iotjobs.localhub.amqp.nodes.c2d_receiver import C2dReceiver
from azext_iotjobs.localhub.amqp.nodes.device_link import DeviceLink, DeviceLinks, DeviceNode
from azext_iotjobs.localhub.amqp.nodes.methods import MethodCalls, MethodResponses
from azext_iotjobs.localhub.amqp.nodes.telemetry import ModuleInputs, Telemetry
from azext_iotjobs.localhub.amqp.nodes.throttled import ThrottledWork
from azext_iotjobs.localhub.amqp.nodes.twin import TwinRequests, TwinResponses

CORRELATION = "com.microsoft:channel-correlation-id"  # the same on both links of a pair
Node = TypeVar("Node", bound=DeviceNode)
_Row = tuple[
    str, Direction, Callable[[ConnectionContext, Any, Match], InNode | OutNode], str
]  # path, direction, opens, purpose


def _device(context: ConnectionContext, match: Match) -> DeviceLink:
    devices: DeviceLinks = context.shared.setdefault("devices", DeviceLinks(context))
    return devices.of(match.address)


def _added(device: DeviceLink, node: Node) -> Node:
    device.add(node)
    return node


def _work(context: ConnectionContext) -> ThrottledWork:
    return ThrottledWork(context.hub.loop, context.hub.quotas)


def open_telemetry(context: ConnectionContext, link: InAmqpLink, match: Match) -> Telemetry:
    """The node for what a device sends."""
    device = _device(context, match)
    return _added(device, Telemetry(link, device, context.hub.devices, _work(context)))


def open_inputs(context: ConnectionContext, link: OutAmqpLink, match: Match) -> ModuleInputs:
    """The node for what an edge hub would route to a module."""
    device = _device(context, match)
    return _added(device, ModuleInputs(link, device))


def open_messages(context: ConnectionContext, link: OutAmqpLink, match: Match) -> C2dReceiver:
    """The node for cloud-to-device messages."""
    device = _device(context, match)
    return _added(device, C2dReceiver(link, device, context.hub.c2d_queue))


def open_calls(context: ConnectionContext, link: OutAmqpLink, match: Match) -> MethodCalls:
    """The node for calls of a device's methods."""
    device = _device(context, match)
    return _added(device, MethodCalls(link, device, context.hub.links))


def open_responses(context: ConnectionContext, link: InAmqpLink, match: Match) -> MethodResponses:
    """The node for a device's responses to calls."""
    device = _device(context, match)
    return _added(device, MethodResponses(link, device, context.hub.links))


def open_twin_requests(context: ConnectionContext, link: InAmqpLink, match: Match) -> TwinRequests:
    """The node for a device's requests for its twin."""
    device = _device(context, match)
    channel = device.channel(_correlation(link.properties))
    return _added(device, TwinRequests(link, device, channel, context.hub.devices, _work(context)))


def open_twin_responses(context: ConnectionContext, link: OutAmqpLink, match: Match) -> TwinResponses:
    """The node for the responses to them, and for changes of desired properties."""
    device = _device(context, match)
    return _added(device, TwinResponses(link, device, device.channel(_correlation(link.properties))))


def _correlation(properties: dict[str, object]) -> str:
    return str(properties.get(CORRELATION, ""))


_ROWS: tuple[_Row, ...] = (
    ("messages/events", Direction.IN, open_telemetry, "send telemetry, also in batches"),
    ("messages/devicebound", Direction.OUT, open_messages, "receive cloud-to-device messages"),
    ("methods/devicebound", Direction.OUT, open_calls, "receive calls of methods"),
    ("methods/devicebound", Direction.IN, open_responses, "respond to them"),
    ("twin", Direction.IN, open_twin_requests, "read the twin, report properties, subscribe to desired ones"),
    ("twin", Direction.OUT, open_twin_responses, "receive responses and changes of desired properties"),
)
_MODULE = "/devices/{device}/modules/{module}"
_INPUTS: _Row = ("messages/events", Direction.OUT, open_inputs, "inputs of a module: nothing arrives")


def _route(start: str, row: _Row) -> Route:
    path, direction, opens, purpose = row
    return Route(side=Side.DEVICE, address=f"{start}/{path}", direction=direction, opens=opens, purpose=purpose)


ROUTES = (
    *(_route("/devices/{device}", row) for row in _ROWS),
    *(_route(_MODULE, row) for row in (*_ROWS, _INPUTS)),
)
