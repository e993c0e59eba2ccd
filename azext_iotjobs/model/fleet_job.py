"""Fleet jobs: what is to be done, to which devices, how. Stored, and executed by runs (model/run.py).

An edit makes a new version; a run names the version that it executes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import Enum
from fractions import Fraction
from typing import Any

from azext_iotjobs.model.call_pacing import CONCURRENCY
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.gates import GateKind
from azext_iotjobs.model.job import JobType
from azext_iotjobs.model.job_request import check_execution_time
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, SuccessStatus, parse_success_status
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.rollout import Rollout
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import Field, Text
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.model.when_online import check_when_online

FLEET_JOB_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")  # with run key and batch it is a hub's job id, at most 64
MAX_NAME_CHARACTERS = 148  # IoT Central's limit of a display name
MAX_DESCRIPTION_CHARACTERS = 2048
MAX_LABELS = 50
NO_METHOD = Text.of("{connect_timeout_s} and {response_timeout_s} apply to a method; this fleet job calls none.")
MAX_CONTENT_BYTES = 1024 * 1024  # far above what an edge device's modules have together


class ActionKind(Enum):
    """What is done to a device."""

    TWIN = "twin"  # desired properties, tags, or both at once
    METHOD = "method"
    CONTENT = "content"  # applyConfigurationContent: an edge device's modules

    @property
    def is_repeatable(self) -> bool:
        """Whether done twice is as good as done once."""
        return self is not ActionKind.METHOD


@dataclass(frozen=True, kw_only=True)
class Action:
    """What is done to each device: one of three. Raises MissingChoice, ConflictingChoice, BadValue."""

    patch: TwinPatch | None = None
    method: MethodCall | None = None
    content: dict[str, Any] | None = None  # {"modulesContent": {…}}, as the hub takes it
    success: SuccessStatus = field(default_factory=lambda: parse_success_status(DEFAULT_SUCCESS_STATUS))  # of a method

    def __post_init__(self) -> None:
        given = [each for each in (self.patch, self.method, self.content) if each is not None]
        if not given:
            raise MissingChoice("No action is given: give a twin patch, a method or configuration content.")
        if len(given) > 1:
            raise ConflictingChoice(
                "A fleet job does one thing: a twin patch, a method or configuration content.",
                hint="Tags and desired properties go together in one twin patch.",
            )
        if self.content is not None:
            _check_content(self.content)

    def within(self, delivery: "Delivery") -> "Action":
        """With the timeouts of a delivery in place of its own. Raises UserError; ConflictingChoice without a method."""
        typed = {
            name: value
            for name in ("connect_timeout_s", "response_timeout_s")
            if (value := getattr(delivery, name)) is not None
        }
        if not typed:
            return self
        if self.method is None:
            raise ConflictingChoice(NO_METHOD)
        return replace(self, method=replace(self.method, **typed))

    @property
    def kind(self) -> ActionKind:
        """Which of the three."""
        if self.patch is not None:
            return ActionKind.TWIN
        return ActionKind.METHOD if self.method is not None else ActionKind.CONTENT

    @property
    def job_type(self) -> JobType | None:
        """Of a hub's job that does it; None: no job can."""
        return {ActionKind.TWIN: JobType.TWIN, ActionKind.METHOD: JobType.METHOD}.get(self.kind)


def _check_content(content: dict[str, Any]) -> None:
    modules = content.get("modulesContent")
    if not isinstance(modules, dict) or not modules:
        raise BadValue('Configuration content needs "modulesContent", an object with a member for each module.')
    size = len(json.dumps(content).encode())
    if size > MAX_CONTENT_BYTES:
        raise BadValue(f"Configuration content has {size} bytes; at most {MAX_CONTENT_BYTES} are allowed.")


