"""The values of telemetry in a behaviour file: 21.5, {sine: {mean: 20, …}}, {choice: [a, b]}."""

import math
from collections.abc import Callable
from typing import Any

from azext_iotjobs.cli.input.yaml_items import Item
from azext_iotjobs.cli.simulate.behaviour.distributions import seconds_of
from azext_iotjobs.simulator.generators import (
    Choice,
    Constant,
    Counter,
    Generator,
    NormalNumber,
    Ramp,
    RandomWalk,
    Sine,
    UniformNumber,
)

Read = Callable[[Item], Any]
MAX_COUNTED = 2**52 - 1


def generator_of(item: Item) -> Generator:
    """The generator that a value stands for. Raises BadValue."""
    if not item.is_object:
        return Constant(item.value())
    members = item.members(allowed=tuple(GENERATORS))
    if len(members) != 1:
        item.refuse(f"one of {', '.join(GENERATORS)}, or a value that stays as it is")
    ((kind, inner),) = members.items()
    return GENERATORS[kind](inner)


def _fields(item: Item, **readers: Read) -> dict[str, Any]:
    given = item.members(allowed=tuple(readers))
    return {name: readers[name](each) for name, each in given.items()}


def _require(item: Item, values: dict[str, Any], *names: str) -> None:
    missing = [name for name in names if name not in values]
    if missing:
        raise item.wrong(f"{', '.join(missing)} is missing")


def _number(item: Item) -> float:
    return item.number()


def _not_negative(item: Item) -> float:
    return item.number(least=0)


def _period(item: Item) -> float:
    return seconds_of(item, least=0.01)


def _digits(item: Item) -> int:
    return item.whole(0, 15)


def _sine(item: Item) -> Generator:
    values = _fields(
        item, mean=_number, amplitude=_number, period=_period, shift=seconds_of, noise=_not_negative, digits=_digits
    )
    _require(item, values, "mean", "amplitude", "period")
    values["period_s"] = values.pop("period")
    values["shift_s"] = values.pop("shift", 0.0)
    return Sine(**values)


def _ramp(item: Item) -> Generator:
    values = _fields(item, **{"from": _number, "to": _number, "over": _period, "digits": _digits})
    _require(item, values, "from", "to", "over")
    digits = {"digits": values["digits"]} if "digits" in values else {}
    return Ramp(start=values["from"], end=values["to"], over_s=values["over"], **digits)


def _walk(item: Item) -> Generator:
    values = _fields(item, start=_number, step=_not_negative, least=_number, most=_number, digits=_digits)
    _require(item, values, "start", "step")
    if not values.get("least", -math.inf) <= values["start"] <= values.get("most", math.inf):
        item.refuse("a start from least to most")
    return RandomWalk(**values)


def _uniform(item: Item) -> Generator:
    if item.is_list:
        bounds = [_number(each) for each in item.items()]
        if len(bounds) != 2:
            item.refuse("two numbers, the lower one first: [18, 25]")
        values: dict[str, Any] = {"least": bounds[0], "most": bounds[1]}
    else:
        values = _fields(item, least=_number, most=_number, digits=_digits)
        _require(item, values, "least", "most")
    if values["least"] > values["most"]:
        item.refuse("the lower number first")
    return UniformNumber(**values)


def _normal(item: Item) -> Generator:
    values = _fields(item, mean=_number, deviation=_not_negative, digits=_digits)
    _require(item, values, "mean", "deviation")
    return NormalNumber(**values)


def _choice(item: Item) -> Generator:
    given = item.members(allowed=("values", "weights")) if item.is_object else {"values": item}
    if "values" not in given:
        item.refuse("a list, or values and weights")
    values = [each.value() for each in given["values"].items()]
    weights = [_not_negative(each) for each in given["weights"].items()] if "weights" in given else None
    if not values or (weights is not None and (len(weights) != len(values) or not sum(weights))):
        item.refuse("one value or more, and if there are weights, one for each, not all 0")
    return Choice.of(values, weights)


def _counter(item: Item) -> Generator:
    def whole(each: Item) -> int:
        return each.whole(-MAX_COUNTED, MAX_COUNTED)

    return Counter(**_fields(item, start=whole, step=whole))


GENERATORS: dict[str, Callable[[Item], Generator]] = {
    "sine": _sine,
    "ramp": _ramp,
    "walk": _walk,
    "uniform": _uniform,
    "normal": _normal,
    "choice": _choice,
    "counter": _counter,
    "constant": lambda item: Constant(item.value()),
}
