"""The rules of a behaviour file: methods, the twin, telemetry, presence.

Each changes an existing rule: what it does not name stays as it was.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import time, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from azext_iotjobs.cli.input.yaml_items import Item
from azext_iotjobs.cli.simulate.behaviour.distributions import duration_of, seconds_of
from azext_iotjobs.cli.simulate.behaviour.generators import generator_of
from azext_iotjobs.cli.simulate.behaviour.steps import object_of, properties_of, share_of, steps_of, template_of
from azext_iotjobs.simulator.behaviour import (
    ANY,
    METHOD_NAMES,
    TWIN_NAMES,
    Acknowledge,
    Behaviour,
    Failure,
    Flapping,
    MethodRule,
    PresenceRule,
    Span,
    TelemetryRule,
    TwinRule,
    TwinRules,
    Windows,
)
from azext_iotjobs.simulator.durations import Fixed, Uniform

BEHAVIOUR_KEYS = ("reported", "methods", "twin", "telemetry", "presence")
LEAST_INTERVAL_S = 0.01
LEAST_FLAP_S = 0.1
MAX_COUNT = 1_000_000_000
WEEKDAYS = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


def behaviour_of(given: Mapping[str, Item], base: Behaviour) -> Behaviour:
    """`base` with the changes in `given`, by BEHAVIOUR_KEYS. Raises BadValue."""
    if "reported" in given:
        base = replace(base, first_reported=object_of(given["reported"]))
    if "methods" in given:
        base = _with_methods(given["methods"], base)
    if "twin" in given:
        base = replace(base, twin=_twin(given["twin"], base.twin or TwinRules()))
    if "telemetry" in given:
        base = replace(base, telemetry=_telemetry(given["telemetry"], base.telemetry))
    if "presence" in given:
        base = replace(base, presence=_presence(given["presence"]))
    return base


# --- methods


def _with_methods(item: Item, base: Behaviour) -> Behaviour:
    rules = dict(base.methods)
    for name, each in item.members().items():
        if not name:
            each.refuse("a method with a name")
        if name == ANY:
            base = replace(base, any_method=_method(each, base.any_method))
        elif each.is_null:
            rules.pop(name, None)
        else:
            rules[name] = _method(each, rules.get(name, MethodRule()))
    return replace(base, methods=rules)


def _method(item: Item, base: MethodRule) -> MethodRule:
    given = item.members(allowed=("status", "payload", "latency", "failure", "no-answer", "then"))
    changes: dict[str, Any] = {}
    if "status" in given:
        changes["status"] = _status(given["status"])
    if "payload" in given:
        changes["payload"] = template_of(given["payload"], METHOD_NAMES)
    if "latency" in given:
        changes["latency"] = duration_of(given["latency"])
    if "failure" in given:
        changes["failure"] = _failure(given["failure"], base.failure)
    if "no-answer" in given:
        changes["no_answer"] = share_of(given["no-answer"])
    if "then" in given:
        changes["then"] = steps_of(given["then"], METHOD_NAMES)
    return replace(base, **changes)


def _failure(item: Item, base: Failure) -> Failure:
    if not item.is_object:
        return replace(base, rate=share_of(item))
    given = item.members(allowed=("rate", "status", "payload", "then"))
    changes: dict[str, Any] = {}
    if "rate" in given:
        changes["rate"] = share_of(given["rate"])
    if "status" in given:
        changes["status"] = _status(given["status"])
    if "payload" in given:
        changes["payload"] = template_of(given["payload"], METHOD_NAMES)
    if "then" in given:
        changes["then"] = steps_of(given["then"], METHOD_NAMES)
    return replace(base, **changes)


def _status(item: Item) -> int:
    return item.whole(0, 2**31 - 1)


# --- the twin


def _twin(item: Item, base: TwinRules) -> TwinRules:
    paths, otherwise = dict(base.paths), base.otherwise
    for name, each in item.members().items():
        if name == ANY:
            otherwise = _twin_rule(each, otherwise)
            continue
        path = tuple(name.split("."))
        if not all(path) or any(part.startswith("$") for part in path):
            raise each.wrong("a path is names with dots between them, such as firmware.version, or *")
        if each.is_null:
            paths.pop(path, None)
            continue
        for other in paths:
            if other != path and other[: len(path)] == path[: len(other)]:
                raise each.wrong(f"it overlaps with {'.'.join(other)}; give one of them a rule")
        paths[path] = _twin_rule(each, paths.get(path, TwinRule()))
    return TwinRules(paths=paths, otherwise=otherwise)


def _twin_rule(item: Item, base: TwinRule) -> TwinRule:
    words = {each.value: each for each in Acknowledge}
    if not item.is_object:
        return replace(base, acknowledge=item.one_of(words))
    given = item.members(allowed=("acknowledge", "delay", "reject", "converge", "then"))
    changes: dict[str, Any] = {}
    if "acknowledge" in given:
        changes["acknowledge"] = given["acknowledge"].one_of(words)
    if "delay" in given:
        changes["delay"] = duration_of(given["delay"])
    if "reject" in given:
        changes |= _reject(given["reject"])
    if "converge" in given:
        converge = given["converge"].members(allowed=("steps", "every"))
        if len(converge) != 2:
            given["converge"].refuse("steps and every")
        changes |= {"steps": converge["steps"].whole(1, 1000), "every": duration_of(converge["every"])}
    if "then" in given:
        changes["then"] = steps_of(given["then"], TWIN_NAMES)
    return replace(base, **changes)


def _reject(item: Item) -> dict[str, Any]:
    if not item.is_object:
        return {"reject": share_of(item)}
    given = item.members(allowed=("rate", "status", "text"))
    changes: dict[str, Any] = {}
    if "rate" in given:
        changes["reject"] = share_of(given["rate"])
    if "status" in given:
        changes["reject_status"] = given["status"].whole(400, 599)
    if "text" in given:
        changes["reject_text"] = given["text"].text()
    return changes


# --- telemetry


def _telemetry(item: Item, base: tuple[TelemetryRule, ...]) -> tuple[TelemetryRule, ...]:
    rules = {rule.name: rule for rule in base}
    for name, each in item.members().items():
        if each.is_null:
            rules.pop(name, None)
        else:
            rules[name] = _telemetry_rule(each, name, rules.get(name))
    return tuple(rules.values())


def _telemetry_rule(item: Item, name: str, base: TelemetryRule | None) -> TelemetryRule:
    given = item.members(allowed=("every", "first", "count", "values", "payload", "properties"))
    if base is None and ("every" not in given or not {"values", "payload"} & set(given)):
        item.refuse("at least every, and values or payload")
    rule = base or TelemetryRule(name=name, every=Fixed(0.0))
    changes: dict[str, Any] = {}
    if "every" in given:
        changes["every"] = duration_of(given["every"])
        shortest = changes["every"]
        if (isinstance(shortest, Fixed) and shortest.seconds < LEAST_INTERVAL_S) or (
            isinstance(shortest, Uniform) and shortest.least < LEAST_INTERVAL_S
        ):
            given["every"].refuse("10ms or more")
    if "first" in given:
        changes["first"] = duration_of(given["first"])
    if "count" in given:
        changes["count"] = given["count"].whole(1, MAX_COUNT)
    values = dict(rule.values)
    if "values" in given:
        values |= {key: generator_of(each) for key, each in given["values"].members().items()}
        changes["values"] = values
    names = (*values, "count")
    if "payload" in given:
        changes["payload"] = template_of(given["payload"], names)
    if "properties" in given:
        changes["properties"] = properties_of(given["properties"], names)
    return replace(rule, **changes)


# --- presence


def _presence(item: Item) -> PresenceRule:
    if not item.is_object:
        item.one_of({"always": True})
        return PresenceRule()
    given = item.members(allowed=("offline", "flapping", "windows"))
    return PresenceRule(
        offline_share=share_of(given["offline"]) if "offline" in given else 0.0,
        flapping=_flapping(given["flapping"]) if "flapping" in given else None,
        windows=_windows(given["windows"]) if "windows" in given else None,
    )


def _flapping(item: Item) -> Flapping:
    given = item.members(allowed=("on", "off"))
    if len(given) != 2:
        item.refuse("on and off: how long on average")
    return Flapping(seconds_of(given["on"], LEAST_FLAP_S), seconds_of(given["off"], LEAST_FLAP_S))


def _windows(item: Item) -> Windows:
    given = item.members(allowed=("zone", "daily", "days", "spread"))
    if not {"zone", "daily"} <= set(given):
        item.refuse("zone and daily, and days and spread if wanted")
    daily = given["daily"].items() if given["daily"].is_list else [given["daily"]]
    return Windows(
        spans=tuple(_span(each) for each in daily),
        zone=_zone(given["zone"]),
        weekdays=_weekdays(given["days"]) if "days" in given else frozenset(range(7)),
        spread_s=seconds_of(given["spread"]) if "spread" in given else 0.0,
    )


def _zone(item: Item) -> tzinfo:
    name = item.text()
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a name; a folder of names
        if not available_timezones():  # Windows has none of its own
            raise item.wrong(
                "this machine has no time zone database, allowed: UTC",
                hint="Install the package tzdata into az's Python, or give the hours in UTC.",
            ) from None
        item.refuse("a name of the IANA time zone database, such as Europe/Berlin or UTC")


def _span(item: Item) -> Span:
    found = SPAN.fullmatch(item.text())
    numbers = [int(each) for each in found.groups()] if found is not None else []
    if not numbers or numbers[0] > 23 or numbers[2] > 24 or max(numbers[1], numbers[3]) > 59 or numbers[2:] > [24, 0]:
        item.refuse("hours such as 06:00-22:00, or over midnight 22:00-06:00")
    return Span(time(numbers[0], numbers[1]), time(numbers[2] % 24, numbers[3]))


def _weekdays(item: Item) -> frozenset[int]:
    days: set[int] = set()
    for each in item.items() if item.is_list else [item]:
        first, _, last = each.text().partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            each.refuse(f"{', '.join(WEEKDAYS)}, or a range such as mon-fri")
        start, end = WEEKDAYS[first], WEEKDAYS[last or first]
        days |= {day % 7 for day in range(start, (end if end >= start else end + 7) + 1)}
    return frozenset(days)
