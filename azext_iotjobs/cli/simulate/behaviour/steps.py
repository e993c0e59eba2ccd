"""What the rules of a behaviour file have in common: templates, shares, steps."""

from collections.abc import Collection, Mapping

from azext_iotjobs.cli.input.yaml_items import Item
from azext_iotjobs.cli.simulate.behaviour.distributions import duration_of
from azext_iotjobs.simulator.behaviour import (
    ChanceStep,
    OfflineStep,
    ReportStep,
    SendStep,
    Step,
    Steps,
    WaitStep,
)
from azext_iotjobs.simulator.durations import AT_ONCE
from azext_iotjobs.simulator.template import BadTemplate, Template, compiled

KINDS = ("report", "wait", "offline", "send", "chance")
MAX_TIMES = 1000


def template_of(item: Item, names: Collection[str] = ()) -> Template:
    """A JSON value as a template. Raises BadValue, with the line of what is wrong."""
    try:
        return compiled(item.value(), names)
    except BadTemplate as err:
        raise item.at(err.path).wrong(str(err)) from None


def object_of(item: Item, names: Collection[str] = ()) -> Template:
    """An object as a template."""
    if not item.is_object:
        item.refuse("an object")
    return template_of(item, names)


def share_of(item: Item) -> float:
    """A share: 0.05, 5%, or true for all and false for none."""
    value = None if item.is_object or item.is_list else item.scalar()
    if isinstance(value, str) and value.endswith("%"):
        try:
            value = float(value[:-1]) / 100
        except ValueError:
            value = None
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
        item.refuse("a share from 0 to 1, or from 0% to 100%")
    return float(value)


def properties_of(item: Item, names: Collection[str] = ()) -> Mapping[str, Template]:
    """The properties of a message, each a template."""
    members = item.members()
    if "" in members:
        members[""].refuse("a property with a name")
    return {key: template_of(each, names) for key, each in members.items()}


def steps_of(item: Item, names: Collection[str]) -> Steps:
    """Steps that run one after another.

    names: what their templates may use.
    Raises BadValue.
    """
    return tuple(_step(each, names) for each in item.items())


def _step(item: Item, names: Collection[str]) -> Step:
    kinds = [kind for kind in KINDS if kind in item.members()] if item.is_object else []
    if len(kinds) != 1:
        item.refuse(f"a step, which has one of {', '.join(KINDS)}")
    match kinds[0]:
        case "report":
            return _report(item, names)
        case "wait":
            return WaitStep(duration_of(item.members(allowed=("wait",))["wait"]))
        case "offline":
            return OfflineStep(duration_of(item.members(allowed=("offline",))["offline"]))
        case "send":
            return _send(item, names)
        case _:
            return _chance(item, names)


def _report(item: Item, names: Collection[str]) -> ReportStep:
    given = item.members(allowed=("report", "times", "every"))
    if ("times" in given) != ("every" in given):
        item.refuse("times and every, or neither")
    return ReportStep(
        patch=object_of(given["report"], {*names, "progress"}),
        times=given["times"].whole(1, MAX_TIMES) if "times" in given else 1,
        every=duration_of(given["every"]) if "every" in given else AT_ONCE,
    )


def _send(item: Item, names: Collection[str]) -> SendStep:
    given = item.members(allowed=("send", "properties"))
    properties = properties_of(given["properties"], names) if "properties" in given else {}
    return SendStep(payload=template_of(given["send"], names), properties=properties)


def _chance(item: Item, names: Collection[str]) -> ChanceStep:
    given = item.members(allowed=("chance", "instead"))
    if "instead" not in given:
        item.refuse("chance and instead: what is done in place of the steps that follow")
    return ChanceStep(rate=share_of(given["chance"]), instead=steps_of(given["instead"], names))
