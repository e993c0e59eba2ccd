"""Desired properties: how a device responds to each change, and how it gets to the new value. Pure.

The desired properties are fetched at each connection, because changes made while a device was off line are not sent to
it. What it has reported already is not reported again.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from azext_iotjobs.simulator.behaviour import Acknowledge, TwinRule, TwinRules
from azext_iotjobs.simulator.events import (
    Action,
    Activity,
    ActivityKind,
    FetchTwin,
    Moment,
    ReportAnswered,
    TwinFetched,
)
from azext_iotjobs.simulator.merging import MISSING, at_path, merged, patch_of, without
from azext_iotjobs.simulator.parts.context import SessionContext
from azext_iotjobs.simulator.parts.reported_properties import ReportedProperties, longest_pause_s
from azext_iotjobs.simulator.parts.step_runner import StepRunner
from azext_iotjobs.simulator.rng import Rng, stream_key

TWIN_STREAM, FETCH_STREAM = stream_key("twin"), stream_key("fetch")
FETCH_PREFIX = "get"  # of request ids, which so differ from those of reports
MAX_PATHS = 1000  # that are remembered: a hub must not fill the memory
COMPLETED, IN_PROGRESS = 200, 202  # status codes of IoT Plug and Play

Path = tuple[str, ...]
Patch = dict[str, Any]


class DesiredProperties:
    """Follows one device's desired properties."""

    __slots__ = (
        "_change_count",
        "_context",
        "_current",
        "_fetch_count",
        "_reports",
        "_rules",
        "_steps",
        "_targets",
        "_version",
    )

    def __init__(
        self, rules: TwinRules, context: SessionContext, reports: ReportedProperties, steps: StepRunner
    ) -> None:
        self._rules = rules
        self._context = context
        self._reports = reports
        self._steps = steps
        self._version = 0  # of the desired properties that are known
        self._change_count = 0
        self._targets: dict[Path, tuple[int, Any]] = {}  # by path: the number of the running change, and its value
        self._current: dict[Path, Any] = {}  # by path: the value that the device has
        self._fetch_count = 0

    def on_ready(self) -> list[Action]:
        """The device is ready: fetch its twin."""
        self._fetch_count += 1
        self._version = 0  # what the hub sends now is right: versions of a device created anew start anew
        return [FetchTwin(rid=f"{FETCH_PREFIX}{self._fetch_count}")]

    def is_fetch(self, response: ReportAnswered) -> bool:
        """Whether a response refuses a fetch."""
        return response.rid.startswith(FETCH_PREFIX)

    def on_fetch_refused(self, response: ReportAnswered, now: Moment) -> list[Action]:
        """The hub refused to send the twin: fetch again, after a longer pause each time."""
        if response.rid != f"{FETCH_PREFIX}{self._fetch_count}":
            return []
        longest_s = longest_pause_s(self._fetch_count)
        pause_s = self._context.rng.fork(FETCH_STREAM, self._fetch_count).uniform(longest_s / 2, longest_s)
        self._context.tasks.add(now.at + pause_s, partial(self._fetch_again, self._context.connection))
        return [Activity(kind=ActivityKind.FETCH_REFUSED, details={"status": response.status})]

    def _fetch_again(self, connection: int, _now: Moment) -> list[Action]:
        return self.on_ready() if self._context.is_ready and connection == self._context.connection else []

    def on_fetched(self, twin: TwinFetched, now: Moment) -> list[Action]:
        """The twin has arrived: follow what the device does not know yet."""
        version = _version(twin.desired)
        if version < self._version:  # a later change arrived first
            return self.on_ready()
        self._version = version
        actions: list[Action] = []
        patch: Patch = {}
        is_new = False
        for path in self._rules.paths:
            self._learn_reported(path, twin.reported)
        for part in self._parts(twin.desired):
            self._learn_reported(part.path, twin.reported)
            if not self._is_known(part):
                is_new = True
                patch, more = self._begin(part, patch, now)
                actions += more
        if is_new:
            desired = {key: value for key, value in twin.desired.items() if not key.startswith("$")}
            actions.insert(0, Activity(kind=ActivityKind.DESIRED, details={"patch": desired}))
        return actions + self._report(patch)

    def _is_known(self, part: "_Part") -> bool:
        """Whether the device has a desired value, or is on the way to it."""
        if part.path in self._targets:
            return bool(self._targets[part.path][1] == part.value)
        return part.path in self._current and bool(self._current[part.path] == part.value)

    def _learn_reported(self, path: Path, reported: Mapping[str, Any]) -> None:
        """Take the value that an earlier run reported as the device's current one, unless it has one."""
        value = at_path(reported, path)
        if path not in self._current and value is not MISSING:
            self._set_current(path, _value_of(self._rules.rule(path), value))

    def on_patch(self, patch: Mapping[str, Any], now: Moment) -> list[Action]:
        """Desired properties have changed."""
        version = _version(patch)
        if 0 < version <= self._version:  # the fetched twin has it already
            return []
        self._version = max(version, self._version)
        changed = {key: value for key, value in patch.items() if not key.startswith("$")}
        if not changed:
            return []
        actions: list[Action] = [Activity(kind=ActivityKind.DESIRED, details={"patch": changed})]
        at_once: Patch = {}
        for part in self._parts(changed):
            at_once, more = self._begin(part, at_once, now)
            actions += more
        return actions + self._report(at_once)

    def _parts(self, desired: Mapping[str, Any]) -> Iterator["_Part"]:
        """The parts of a document that are followed separately: each path with a rule, then what is left."""
        rest = {key: value for key, value in desired.items() if not key.startswith("$")}
        for path in self._rules.paths:
            value = at_path(desired, path)
            if value is not MISSING:
                rest = without(rest, path)
                is_component = at_path(desired, (*path[:-1], "__t")) == "c" and len(path) > 1
                yield _Part(path, value, is_component)
        for key, value in rest.items():
            yield _Part((key,), value, False)

    def _begin(self, part: "_Part", patch: Patch, now: Moment) -> tuple[Patch, list[Action]]:
        """Begin a change. Gives `patch` with what is to be reported at once, and further actions."""
        rule = self._rules.rule(part.path)
        self._change_count += 1
        rng = self._context.rng.fork(TWIN_STREAM, stream_key(".".join(part.path)), self._change_count)
        self._targets[part.path] = (self._change_count, part.value)
        if len(self._targets) > MAX_PATHS:
            del self._targets[next(iter(self._targets))]
        change = _Change(rule, part, self._version, self._change_count, rng)
        delay_s = rule.delay.draw(rng)
        if delay_s > 0:
            self._context.tasks.add(now.at + delay_s, partial(self._continue, change))
            return patch, []
        more, actions = self._step(change, now)
        return merged(patch, more), actions

    def _continue(self, change: "_Change", now: Moment) -> list[Action]:
        patch, actions = self._step(change, now)
        return self._report(patch) + actions

    def _step(self, change: "_Change", now: Moment) -> tuple[Patch, list[Action]]:
        """Run the next step of a change. Gives what is to be reported, and further actions."""
        number, _ = self._targets.get(change.path, (0, None))
        if number != change.number:  # a newer change has replaced it
            return {}, []
        rule, path = change.rule, change.path
        if change.steps_done == 0:
            if change.value is not None and change.rng.random() < rule.reject:
                return self._reject(change), []
            change.start = self._current.get(path)
        change.steps_done += 1
        if change.value is None:
            self._current.pop(path, None)
            del self._targets[path]
            return patch_of(path, None) if rule.acknowledge is not Acknowledge.NONE else {}, []
        if change.steps_done >= rule.steps:
            return self._complete(change, now)
        self._context.tasks.add(now.at + rule.every.draw(change.rng), partial(self._continue, change))
        between = _between(change.start, change.value, change.steps_done / rule.steps)
        if between is not None:
            self._set_current(path, between)
        elif rule.acknowledge is Acknowledge.PLAIN:
            return {}, []  # there is no value between the two to report
        return _acknowledgement(change, self._current.get(path), IN_PROGRESS, "on its way"), []

    def _complete(self, change: "_Change", now: Moment) -> tuple[Patch, list[Action]]:
        del self._targets[change.path]
        self._set_current(change.path, change.value)
        names = {"desired": change.value, "path": ".".join(change.path), "version": change.version}
        actions = self._steps.start(change.rule.then, change.rng.fork(1), names, now)
        return _acknowledgement(change, change.value, COMPLETED, "done"), actions

    def _set_current(self, path: Path, value: Any) -> None:
        self._current[path] = value
        if len(self._current) > MAX_PATHS:
            del self._current[next(iter(self._current))]

    def _reject(self, change: "_Change") -> Patch:
        """The device keeps the value it has; only IoT Plug and Play can report that."""
        rule = change.rule
        if rule.acknowledge is not Acknowledge.PNP:
            return {}
        return _acknowledgement(change, self._current.get(change.path), rule.reject_status, rule.reject_text)

    def _report(self, patch: Patch) -> list[Action]:
        return self._reports.report(patch) if patch else []


