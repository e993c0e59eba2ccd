"""How simulated devices behave: rules, as immutable values that thousands of devices share. Pure.

A device's own state, such as its counters, is in its `Session`.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import time, tzinfo
from enum import Enum

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.simulator.durations import AT_ONCE, Duration
from azext_iotjobs.simulator.events import DeviceInfo
from azext_iotjobs.simulator.generators import Generator
from azext_iotjobs.simulator.merging import Path, at_path
from azext_iotjobs.simulator.rng import Rng, stream_key
from azext_iotjobs.simulator.template import Template

DEFAULT_STATUS = 200
FAILURE_STATUS = 500
REJECTED_STATUS = 400
JSON_BODY = {"$.ct": "application/json", "$.ce": "utf-8"}  # without them the hub cannot route by body
REST = "rest"  # the group of the devices that are in no other group
ANY = "*"  # in place of a method's name or a path: all that have no rule of their own
METHOD_NAMES = ("request", "method", "count")  # what the templates of a method's rule may use
TWIN_NAMES = ("desired", "path", "version")  # and those of a rule for desired properties
GROUP_STREAM = stream_key("group")


# --- steps: what a device does one after another


@dataclass(frozen=True, kw_only=True)
class ReportStep:
    """Change reported properties; several times, to show progress."""

    patch: Template  # of an object; may also use `progress`, in percent
    times: int = 1
    every: Duration = AT_ONCE  # between two reports


@dataclass(frozen=True)
class WaitStep:
    """Do nothing for a while."""

    duration: Duration


@dataclass(frozen=True)
class OfflineStep:
    """Disconnect for a while; the next step follows when the device is ready again."""

    duration: Duration


@dataclass(frozen=True, kw_only=True)
class SendStep:
    """Send a message."""

    payload: Template
    properties: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChanceStep:
    """With the probability `rate`, run `instead` in place of the steps that follow."""

    rate: float  # 0 to 1
    instead: "Steps"


Step = ReportStep | WaitStep | OfflineStep | SendStep | ChanceStep
Steps = tuple[Step, ...]


# --- direct methods


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How a method call fails."""

    rate: float = 0.0  # 0 to 1
    status: int = FAILURE_STATUS
    payload: Template | None = None  # None: the call itself is returned
    then: Steps = ()


@dataclass(frozen=True, kw_only=True)
class MethodRule:
    """What a device does when a method is called."""

    status: int = DEFAULT_STATUS
    payload: Template | None = None  # None: the call itself is returned, as azure-iot does
    latency: Duration = AT_ONCE  # before the answer
    failure: Failure = field(default_factory=Failure)
    no_answer: float = 0.0  # share of calls, 0 to 1, that the device ignores
    then: Steps = ()  # after the answer


# --- the twin


class Acknowledge(Enum):
    """How a desired property is reported."""

    PLAIN = "plain"  # its value
    PNP = "pnp"  # as IoT Plug and Play defines it: value, ac, av, ad
    NONE = "none"  # not at all


@dataclass(frozen=True, kw_only=True)
class TwinRule:
    """What a device does when a desired property changes."""

    acknowledge: Acknowledge = Acknowledge.PLAIN
    delay: Duration = AT_ONCE  # before anything is reported
    reject: float = 0.0  # share of changes, 0 to 1, that the device rejects
    reject_status: int = REJECTED_STATUS  # reported only with PNP; else a rejected change is not reported
    reject_text: str = "rejected"
    steps: int = 1  # in how many steps the value reaches the new one
    every: Duration = AT_ONCE  # between two steps
    then: Steps = ()  # when the new value is reached


@dataclass(frozen=True, kw_only=True)
class TwinRules:
    """The rules for the paths of desired properties; no path is within another."""

    paths: Mapping[tuple[str, ...], TwinRule] = field(default_factory=dict)
    otherwise: TwinRule = field(default_factory=TwinRule)

    def rule(self, path: Path) -> TwinRule:
        """The rule for a path."""
        return self.paths.get(tuple(path), self.otherwise)


# --- telemetry


@dataclass(frozen=True, kw_only=True)
class TelemetryRule:
    """Messages of one kind."""

    name: str
    every: Duration
    first: Duration | None = None  # from being ready to the first one; None: at random within `every`
    count: int | None = None  # how many in all; None: without end
    values: Mapping[str, Generator] = field(default_factory=dict)
    payload: Template | None = None  # may use `values` and `count`; None: an object of the values
    properties: Mapping[str, Template] = field(default_factory=dict)


# --- presence


@dataclass(frozen=True)
class Flapping:
    """Connects and disconnects at random; these are the mean lengths."""

    on_s: float  # more than 0
    off_s: float  # more than 0


@dataclass(frozen=True)
class Span:
    """Part of a day. One that ends before it begins spans midnight; one that ends when it begins is a whole day."""

    begin: time
    end: time


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The hours in which a device is connected."""

    spans: tuple[Span, ...]
    zone: tzinfo
    weekdays: frozenset[int] = frozenset(range(7))  # on which a span begins; 0 is Monday
    spread_s: float = 0.0  # each device connects and disconnects later by its own part of this


@dataclass(frozen=True, kw_only=True)
class PresenceRule:
    """When a device is connected: when each of these allows it."""

    offline_share: float = 0.0  # 0 to 1: the probability that a device never connects
    flapping: Flapping | None = None
    windows: Windows | None = None


# --- the whole behaviour


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a device behaves. Without rules every method is answered at once and every desired property reported."""

    methods: Mapping[str, MethodRule] = field(default_factory=dict)
    any_method: MethodRule = field(default_factory=MethodRule)  # the rule for all other methods
    first_reported: Template | None = None  # of an object; reported once, when the device is first ready
    twin: TwinRules | None = None  # None: desired changes are reported as they arrive, and earlier ones are not read
    telemetry: tuple[TelemetryRule, ...] = ()
    presence: PresenceRule = field(default_factory=PresenceRule)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Devices that behave alike: those with `tags`, or a share of those that no earlier group has by tags."""

    name: str
    behaviour: Behaviour
    tags: Mapping[tuple[str, ...], object] = field(default_factory=dict)  # path -> value; all have to match
    share: float | None = None  # 0 to 1

    def has_tags_of(self, device: DeviceInfo) -> bool:
        """Whether a device has all of the group's tags."""
        return all(_are_same(at_path(device.tags, path), value) for path, value in self.tags.items())


@dataclass(frozen=True, kw_only=True)
class SimulationBehaviour:
    """How the devices of a simulation behave: as the first group that has the device, else as `otherwise`."""

    otherwise: Group
    groups: tuple[Group, ...] = ()

    def group_of(self, device: DeviceInfo, seed: str) -> Group:
        """The group of a device; it depends on the seed, the device's id and its tags, not on other devices.

        Each device draws for itself: of 1,000 devices, a share of 0.05 gets about 50, seldom less than 30 or more
        than 70.
        """
        drawn = rng_of(device, seed).fork(GROUP_STREAM).random()
        limit = 0.0
        for group in self.groups:
            if group.share is None:
                if group.has_tags_of(device):
                    return group
                continue
            limit += group.share
            if drawn < limit:
                return group
        return self.otherwise


def _are_same(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def rng_of(device: DeviceInfo, seed: str) -> Rng:
    """A device's random numbers: the same seed and id give the same ones."""
    return Rng(f"{seed}/{device.device_id}")
