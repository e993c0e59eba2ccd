"""Desired properties: what a device makes of each change, and how it gets there. Pure.

The document of desired properties is fetched at each connection: changes made while a device was off line are not sent
to it. What it has reported already is not reported again.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from azext_iotjobs.simulator.behaviour import Acknowledge, TwinRule, TwinRules
from azext_iotjobs.simulator.events import (
    Action,
    FetchTwin,
    Moment,
    ReportAnswered,
    Seen,
    TwinFetched,
    What,
)
from azext_iotjobs.simulator.merging import MISSING, at_path, merged, patch_of, without
from azext_iotjobs.simulator.parts.context import Core
from azext_iotjobs.simulator.parts.reported_properties import Reports
from azext_iotjobs.simulator.parts.step_runner import Walker
from azext_iotjobs.simulator.rng import Dice, salt

TWIN_SALT, FETCH_SALT = salt("twin"), salt("fetch")
FETCH_PREFIX = "get"  # of request ids, so that they are none of the reports'
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
MOST_PATHS = 1000  # that are remembered: a hub must not fill the memory
DONE, ON_ITS_WAY = 200, 202  # as IoT Plug and Play has them

Path = tuple[str, ...]
Patch = dict[str, Any]


class Twin:
    """One device's."""

    __slots__ = ("_aims", "_changes", "_core", "_fetches", "_held", "_reports", "_rules", "_version", "_walker")

    def __init__(self, rules: TwinRules, core: Core, reports: Reports, walker: Walker) -> None:
        self._rules = rules
        self._core = core
        self._reports = reports
        self._walker = walker
        self._version = 0  # of the desired properties, as far as they are known
        self._changes = 0
        self._aims: dict[Path, tuple[int, Any]] = {}  # by path: the change under way and the value it goes to
        self._held: dict[Path, Any] = {}  # by path: the value that the device has
        self._fetches = 0

    def ready(self) -> list[Action]:
        """The device is ready: ask for its twin."""
        self._fetches += 1
        self._version = 0  # what the hub says now counts: a device that was made anew begins anew
        return [FetchTwin(rid=f"{FETCH_PREFIX}{self._fetches}")]

    def is_fetch(self, answer: ReportAnswered) -> bool:
        """Whether an answer is the hub's no to a fetch."""
        return answer.rid.startswith(FETCH_PREFIX)

    def not_fetched(self, answer: ReportAnswered, now: Moment) -> list[Action]:
        """The hub refused: ask again, later each time."""
        rid = f"{FETCH_PREFIX}{self._fetches}"
        if answer.rid != rid:
            return []
        longest = min(FIRST_PAUSE_S * 2 ** min(self._fetches, 10), LONGEST_PAUSE_S)
        pause_s = self._core.dice.fork(FETCH_SALT, self._fetches).between(longest / 2, longest)
        self._core.agenda.add(now.at + pause_s, partial(self._fetch_again, self._core.connection))
        return [Seen(what=What.FETCH_REFUSED, details={"status": answer.status})]

    def _fetch_again(self, connection: int, _now: Moment) -> list[Action]:
        return self.ready() if self._core.is_ready and connection == self._core.connection else []

    def fetched(self, twin: TwinFetched, now: Moment) -> list[Action]:
        """The twin is here: take in what the device does not know yet."""
        version = _version(twin.desired)
        if version < self._version:  # a change has overtaken it
            return self.ready()
        self._version = version
        actions: list[Action] = []
        patch: Patch = {}
        is_news = False
        for path in self._rules.paths:
            self._learn(path, twin.reported)
        for path, value, component in self._parts(twin.desired):
            self._learn(path, twin.reported)
            is_known = self._aims[path][1] == value if path in self._aims else self._holds(path, value)
            if not is_known:
                is_news = True
                patch, more = self._change(path, value, component, patch, now)
                actions += more
        if is_news:
            desired = {key: value for key, value in twin.desired.items() if not key.startswith("$")}
            actions.insert(0, Seen(what=What.DESIRED, details={"patch": desired}))
        return actions + self._reported(patch)

    def _learn(self, path: Path, reported: Mapping[str, Any]) -> None:
        """What it reported in an earlier life is what it has, unless it knows better."""
        value = at_path(reported, path)
        if path not in self._held and value is not MISSING:
            self._hold(path, _value_of(self._rules.rule(path), value))

    def _holds(self, path: Path, value: Any) -> bool:
        return path in self._held and self._held[path] == value

    def patched(self, patch: Mapping[str, Any], now: Moment) -> list[Action]:
        """Desired properties changed."""
        version = _version(patch)
        if 0 < version <= self._version:  # the twin that was fetched has it already
            return []
        self._version = max(version, self._version)
        changed = {key: value for key, value in patch.items() if not key.startswith("$")}
        if not changed:
            return []
        actions: list[Action] = [Seen(what=What.DESIRED, details={"patch": changed})]
        at_once: Patch = {}
        for path, value, component in self._parts(changed):
            at_once, more = self._change(path, value, component, at_once, now)
            actions += more
        return actions + self._reported(at_once)

    def _parts(self, desired: Mapping[str, Any]) -> Iterator[tuple[Path, Any, bool]]:
        """Path, value and whether it is in a component: for each path with a rule, then for what is left."""
        rest = {key: value for key, value in desired.items() if not key.startswith("$")}
        for path in self._rules.paths:
            value = at_path(desired, path)
            if value is not MISSING:
                rest = without(rest, path)
                yield path, value, at_path(desired, (*path[:-1], "__t")) == "c" and len(path) > 1
        for key, value in rest.items():
            yield (key,), value, False

    def _change(
        self, path: Path, value: Any, component: bool, patch: Patch, now: Moment
    ) -> tuple[Patch, list[Action]]:  # fmt: skip
        """Begin a change; gives `patch` with what is to be reported at once, and what else there is to do."""
        rule = self._rules.rule(path)
        self._changes += 1
        dice = self._core.dice.fork(TWIN_SALT, salt(".".join(path)), self._changes)
        self._aims[path] = (self._changes, value)
        if len(self._aims) > MOST_PATHS:
            del self._aims[next(iter(self._aims))]
        change = _Change(rule, path, value, component, self._version, self._changes, dice)
        delay_s = rule.delay.draw(dice)
        if delay_s > 0:
            self._core.agenda.add(now.at + delay_s, partial(self._go_on, change))
            return patch, []
        more, actions = self._step(change, now)
        return merged(patch, more), actions

    def _go_on(self, change: "_Change", now: Moment) -> list[Action]:
        patch, actions = self._step(change, now)
        return self._reported(patch) + actions

    def _step(self, change: "_Change", now: Moment) -> tuple[Patch, list[Action]]:
        """The next step of a change: what is to be reported, and what else there is to do."""
        number, _ = self._aims.get(change.path, (0, None))
        if number != change.number:  # a newer change has taken its place
            return {}, []
        rule, path = change.rule, change.path
        if change.done == 0:
            if change.value is not None and change.dice.throw() < rule.reject:
                return self._refuse(change), []
            change.start = self._held.get(path)
        change.done += 1
        if change.value is None:
            self._held.pop(path, None)
            del self._aims[path]
            return patch_of(path, None) if rule.acknowledge is not Acknowledge.NONE else {}, []
        if change.done >= rule.steps:
            return self._arrive(change, now)
        self._core.agenda.add(now.at + rule.every.draw(change.dice), partial(self._go_on, change))
        between = _between(change.start, change.value, change.done / rule.steps)
        if between is not None:
            self._hold(path, between)
        elif rule.acknowledge is Acknowledge.PLAIN:
            return {}, []  # there is nothing between to tell
        return _acknowledged(change, self._held.get(path), ON_ITS_WAY, "on its way"), []

    def _arrive(self, change: "_Change", now: Moment) -> tuple[Patch, list[Action]]:
        del self._aims[change.path]
        self._hold(change.path, change.value)
        names = {"desired": change.value, "path": ".".join(change.path), "version": change.version}
        actions = self._walker.begin(change.rule.then, change.dice.fork(1), names, now)
        return _acknowledged(change, change.value, DONE, "done"), actions

    def _hold(self, path: Path, value: Any) -> None:
        self._held[path] = value
        if len(self._held) > MOST_PATHS:
            del self._held[next(iter(self._held))]

    def _refuse(self, change: "_Change") -> Patch:
        """It keeps the value it has; only IoT Plug and Play has words to say so."""
        if change.rule.acknowledge is not Acknowledge.PNP:
            return {}
        return _acknowledged(
            change, self._held.get(change.path), change.rule.reject_status, change.rule.reject_text
        )  # fmt: skip

    def _reported(self, patch: Patch) -> list[Action]:
        return self._reports.report(patch) if patch else []


