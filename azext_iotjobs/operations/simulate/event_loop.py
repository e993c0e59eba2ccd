"""Simulate devices over MQTT until all messages are sent or the run is stopped: one loop, any number of devices.

Strategy: the loop owns time and connections, each device's `Session` decides. The devices that have something to do
later are in one heap, so a turn costs what happens in it, not how many devices there are. All devices that want to
connect, for the first time or again, wait in one queue, from which the pacer admits so many a second: a hub that comes
back is not hit by all devices at once.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence

from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.device_topics import not_in_topics, reason_against
from azext_iotjobs.model.errors import BadValue, IotJobsError
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.simulate.context import ConnectQueue, Observer, SimulationContext
from azext_iotjobs.operations.simulate.device import Device
from azext_iotjobs.operations.simulate.simulated_device import SimulatedDevice
from azext_iotjobs.simulator.events import Activity, ActivityKind
from azext_iotjobs.simulator.rng import Rng
from azext_iotjobs.transport.connect_pacing import RAMP_PER_S, Pacer
from azext_iotjobs.transport.mqtt import MqttProtocol, MqttTransport
from azext_iotjobs.transport.mqtt_events import DeviceLinks
from azext_iotjobs.transport.open_files import make_room

__all__ = ["RAMP_PER_S", "Observer", "SimulatedDevice", "Summary", "run", "run_over"]

LONGEST_TURN_S = 0.5  # a stop is noticed within this time
SPARE_ENTRIES = 10_000  # outdated entries that the heap of wake-ups may hold


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of a simulation."""

    sent_count: int  # messages handed to a connection
    acknowledged_count: int  # those of them that the hub has acknowledged
    dropped_count: int = 0  # messages, responses and reports not sent: too many of the device waited for the hub
    failures: Mapping[str, IotJobsError]  # by device: why it gave up
    was_stopped: bool


def run(
    target: HubTarget,
    devices: Sequence[SimulatedDevice],
    observer: Observer,
    clock: Clock,
    stop: StopFlag,
    way: MqttProtocol = MqttProtocol.TLS,
    seed: str = "",
    ramp_per_s: float = RAMP_PER_S,
) -> Summary:
    """Connect `devices` to `target` and run them. When this returns, nothing is connected.

    observer: called, on this thread, with each activity of a device.
    seed: of the devices' random numbers; the same seed gives the same behaviour.
    ramp_per_s: connections to begin in a second, first and later ones together; more than 0.
    Raises BadValue when there are more devices than this process may open files. When every device gave up, the first
    one's error: Unauthorized, LinkError, BadValue for a certificate that cannot be used and for an id or topic that
    MQTT cannot carry.
    """
    make_room(len(devices))
    links = MqttTransport(target, clock, way)
    try:
        return run_over(links, target, devices, observer, clock, stop, seed, ramp_per_s)
    finally:
        links.close()


def run_over(
    links: DeviceLinks,
    target: HubTarget,
    devices: Sequence[SimulatedDevice],
    observer: Observer,
    clock: Clock,
    stop: StopFlag,
    seed: str = "",
    ramp_per_s: float = RAMP_PER_S,
) -> Summary:
    """Run the devices over `links`, which stay open. For the arguments and errors see `run`."""
    context = SimulationContext(
        links=links,
        target=target,
        observer=observer,
        clock=clock,
        seed=seed,
        queue=ConnectQueue(Pacer(ramp_per_s)),
        rng=Rng(f"{seed}/connections"),
        has_many=len(devices) > 1,
    )
    failures = _refuse_unfit(devices, observer)
    running = {each.device_id: Device(each, context) for each in devices if each.device_id not in failures}
    _loop(running, context, stop)
    if context.unreached is not None:
        raise context.unreached
    failures |= {name: device.failure for name, device in running.items() if device.failure is not None}
    if failures and len(failures) == len(devices):
        raise next(iter(failures.values()))
    return _summary(running.values(), failures, was_stopped=stop.is_set())


def _refuse_unfit(devices: Sequence[SimulatedDevice], observer: Observer) -> dict[str, IotJobsError]:
    """The devices whose ids MQTT topics cannot hold: they fail alone, before anything is connected."""
    failures: dict[str, IotJobsError] = {}
    for device in devices:
        if (error := reason_against(device.device_id)) is None:
            continue
        failures[device.device_id] = BadValue(error)
        # Without the id, because many may have the same reason.
        details = {"reason": f"MQTT topics cannot contain {not_in_topics(device.device_id)}"}
        observer(device.device_id, Activity(kind=ActivityKind.REFUSED, details=details))
    return failures


def _summary(devices: Iterable[Device], failures: Mapping[str, IotJobsError], *, was_stopped: bool) -> Summary:
    sent = acknowledged = dropped = 0
    for device in devices:
        sent += device.sent_count
        acknowledged += device.acknowledged_count
        dropped += device.dropped_count
    return Summary(
        sent_count=sent,
        acknowledged_count=acknowledged,
        dropped_count=dropped,
        failures=failures,
        was_stopped=was_stopped,
    )


class _WakeUps:
    """When each device has something to do next.

    An entry of the heap that is outdated, because the device has an earlier one or has been woken, does no harm.
    """

    def __init__(self, names: Iterable[str], now: float) -> None:
        self._at = dict.fromkeys(names, now)  # the entry of each device that counts
        self._heap = [(now, name) for name in self._at]
        heapq.heapify(self._heap)

    @property
    def next_at(self) -> float:
        """When the first device has something to do, or earlier; inf: none has."""
        return self._heap[0][0] if self._heap else math.inf

    def pop_due(self, now: float) -> set[str]:
        """The devices that have something to do now, which no longer have an entry."""
        due = set()
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._at.get(name) == at:
                del self._at[name]
                due.add(name)
        return due

    def add(self, name: str, at: float) -> None:
        """Wake a device at `at`, unless it is woken earlier."""
        if at < self._at.get(name, math.inf):
            self._at[name] = at
            heapq.heappush(self._heap, (at, name))

    def compact(self) -> None:
        """Remove outdated entries when there are too many."""
        if len(self._heap) > 2 * len(self._at) + SPARE_ENTRIES:
            self._heap = [(at, name) for name, at in self._at.items()]
            heapq.heapify(self._heap)


def _loop(devices: Mapping[str, Device], context: SimulationContext, stop: StopFlag) -> None:
    clock = context.clock
    wake_ups = _WakeUps(devices, clock.monotonic())
    running = set(devices)
    while running and context.unreached is None and not stop.is_set():
        now = clock.monotonic()
        wait_s = min(wake_ups.next_at, context.queue.next_at(now)) - now
        events = context.links.receive(min(max(wait_s, 0.0), LONGEST_TURN_S))
        context.arrived_at = clock.monotonic()
        for event in events:
            devices[event.device].on(event)
        now = clock.monotonic()
        for name in {event.device for event in events} | wake_ups.pop_due(now):
            device = devices[name]
            next_at = device.next_at
            if next_at <= now:
                device.run_due(now)
                next_at = device.next_at
            if device.is_over:
                running.discard(name)
            wake_ups.add(name, next_at)
        running -= {device.device_id for device in context.queue.connect_due(now) if device.is_over}
        wake_ups.compact()
