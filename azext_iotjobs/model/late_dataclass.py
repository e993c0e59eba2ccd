"""`dataclass` whose methods are made when the class is first used, not when it is defined. Pure.

The standard library writes and compiles six methods of each frozen dataclass: 0.7 ms of computing. An az command
imports seventy such classes, and makes values of few. For who uses them, and for type checkers, they are as
`dataclasses.dataclass` makes them; only what is read from a class that has no instance yet, and is neither called nor
given to `fields`, is not there (`__match_args__`, the default of a `field`).

Strategy: the class is not touched before all is made on another one of the same fields; its `__init__` comes last.
So no thread ever meets a class without one, and whoever calls it meanwhile waits.
"""

import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: TID251
else:

    def dataclass(*, frozen: bool = False, kw_only: bool = False) -> Callable[[type], type]:
        """As `dataclasses.dataclass`, of which it takes what is used here."""

        def decorate(cls: type) -> type:
            if "__init__" in vars(cls):
                raise TypeError(f"{cls.__qualname__} has an __init__ of its own, which would be lost")
            late = _LateMethods(cls, frozen=frozen, kw_only=kw_only)
            for name in _ASKED_FOR_FIRST:
                setattr(cls, name, _LateAttribute(late, name))
            return cls

        return decorate


_ASKED_FOR_FIRST = ("__dataclass_fields__", "__init__")  # by `fields`, and by the dataclass of a subclass; by a call
_OF_THE_CLASS = ("__module__", "__qualname__", "__orig_bases__", "__post_init__", "__repr__", "__eq__", "__hash__")
_MADE = ("__dataclass_params__", "__match_args__", "__repr__", "__eq__", "__hash__", *_ASKED_FOR_FIRST)
_making = threading.RLock()  # reentrant: a class asks for the fields of its bases


class _LateMethods:
    """Makes a dataclass of a class, once."""

    def __init__(self, cls: type, *, frozen: bool, kw_only: bool) -> None:
        self._cls, self._frozen, self._kw_only, self._made = cls, frozen, kw_only, False

    def make(self) -> type:
        """The class, a whole dataclass."""
        with _making:
            if not self._made:
                self._take_over(self._alike())
                self._made = True
        return self._cls

    def _alike(self) -> type:
        """A dataclass with the same fields and bases."""
        own, annotations = vars(self._cls), self._cls.__annotations__
        body = {name: own[name] for name in (*_OF_THE_CLASS, *annotations) if name in own}
        alike = type(self._cls.__name__, self._cls.__bases__, {**body, "__annotations__": annotations})
        return dataclasses.dataclass(frozen=self._frozen, kw_only=self._kw_only)(alike)  # noqa: TID251

    def _take_over(self, alike: type) -> None:
        cls, own, theirs = self._cls, vars(self._cls), vars(alike)
        for name in [name for name in cls.__annotations__ if isinstance(own.get(name), dataclasses.Field)]:
            if name in theirs:
                setattr(cls, name, theirs[name])  # the default
            else:
                delattr(cls, name)
        # What `alike` has to keep its values from changing knows the class that it was made for.
        for name, method in (_FROZEN if self._frozen else {}).items():
            setattr(cls, name, method)
        for name in _MADE:
            if name in theirs:
                setattr(cls, name, theirs[name])


class _LateAttribute:
    """Stands for an attribute until the class is made."""

    def __init__(self, late: _LateMethods, name: str) -> None:
        self._late, self._name = late, name

    def __get__(self, instance: object | None, owner: type) -> Any:
        value = vars(self._late.make())[self._name]
        return value.__get__(instance, owner) if hasattr(value, "__get__") else value


def _refuse_to_set(_instance: object, name: str, _value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_instance: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


_FROZEN = {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