class _Part(NamedTuple):
    """A part of the desired properties that is followed separately."""

    path: Path
    value: Any
    is_component: bool  # of IoT Plug and Play


class _Change:
    """One change of a desired property, and how far it has got."""

    __slots__ = ("is_component", "number", "path", "rng", "rule", "start", "steps_done", "value", "version")

    def __init__(self, rule: TwinRule, part: _Part, version: int, number: int, rng: Rng) -> None:
        self.rule = rule
        self.path, self.value, self.is_component = part
        self.version = version
        self.number = number
        self.rng = rng
        self.steps_done = 0
        self.start: Any = None  # the value before the change


def _acknowledgement(change: _Change, value: Any, code: int, text: str) -> Patch:
    match change.rule.acknowledge:
        case Acknowledge.NONE:
            return {}
        case Acknowledge.PLAIN:
            return patch_of(change.path, value)
        case Acknowledge.PNP:
            response: Patch = {"ac": code, "av": change.version, "ad": text}
            if value is not None:
                response["value"] = value
            patch = patch_of(change.path, response)
            return merged(patch, patch_of((*change.path[:-1], "__t"), "c")) if change.is_component else patch


def _value_of(rule: TwinRule, reported: Any) -> Any:
    if rule.acknowledge is Acknowledge.PNP:
        return reported.get("value") if isinstance(reported, Mapping) else None
    return reported


def _between(start: Any, end: Any, share: float) -> int | float | None:
    """The number at `share` of the way from one to another; None where they are not numbers."""
    if isinstance(end, bool) or not isinstance(end, int | float):
        return None
    begin = start if isinstance(start, int | float) and not isinstance(start, bool) else 0
    value = begin + (end - begin) * share
    return round(value) if isinstance(end, int) and isinstance(begin, int) else round(value, 3)


def _version(document: Mapping[str, Any]) -> int:
    version = document.get("$version")
    return version if isinstance(version, int) else 0
