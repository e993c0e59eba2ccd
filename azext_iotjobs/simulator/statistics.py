"""Counts what simulated devices do. Its memory is bounded, apart from the devices' ids. Pure.

A response is timed from when its call was read from the connection until the response is handed to the connection: that
is the time of the simulation, without the network.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sized
from dataclasses import field

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.histogram import Histogram

RATE_SPAN_S = 10  # rates are those of the last ten seconds
LONGEST_CALL_S = 600.0  # a hub waits at most 300 s for a device and 300 s for its answer: later ones reach nobody
MAX_OPEN_CALLS = 100_000
MAX_NAMES = 200  # of methods, and of statuses of each: callers choose the one, behaviours the other
OTHERS = "(others)"  # stands for the further ones
FIRST_DEVICES = 5  # that are listed for each kind of trouble
MAX_REASON = 300  # characters

TROUBLE = (
    ActivityKind.LOST,
    ActivityKind.NOT_CONNECTED,
    ActivityKind.REFUSED,
    ActivityKind.UNANSWERED,
    ActivityKind.REPORT_REFUSED,
    ActivityKind.FETCH_REFUSED,
    ActivityKind.UNREADABLE,
    ActivityKind.DROPPED,
)


class Rate:
    """How often something happened each second, recently."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, int]] = deque()  # second, count in it; ascending

    def add(self, at: float) -> None:
        """Count one at `at`, in seconds, not earlier than the last."""
        second = int(at)
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, self._seconds[-1][1] + 1)
            return
        self._seconds.append((second, 1))
        if len(self._seconds) > RATE_SPAN_S + 1:
            self._seconds.popleft()

    def per_second(self, now: float, started_at: float) -> float:
        """Over the last RATE_SPAN_S whole seconds, or those since `started_at`."""
        this = int(now)  # has not ended, and would lower the rate
        first = max(this - RATE_SPAN_S, int(started_at))
        total = sum(count for second, count in self._seconds if first <= second < this)
        return total / max(1, this - first)


@dataclass()
class Method:
    """The calls of one method."""

    received_count: int = 0
    answered_count: int = 0
    statuses: dict[int | str, int] = field(default_factory=dict)  # status, or OTHERS -> how many


@dataclass()
class Trouble:
    """One kind of trouble."""

    count: int = 0
    devices: list[str] = field(default_factory=list)  # the first FIRST_DEVICES
    reason: str | None = None  # the first one


class Statistics:
    """Counts and rates of one run."""

    def __init__(self, device_count: int, started: Moment) -> None:
        self.device_count = device_count
        self.started = started
        self.counts: dict[ActivityKind, int] = dict.fromkeys(ActivityKind, 0)
        self.connected: set[str] = set()
        self.all_ready_at: float | None = None  # when all devices but the absent ones were connected for the first time
        self.methods: dict[str, Method] = {}
        self.latency = Histogram()  # of answers
        self.trouble: dict[ActivityKind, Trouble] = {}
        self.connects, self.messages, self.answers = Rate(), Rate(), Rate()  # messages: acknowledged ones
        self._open_calls: OrderedDict[tuple[str, str], float] = OrderedDict()  # (device, rid) -> when it was called

    def on(self, device: str, activity: Activity, now: Moment) -> None:
        """Count an activity of `device`."""
        what, at = activity.kind, now.at
        self.counts[what] += 1
        if what is ActivityKind.METHOD:
            self._called(device, activity.details, at if activity.arrived_at is None else activity.arrived_at)
        elif what is ActivityKind.ANSWER:
            self._answered(device, activity.details, at)
        elif what is ActivityKind.ACKNOWLEDGED:
            self.messages.add(at)
        elif what is ActivityKind.READY:
            self._ready(device, at)
        elif what in TROUBLE:
            self._troubled(what, device, activity.details)
            if what is ActivityKind.UNANSWERED:
                self._open_calls.pop((device, str(activity.details["rid"])), None)
        if what in (ActivityKind.LOST, ActivityKind.NOT_CONNECTED, ActivityKind.REFUSED, ActivityKind.LEFT):
            self.connected.discard(device)

    @property
    def present_count(self) -> int:
        """The devices that connect at some time, as their behaviour says."""
        return self.device_count - self.counts[ActivityKind.ABSENT]

    def rates(self, now: Moment) -> Mapping[str, float]:
        """Connections, messages that the hub acknowledged, and method responses in each second, recently."""
        return {
            name: rate.per_second(now.at, self.started.at)
            for name, rate in (("connects", self.connects), ("messages", self.messages), ("methods", self.answers))
        }

    def _ready(self, device: str, at: float) -> None:
        self.connects.add(at)
        self.connected.add(device)
        if self.all_ready_at is None and len(self.connected) == self.present_count:
            self.all_ready_at = at

    def _called(self, device: str, details: Mapping[str, object], at: float) -> None:
        self._method(str(details["name"])).received_count += 1
        calls = self._open_calls
        calls[device, str(details["rid"])] = at
        while len(calls) > MAX_OPEN_CALLS or at - next(iter(calls.values())) > LONGEST_CALL_S:
            calls.popitem(last=False)

    def _answered(self, device: str, details: Mapping[str, object], at: float) -> None:
        self.answers.add(at)
        called_at = self._open_calls.pop((device, str(details["rid"])), None)
        if called_at is not None:
            self.latency.add(at - called_at)
        method = self._method(str(details["name"]))
        method.answered_count += 1
        status = details["status"]
        key = (
            status if isinstance(status, int) and (status in method.statuses or _has_room(method.statuses)) else OTHERS
        )
        method.statuses[key] = method.statuses.get(key, 0) + 1

    def _method(self, name: str) -> Method:
        if name not in self.methods and not _has_room(self.methods):
            name = OTHERS
        return self.methods.setdefault(name, Method())

    def _troubled(self, what: ActivityKind, device: str, details: Mapping[str, object]) -> None:
        trouble = self.trouble.setdefault(what, Trouble())
        trouble.count += 1
        if len(trouble.devices) < FIRST_DEVICES and device not in trouble.devices:
            trouble.devices.append(device)
        if trouble.reason is None:
            given = next((details[name] for name in ("reason", "status", "topic") if name in details), None)
            trouble.reason = None if given is None else str(given)[:MAX_REASON]


def _has_room(names: Sized) -> bool:
    return len(names) < MAX_NAMES
