"""Whether a value has the types that its class says. Pure.

What stands in a file may be anything; a value that was made of it is checked once, here, and trusted from then on.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

Fits = Callable[[Any], bool]
SHOWN_CHARACTERS = 40


class BadField(ValueError):
    """What stands in a store is not what we write there; the text says which member, and what it is."""


def check_shape(value: Any) -> None:
    """Raise BadField for a dataclass, or one within it, with a member that is not of its type."""
    kind: Any = type(value)
    for name, exact, fits in _members(kind):
        member = getattr(value, name)
        if type(member) not in exact and not fits(member):
            raise BadField(f"{name} is {shown(member)}")


def shown(value: Any) -> str:
    """A value as an error shows it."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


@cache
def _members(kind: Any) -> tuple[tuple[str, frozenset[type], Fits], ...]:
    """Of each member its name, the types that fit whatever else the value is, and whether another one fits."""
    hints = get_type_hints(kind)
    return tuple((each.name, _exact(hints[each.name]), _fits(hints[each.name])) for each in fields(kind))


def _exact(kind: Any) -> frozenset[type]:
    """Types that need no second look: rows are many, and most of their members are of one of these."""
    if get_origin(kind) in (Union, types.UnionType):
        return frozenset().union(*map(_exact, get_args(kind)))
    is_plain = isinstance(kind, type) and get_origin(kind) is None and not is_dataclass(kind) and kind is not object
    return frozenset({kind, int} if kind is float else {kind}) if is_plain else frozenset()


def _fits(kind: Any) -> Fits:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any or kind is object:
        return lambda _: True
    if origin in (Union, types.UnionType):
        return _fits_one_of(inner)
    if origin is tuple:
        return _fits_tuple(inner)
    if origin is not None and issubclass(origin, Mapping):
        key, item = map(_fits, inner)
        return lambda value: isinstance(value, Mapping) and all(key(a) and item(b) for a, b in value.items())
    if origin is not None:
        item = _fits(inner[0])
        return lambda value: isinstance(value, origin) and all(map(item, value))
    if kind is float or kind is int:
        numbers = (int, float) if kind is float else (int,)
        return lambda value: isinstance(value, numbers) and not isinstance(value, bool)
    if is_dataclass(kind) and isinstance(kind, type):
        return lambda value: isinstance(value, kind) and _is_whole(value)
    return lambda value: isinstance(value, kind)


def _fits_one_of(inner: tuple[Any, ...]) -> Fits:
    choices = tuple(_fits(each) for each in inner if each is not type(None))
    if len(choices) == 1 and len(inner) == 2:  # None or something: most members, and rows are many
        something = choices[0]
        return lambda value: value is None or something(value)
    may_be_none = len(choices) < len(inner)
    return lambda value: (may_be_none and value is None) or any(fits(value) for fits in choices)


def _fits_tuple(inner: tuple[Any, ...]) -> Fits:
    if inner[-1] is Ellipsis:
        item = _fits(inner[0])
        return lambda value: isinstance(value, tuple) and all(map(item, value))
    items = tuple(map(_fits, inner))
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(items)
        and all(fits(each) for fits, each in zip(items, value, strict=True))
    )


def _is_whole(value: Any) -> bool:
    check_shape(value)  # the innermost member that is wrong is the one to name
    return True
