"""How a simulated device behaves: rules, as values that thousands of devices share. Pure.

A device's own state, such as counters, is in its `Session`; nothing here ever changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, tzinfo
from enum import Enum

from azext_iotjobs.simulator.durations import AT_ONCE, Duration
from azext_iotjobs.simulator.events import Who
from azext_iotjobs.simulator.generators import Generator
from azext_iotjobs.simulator.merging import Path, at_path
from azext_iotjobs.simulator.rng import Dice, salt
from azext_iotjobs.simulator.template import Template

DEFAULT_STATUS = 200
FAILURE_STATUS = 500
REJECTED_STATUS = 400
JSON_BODY = {"$.ct": "application/json", "$.ce": "utf-8"}  # without them the hub cannot route by body
REST = "rest"  # the group of those that no group takes
ANY = "*"  # in place of a method's name or a path: those without a rule of their own
METHOD_NAMES = ("request", "method", "count")  # what templates of methods may use
TWIN_NAMES = ("desired", "path", "version")  # and those of desired properties
GROUP_SALT = salt("group")


# --- steps: what a device does one after the other


@dataclass(frozen=True, kw_only=True)
class ReportStep:
    """Change reported properties; several times, for something that makes progress."""

    patch: Template  # of an object; knows `progress`, in percent, beside the names of its place
    times: int = 1
    every: Duration = AT_ONCE  # between two of them


@dataclass(frozen=True)
class WaitStep:
    """Do nothing for a while."""

    duration: Duration


@dataclass(frozen=True)
class OfflineStep:
    """Disconnect for a while; the next step comes when the device is ready again."""

    duration: Duration


@dataclass(frozen=True, kw_only=True)
class SendStep:
    """Send a message."""

    payload: Template
    properties: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChanceStep:
    """With a chance of `rate`, do `instead` in place of all that follows."""

    rate: float  # 0 to 1
    instead: "Steps"


Step = ReportStep | WaitStep | OfflineStep | SendStep | ChanceStep
Steps = tuple[Step, ...]


# --- direct methods


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How a call fails."""

    rate: float = 0.0  # 0 to 1
    status: int = FAILURE_STATUS
    payload: Template | None = None  # None: the call is told back
    then: Steps = ()


@dataclass(frozen=True, kw_only=True)
class MethodRule:
    """What a device does when a method is called."""

    status: int = DEFAULT_STATUS
    payload: Template | None = None  # None: the call is told back, as azure-iot does it
    latency: Duration = AT_ONCE  # before the answer
    failure: Failure = field(default_factory=Failure)
    no_answer: float = 0.0  # share of calls, 0 to 1, with which nothing happens at all
    then: Steps = ()  # after the answer


# --- the twin


class Acknowledge(Enum):
    """How a desired property is reported."""

    PLAIN = "plain"  # its value
    PNP = "pnp"  # as IoT Plug and Play has it: value, ac, av, ad
    NONE = "none"  # not at all


@dataclass(frozen=True, kw_only=True)
class TwinRule:
    """What a device does when a desired property changes."""

    acknowledge: Acknowledge = Acknowledge.PLAIN
    delay: Duration = AT_ONCE  # before anything is reported
    reject: float = 0.0  # share of changes, 0 to 1, that it does not take
    reject_status: int = REJECTED_STATUS  # told only with PNP; else a rejected change is not reported
    reject_text: str = "rejected"
    steps: int = 1  # in how many it gets to the new value
    every: Duration = AT_ONCE  # between two of them
    then: Steps = ()  # once it is there


@dataclass(frozen=True, kw_only=True)
class TwinRules:
    """A rule for each path; no path is within another."""

    paths: Mapping[tuple[str, ...], TwinRule] = field(default_factory=dict)
    otherwise: TwinRule = field(default_factory=TwinRule)

    def rule(self, path: Path) -> TwinRule:
        """The one for a path."""
        return self.paths.get(tuple(path), self.otherwise)


# --- telemetry


@dataclass(frozen=True, kw_only=True)
class TelemetryRule:
    """Messages of one kind."""

    name: str
    every: Duration
    first: Duration | None = None  # from being ready to the first one; None: by chance within `every`
    count: int | None = None  # how many in all; None: no end
    values: Mapping[str, Generator] = field(default_factory=dict)
    payload: Template | None = None  # knows `values` and `count`; None: an object of the values
    properties: Mapping[str, Template] = field(default_factory=dict)


# --- presence


@dataclass(frozen=True)
class Flapping:
    """Comes and goes: how long each time is by chance, with these means."""

    on_s: float  # more than 0
    off_s: float  # more than 0


@dataclass(frozen=True)
class Span:
    """Part of a day; one that ends before it begins goes over midnight, one that ends when it begins is a whole day."""

    begin: time
    end: time


@dataclass(frozen=True, kw_only=True)
class Windows:
    """When a device is there."""

    spans: tuple[Span, ...]
    zone: tzinfo
    weekdays: frozenset[int] = frozenset(range(7))  # on which a span begins; 0 is Monday
    spread_s: float = 0.0  # each device comes and goes later by a part of it, its own


@dataclass(frozen=True, kw_only=True)
class Presence:
    """When a device is connected: when all of this says so."""

    offline_share: float = 0.0  # 0 to 1: the chance of a device that it never connects
    flapping: Flapping | None = None
    windows: Windows | None = None


# --- all of it


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How a device behaves. Without rules: every method is answered at once, every desired property reported."""

    methods: Mapping[str, MethodRule] = field(default_factory=dict)
    any_method: MethodRule = field(default_factory=MethodRule)  # for those that are not named
    first_reported: Template | None = None  # of an object; reported once, when the device is first ready
    twin: TwinRules | None = None  # None: desired changes are reported as they come; what came before is not asked for
    telemetry: tuple[TelemetryRule, ...] = ()
    presence: Presence = field(default_factory=Presence)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Devices that behave alike: those with `tags`, or a share of the devices that no group above takes by tags."""

    name: str
    behaviour: Behaviour
    tags: Mapping[tuple[str, ...], object] = field(default_factory=dict)  # path -> value, all of them
    share: float | None = None  # 0 to 1

    def has_tags_of(self, who: Who) -> bool:
        """Whether a device has all of them."""
        return all(_are_same(at_path(who.tags, path), value) for path, value in self.tags.items())


@dataclass(frozen=True, kw_only=True)
class FleetBehaviour:
    """How the devices of a fleet behave: the first group that takes a device, or `otherwise`."""

    otherwise: Group
    groups: tuple[Group, ...] = ()

    def group_of(self, who: Who, seed: str) -> Group:
        """The group of a device: by the seed, its id and its tags alone, so that other devices change nothing.

        Each device throws for itself: of 1,000 devices, a share of 0.05 takes about 50, seldom less than 30 or more
        than 70.
        """
        thrown = dice_of(who, seed).fork(GROUP_SALT).throw()
        taken = 0.0
        for group in self.groups:
            if group.share is None:
                if group.has_tags_of(who):
                    return group
                continue
            taken += group.share
            if thrown < taken:
                return group
        return self.otherwise


def _are_same(one: object, other: object) -> bool:
    """As JSON has it: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def dice_of(who: Who, seed: str) -> Dice:
    """A device's chance: the same seed and id give the same."""
    return Dice(f"{seed}/{who.device_id}")