@dataclass(frozen=True, kw_only=True)
class DevicesOfRun:
    """Devices of an earlier run, by their results."""

    fleet_job_id: str
    run_number: int
    words: frozenset[str]  # of plan.WORDS


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Which devices: exactly one of selection, group and of_run; then fewer of them. Raises UserError."""

    selection: Selection | None = None
    group: str | None = None  # a saved condition's name, looked up when a run starts
    of_run: DevicesOfRun | None = None
    excluded: tuple[str, ...] = ()  # device ids, left out of a group's or a run's; a selection has its own
    limit: int | None = None  # the first so many; of conditions in the order of their ids
    sample_percent: Fraction | None = None  # a random sample, rounded up
    seed: int = 0  # of the sample: the same devices each time
    max_devices: int | None = None  # more are an error

    def __post_init__(self) -> None:
        given = [each for each in (self.selection, self.group, self.of_run) if each is not None]
        if not given:
            raise MissingChoice("No devices are named: give a condition, ids or a device group.")
        if len(given) > 1:
            raise ConflictingChoice("Devices are named in two ways: give a condition, ids or a device group.")
        if self.excluded and self.selection is not None:
            raise ConflictingChoice("Exclusions are given twice: a selection by condition or ids has its own.")
        for name in ("limit", "max_devices"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadValue(Text(Field(name), f" {value}: give 1 or more."))
        if self.sample_percent is not None and not 0 < self.sample_percent <= 100:
            raise BadValue(Text(Field("sample_percent"), ": give more than 0% and at most 100%."))
        if self.sample_percent is not None and self.limit is not None:
            raise ConflictingChoice(
                Text.of("{limit} and {sample_percent} both reduce the number of devices: give one of them.")
            )


class Driver(Enum):
    """What operates the devices."""

    JOBS = "jobs"  # the hub, by jobs: one or more a batch
    CALLS = "calls"  # we, device by device
    AUTO = "auto"  # decided when a run starts


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How devices are reached. Raises BadValue."""

    driver: Driver = Driver.AUTO
    concurrency: int = 10  # CONCURRENCY; calls only
    rate: float | None = None  # calls a second at most; None: as fast as they are answered
    job_limit_s: int | None = None  # how long the hub tries each of its jobs; None: as job_limit.py says; jobs only
    connect_timeout_s: int | None = None  # of a method, in place of the definition's; None: that
    response_timeout_s: int | None = None
    when_online_s: float | None = None  # for how long a device that is offline waits to connect; None: it has failed

    def __post_init__(self) -> None:
        low, high = CONCURRENCY
        if not low <= self.concurrency <= high:
            raise BadValue(Text(Field("concurrency"), f" {self.concurrency}: give {low} to {high}."))
        if self.rate is not None and not 0 < self.rate < float("inf"):
            raise BadValue(Text(Field("rate"), f" {self.rate}: give a number of calls a second, more than 0."))
        if self.job_limit_s is not None:
            check_execution_time(self.job_limit_s)
        if self.when_online_s is not None:
            check_when_online(self.when_online_s)


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What a fleet job is; all of it can be edited. Raises UserError."""

    action: Action
    targets: Targets
    rollout: Rollout = field(default_factory=Rollout)
    delivery: Delivery = field(default_factory=Delivery)
    verification: Verification | None = None  # None: a device has completed when it was operated
    display_name: str = ""  # "": the id stands for it
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.display_name) > MAX_NAME_CHARACTERS:
            raise _too_long("display_name", self.display_name, MAX_NAME_CHARACTERS)
        if len(self.description) > MAX_DESCRIPTION_CHARACTERS:
            raise _too_long("description", self.description, MAX_DESCRIPTION_CHARACTERS)
        if len(self.labels) > MAX_LABELS:
            raise BadValue(f"{len(self.labels)} labels: give at most {MAX_LABELS}.")
        if self.rollout.gates.kinds == (GateKind.BAKE,) and self.verification is None:
            raise ConflictingChoice(
                Text.of("{bake} alone is a pause: nothing is looked at when it is over."),
                hint=Text.of("Give {verify} or another gate with {bake}, or {batch_pause_s} for a pause."),
            )
        if self.delivery.when_online_s is not None:
            self._check_when_online()
        if self.delivery.driver is Driver.JOBS and self.action.job_type is None:
            raise ConflictingChoice(
                Text.of("{driver} jobs: no job of a hub applies configuration content; give calls or auto.")
            )

    def _check_when_online(self) -> None:
        """Raise ConflictingChoice where no device can wait to connect."""
        retry = self.rollout.retry
        if retry is not None and ErrorClass.OFFLINE.value in retry.tries:
            raise ConflictingChoice(
                Text.of("A device that is offline waits to connect ({when_online}), and is not tried again before."),
                hint=Text.of("Leave offline out of {retry}."),
            )
        if self.action.kind is not ActionKind.METHOD and self.verification is None:
            raise ConflictingChoice(
                Text.of(
                    "{when_online} has nothing to wait for: the hub keeps a twin patch or content for devices that are "
                    "offline."
                ),
                hint=Text.of("Give {verify}, or leave it out."),
            )


def _too_long(name: str, text: str, most: int) -> BadValue:
    return BadValue(Text(Field(name), f" has {len(text)} characters, at most {most}."))


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a fleet job was made from."""

    fleet_job_id: str
    run_number: int | None  # None: a copy, of no run
    how: str  # "rerun" or "copy"


@dataclass(frozen=True, kw_only=True)
class FleetJob:
    """A stored definition, in one of its versions. It belongs to one hub."""

    fleet_job_id: str
    host: str  # as HubTarget.canonical has it; never a key
    version: int  # 1 or more
    definition: Definition
    created_at: datetime  # aware UTC
    created_by: str
    edited_at: datetime  # of this version
    edited_by: str
    origin: Origin | None = None

    @property
    def display_name(self) -> str:
        """Its name for people: the id, where it has none."""
        return self.definition.display_name or self.fleet_job_id


def check_id(fleet_job_id: str, name: str = Field("fleet_job_id")) -> str:
    """The id, when it is one. Raises BadValue. name: what gave it, for the error."""
    if not FLEET_JOB_ID.fullmatch(fleet_job_id):
        small = fleet_job_id.lower()
        example = Text("For example ", name, f" {small}. ") if FLEET_JOB_ID.fullmatch(small) else Text()
        raise BadValue(
            Text(
                name,
                f" {fleet_job_id[:60]!r}: give 1 to 40 of a-z, 0-9, dash, dot and underscore, the first a letter or "
                "digit.",
            ),
            hint=Text(
                example,
                "The hub's jobs are named after it, with dashes for dots and underscores; capitals in their ids have "
                "been refused by hubs.",
            ),
        )
    return fleet_job_id


def id_with(fleet_job_id: str, suffix: str) -> str:
    """The id of a fleet job made from another one; short enough."""
    return fleet_job_id[: 40 - len(suffix)] + suffix
