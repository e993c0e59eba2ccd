"""What may stand between ${ and } in a template: a name, a path into its value, a random value. Pure.

device   number   tags.site   now   now.unix   request.items.0   random.int(1, 6)   request.version | "1.0"
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field  # noqa: TID251 (slots: a fleet has many)
from datetime import datetime
from typing import Any, NoReturn

from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.similar import did_you_mean
from azext_iotjobs.simulator.events import DeviceInfo
from azext_iotjobs.simulator.rng import Rng

ALWAYS = ("device", "number", "tags", "now", "random")  # names that every template may use
NAME = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w$-]+)*")
MAX_DIGITS = 15  # of a fraction: a float has no more


@dataclass(frozen=True, slots=True)
class Scope:
    """The values that a template may use, for one device at one moment."""

    device: DeviceInfo
    wall: datetime  # aware UTC
    rng: Rng
    names: Mapping[str, Any] = field(default_factory=dict)  # further ones: count, request, …


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


DECODER = json.JSONDecoder(parse_constant=_refuse_constant)  # no NaN, no Infinity
Render = Callable[[Scope], Any]
Draw = Callable[[Rng], Any]


def expression(text: str, names: Collection[str]) -> Render:
    """Compile the text between ${ and }.

    names: what may be used beside ALWAYS.
    Raises ValueError, which says what is allowed.
    """
    found = NAME.match(text)
    if found is None:
        raise ValueError(f"${{{text}}} does not begin with a name; names are {_listed(names)}")
    rest = text[found.end() :].lstrip()
    arguments: list[Any] | None = None
    if rest.startswith("("):
        arguments, rest = _arguments(text, rest)
    default = _default(text, rest)
    root, *path = found[0].split(".")
    render = _root(root, path, arguments, names)
    if default is None:
        return render
    (instead,) = default

    def with_default(scope: Scope) -> Any:
        value = render(scope)
        return instead if value is None else value

    return with_default


def _root(root: str, path: Sequence[str], arguments: list[Any] | None, names: Collection[str]) -> Render:
    if root not in ALWAYS and root not in names:
        similar = did_you_mean(root, (*ALWAYS, *names))
        raise ValueError(f"${{{root}}} is not known here{similar}; names are {_listed(names)}")
    if root == "random":
        draw = _draw(".".join(path), arguments or [])
        return lambda scope: draw(scope.rng)
    if arguments is not None:
        raise ValueError(f"${{{root}}} takes no arguments; only random.… does")
    if root == "now":
        return _now(path)
    if root in ("device", "number") and path:
        raise ValueError(f"${{{root}}} has no members")
    if root == "device":
        return lambda scope: scope.device.device_id
    if root == "number":
        return lambda scope: scope.device.number
    if root == "tags":
        return lambda scope: _within(scope.device.tags, path)
    return lambda scope: _within(scope.names.get(root), path)


def _now(path: Sequence[str]) -> Render:
    if not path:
        return lambda scope: _instant(scope.wall)
    if list(path) == ["unix"]:
        return lambda scope: int(scope.wall.timestamp())
    raise ValueError(f"${{now.{'.'.join(path)}}} is not known; use ${{now}} or ${{now.unix}}")


def _instant(at: datetime) -> str:
    return render_instant(at, "milliseconds")


def _within(value: Any, path: Sequence[str]) -> Any:
    """None where the path leads nowhere: it leads into what a hub has sent, which may lack it."""
    for key in path:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isascii() and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _draw(kind: str, arguments: list[Any]) -> Draw:
    match kind, arguments:
        case "int", [int(least), int(most)] if not _has_bool(arguments) and least <= most:
            return lambda rng: rng.integer(least, most)
        case "float", [int() | float(), int() | float(), *digits] if not _has_bool(arguments) and _are_digits(digits):
            low, high = arguments[:2]
            places = digits[0] if digits else 3
            if low <= high:
                return lambda rng: round(rng.uniform(low, high), places)
        case "choice", [_, *_]:
            return lambda rng: arguments[rng.integer(0, len(arguments) - 1)]
        case "uuid", []:
            return _uuid
    raise ValueError(
        f"${{random.{kind}({json.dumps(arguments)[1:-1]})}} is none; there are random.int(least, most), "
        "random.float(least, most, digits), random.choice(value, value, …) and random.uuid"
    )


def _has_bool(arguments: list[Any]) -> bool:
    return any(isinstance(argument, bool) for argument in arguments)


def _are_digits(digits: list[Any]) -> bool:
    return len(digits) == 0 or (len(digits) == 1 and isinstance(digits[0], int) and 0 <= digits[0] <= MAX_DIGITS)


def _uuid(rng: Rng) -> str:
    bits = f"{rng.bits64():016x}{rng.bits64():016x}"
    variant = "89ab"[int(bits[16], 16) % 4]
    return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-{variant}{bits[17:20]}-{bits[20:]}"  # version 4, RFC 9562


def _arguments(text: str, rest: str) -> tuple[list[Any], str]:
    """The JSON values between parentheses, and the text behind them."""
    values, at = [], _skipped(rest, 1)
    while not rest.startswith(")", at):
        try:
            value, at = DECODER.raw_decode(rest, at)
        except (ValueError, RecursionError):
            raise ValueError(
                f'${{{text}}}: between the parentheses, give JSON values, such as (1, 6) or ("a", "b")'
            ) from None
        values.append(value)
        at = _skipped(rest, at)
        if rest.startswith(",", at):
            at = _skipped(rest, at + 1)
        elif not rest.startswith(")", at):
            raise ValueError(f"${{{text}}}: arguments are separated by commas and end with )")
    return values, rest[at + 1 :].lstrip()


def _skipped(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _default(text: str, rest: str) -> tuple[Any] | None:
    if not rest:
        return None
    if not rest.startswith("|"):
        raise ValueError(f"${{{text}}}: {rest!r} is too much; only | and a JSON value, its default, may follow a name")
    try:
        return (DECODER.decode(rest[1:]),)
    except (ValueError, RecursionError):
        raise ValueError(f'${{{text}}}: after |, give a JSON value, such as 5 or "text"') from None


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted({*ALWAYS, *names}))
