"""Which of the configurations that match a target apply to it, and what they set. Pure.

Source: IoT Hub devguide "automatic device management" (a higher priority wins at each path of the twin, the one created
last among equals), IoT Edge "automatic deployments" (one base deployment, layered ones on top of it).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from azext_iotjobs.localhub.rules.configuration import APPLIED, TARGETED, Content, Kind, is_layered
from azext_iotjobs.localhub.rules.content_paths import Setting, covers, with_settings, without_settings
from azext_iotjobs.localhub.rules.twin import Tree


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration that matches a target, or that was applied to it."""

    number: int  # later ones are larger; never used again
    configuration_id: str
    kind: Kind
    priority: int
    content: Content


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What applies to a target.

    statuses: Targeted or Applied, by the id of a configuration that matches.
    applied: those that apply, lowest first: each one's settings are made after those of the ones before.
    """

    statuses: Mapping[str, str]
    applied: tuple[Candidate, ...]

    @property
    def numbers(self) -> list[int]:
        """The numbers of those that apply."""
        return [each.number for each in self.applied]


def plan(matching: Iterable[Candidate]) -> Plan:
    """What applies of the configurations that match a device or module."""
    ranked = _ranked(matching)
    higher: list[Setting] = []
    applied: list[Candidate] = []
    for each in reversed(ranked):
        own = each.content[""]
        # One that is overridden at every path changes nothing.
        if not own or any(not covers(higher, setting.path) for setting in own):
            applied.append(each)
        higher += own
    return _plan(ranked, applied[::-1])


def plan_edge(matching: Iterable[Candidate]) -> Plan:
    """What applies of the deployments that match an edge device.

    That is the highest base deployment, and the layered ones above it. Without a base, nothing is there to add to.
    """
    ranked = _ranked(matching)
    base = max((place for place, each in enumerate(ranked) if not is_layered(each.content)), default=len(ranked))
    return _plan(ranked, ranked[base:])


def desired_after(old: Tree, lost: Iterable[Candidate], applied: Iterable[Candidate], module: str = "") -> Tree:
    """The desired properties of a target.

    old: as they are.  lost: configurations that applied and do not match any more.
    applied: those that apply, lowest first.
    module: of an edge device; "" for the target itself.
    """
    for each in lost:
        old = without_settings(old, each.content.get(module, ()))
    for each in applied:
        old = with_settings(old, each.content.get(module, ()))
    return old


def modules_of(candidates: Iterable[Candidate]) -> list[str]:
    """The modules that deployments set, each once."""
    return list(dict.fromkeys(module for each in candidates for module in each.content))


def _ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda each: (each.priority, each.number))


def _plan(ranked: Sequence[Candidate], applied: Sequence[Candidate]) -> Plan:
    numbers = {each.number for each in applied}
    statuses = {each.configuration_id: APPLIED if each.number in numbers else TARGETED for each in ranked}
    return Plan(statuses=statuses, applied=tuple(applied))
