"""Simulate devices over MQTT until all has been sent or somebody says stop: one loop, any number of devices.

Strategy: the loop owns time and connections, each device's `Session` decides. What is due next stands in one agenda (a
heap), so a turn costs what happens in it, not how many devices there are. An outdated entry does no harm: tending a
device does only what is due. Whoever wants to connect, for the first time or again, stands in one line, from which the
pacer lets in so many a second: a hub that comes back does not meet all its devices at once.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.device_topics import not_in_topics, reason_against
from azext_iotjobs.model.errors import BadValue, IotJobsError
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.simulate.context import Around, Line, Reporter
from azext_iotjobs.operations.simulate.credentials import SimulatedDevice
from azext_iotjobs.operations.simulate.device import Device
from azext_iotjobs.simulator.dice import Dice
from azext_iotjobs.simulator.events import Seen, What
from azext_iotjobs.transport.mqtt import MqttProtocol, MqttTransport
from azext_iotjobs.transport.mqtt_events import DeviceLinks
from azext_iotjobs.transport.open_files import make_room
from azext_iotjobs.transport.pacing import RAMP_PER_S, Pacer

__all__ = ["RAMP_PER_S", "Reporter", "SimulatedDevice", "Summary", "run", "run_over"]

LONGEST_TURN_S = 0.5  # a stop is noticed within it
SPARE_ENTRIES = 10_000  # outdated ones that the agenda may hold


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a simulation came to."""

    sent_count: int  # messages handed to a connection
    acknowledged_count: int  # messages of them that the hub has acknowledged
    dropped_count: int = 0  # messages, answers and reports not sent: too many of the device waited for the hub already
    failures: Mapping[str, IotJobsError]  # by device: why it gave up
    was_stopped: bool


def run(
    target: HubTarget,
    devices: Sequence[SimulatedDevice],
    reporter: Reporter,
    clock: Clock,
    stop: StopFlag,
    way: MqttProtocol = MqttProtocol.TLS,
    seed: str = "",
    ramp_per_s: float = RAMP_PER_S,
) -> Summary:
    """Connect `devices` to `target` and let them live; gives what it came to, and leaves nothing connected.

    reporter: told, on this thread, of everything that a person may want to see.
    seed: of the devices' chance: the same one gives the same behaviour.
    ramp_per_s: connections begun in a second, first ones and later ones together; more than 0.
    Raises BadValue when there are more devices than this process may open files. When every device gave up, the first
    one's error: Unauthorized, LinkError, BadValue for a certificate that cannot be used and for an id or topic that
    MQTT cannot carry.
    """
    make_room(len(devices))
    links = MqttTransport(target, clock, way)
    try:
        return run_over(links, target, devices, reporter, clock, stop, seed, ramp_per_s)
    finally:
        links.close()


def run_over(
    links: DeviceLinks,
    target: HubTarget,
    devices: Sequence[SimulatedDevice],
    reporter: Reporter,
    clock: Clock,
    stop: StopFlag,
    seed: str = "",
    ramp_per_s: float = RAMP_PER_S,
) -> Summary:
    """The same over connections that are there already."""
    dice = Dice(f"{seed}/connections")
    line = Line(Pacer(ramp_per_s))
    around = Around(
        links=links, target=target, reporter=reporter, clock=clock, seed=seed, line=line, dice=dice,
        is_fleet=len(devices) > 1,
    )  # fmt: skip
    failures: dict[str, IotJobsError] = {
        device.device_id: BadValue(reason)
        for device in devices
        if (reason := reason_against(device.device_id)) is not None
    }
    for name in failures:  # they fail alone, and before anything is connected
        reason = f"MQTT topics hold no {not_in_topics(name)}"  # without the id: many may have the same
        reporter(name, Seen(what=What.REFUSED, details={"reason": reason}))
    running = {device.device_id: Device(device, around) for device in devices if device.device_id not in failures}
    _loop(running, around, stop)
    if around.unreached is not None:
        raise around.unreached
    failures |= {name: device.failure for name, device in running.items() if device.failure is not None}
    if failures and len(failures) == len(devices):
        raise next(iter(failures.values()))
    return Summary(
        sent_count=sum(device.sent_count for device in running.values()),
        acknowledged_count=sum(device.acknowledged_count for device in running.values()),
        dropped_count=sum(device.dropped_count for device in running.values()),
        failures=failures,
        was_stopped=stop.is_set(),
    )


def _loop(running: "dict[str, Device]", around: Around, stop: StopFlag) -> None:
    clock = around.clock
    agenda = [(clock.monotonic(), name) for name in running]
    agreed = {name: at for at, name in agenda}  # which entry of a device counts; the others are outdated
    living = set(running)
    while living and around.unreached is None and not stop.is_set():
        now = clock.monotonic()
        wait_s = min(agenda[0][0] if agenda else math.inf, around.line.next_at(now)) - now
        touched = set()
        events = around.links.receive(min(max(wait_s, 0.0), LONGEST_TURN_S))
        around.arrived_at = clock.monotonic()
        for event in events:
            running[event.device].on(event)
            touched.add(event.device)
        now = clock.monotonic()
        while agenda and agenda[0][0] <= now:
            at, name = heapq.heappop(agenda)
            if agreed.get(name) == at:
                del agreed[name]
                touched.add(name)
        for name in touched:
            device = running[name]
            next_at = device.next_at
            if next_at <= now:
                device.tend(now)
                next_at = device.next_at
            if device.is_over:
                living.discard(name)
            if next_at < agreed.get(name, math.inf):
                agreed[name] = next_at
                heapq.heappush(agenda, (next_at, name))
        living -= {device.device_id for device in around.line.let_in(now) if device.is_over}
        if len(agenda) > 2 * len(agreed) + SPARE_ENTRIES:
            agenda = [(at, name) for name, at in agreed.items()]
            heapq.heapify(agenda)