class _Change:
    """One change on its way."""

    __slots__ = ("component", "dice", "done", "number", "path", "rule", "start", "value", "version")

    def __init__(
        self, rule: TwinRule, path: Path, value: Any, component: bool, version: int, number: int, dice: Dice
    ) -> None:  # fmt: skip
        self.rule = rule
        self.path = path
        self.value = value
        self.component = component
        self.version = version
        self.number = number
        self.dice = dice
        self.done = 0  # steps
        self.start: Any = None  # the value it goes from


def _acknowledged(change: _Change, value: Any, code: int, text: str) -> Patch:
    match change.rule.acknowledge:
        case Acknowledge.NONE:
            return {}
        case Acknowledge.PLAIN:
            return patch_of(change.path, value)
        case Acknowledge.PNP:
            said: Patch = {"ac": code, "av": change.version, "ad": text}
            if value is not None:
                said["value"] = value
            patch = patch_of(change.path, said)
            return merged(patch, patch_of((*change.path[:-1], "__t"), "c")) if change.component else patch


def _value_of(rule: TwinRule, reported: Any) -> Any:
    if rule.acknowledge is Acknowledge.PNP:
        return reported.get("value") if isinstance(reported, Mapping) else None
    return reported


def _between(start: Any, end: Any, share: float) -> int | float | None:
    """Part of the way from one number to another; None where there is none."""
    if isinstance(end, bool) or not isinstance(end, int | float):
        return None
    begin = start if isinstance(start, int | float) and not isinstance(start, bool) else 0
    value = begin + (end - begin) * share
    return round(value) if isinstance(end, int) and isinstance(begin, int) else round(value, 3)


def _version(document: Mapping[str, Any]) -> int:
    version = document.get("$version")
    return version if isinstance(version, int) else 0
