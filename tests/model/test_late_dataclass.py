# mypy: disable-error-code="call-arg, misc, has-type, arg-type, operator, union-attr, no-untyped-call"
"""The same of both decorators: mypy takes only one of them for a maker of dataclasses."""

import copy
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from dataclasses import dataclass as standard
from threading import Barrier
from typing import Any, Generic, TypeVar

import pytest

import azext_iotjobs
from azext_iotjobs.model.late_dataclass import dataclass

Decorator = Callable[..., Any]
both = pytest.mark.parametrize("decorator", [dataclass, standard], ids=["late", "standard"])


def point(decorator: Decorator) -> Any:
    @decorator(frozen=True, kw_only=True)
    class Point:
        """A place."""

        x: int
        y: int = 2
        tags: list[str] = field(default_factory=list)
        secret: str = field(default="none", repr=False, compare=False)

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError(f"x is {self.x}")

    return Point


@both
def test_values_are_as_the_standard_library_makes_them(decorator: Decorator) -> None:
    cls = point(decorator)
    one, same, other = cls(x=1), cls(x=1, secret="s"), cls(x=3)
    assert (one, hash_of(one)) == (same, hash_of(same)) and one != other
    assert repr(one).endswith("Point(x=1, y=2, tags=[])")
    assert replace(one, y=5).y == 5 and asdict(other) == {"x": 3, "y": 2, "tags": [], "secret": "none"}
    assert copy.deepcopy(one) == one and cls(x=1).tags is not one.tags
    assert is_dataclass(one) and [each.name for each in fields(one)] == ["x", "y", "tags", "secret"]
    assert cls.y == 2 and cls.secret == "none" and not hasattr(cls, "tags")
    assert cls.__doc__ == "A place." and cls.__match_args__ == ()


def hash_of(value: Any) -> str:
    with pytest.raises(TypeError) as raised:
        hash(value)  # of a list in it
    return str(raised.value)


@both
def test_what_a_class_refuses_is_refused(decorator: Decorator) -> None:
    cls = point(decorator)
    with pytest.raises(ValueError, match="x is -1"):
        cls(x=-1)
    with pytest.raises(TypeError, match=r"Point\.__init__\(\) missing 1 required keyword-only argument: 'x'"):
        cls()
    with pytest.raises(TypeError, match="positional"):
        cls(1)
    value = cls(x=1)
    for change in (lambda: setattr(value, "x", 2), lambda: setattr(value, "z", 2)):
        with pytest.raises(FrozenInstanceError, match="cannot assign to field"):
            change()
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del value.x
    assert value == cls(x=1)


@both
def test_the_first_that_is_asked_of_a_class_may_be_its_fields(decorator: Decorator) -> None:
    cls = point(decorator)
    assert is_dataclass(cls) and [each.name for each in fields(cls)] == ["x", "y", "tags", "secret"]
    assert list(inspect.signature(cls).parameters) == ["x", "y", "tags", "secret"]
    assert cls(x=1).y == 2


@both
def test_a_subclass_has_the_fields_of_its_base_whichever_is_used_first(decorator: Decorator) -> None:
    @decorator(frozen=True)
    class Base:
        a: int

        def twice(self) -> int:
            return 2 * self.a

    @decorator(frozen=True)
    class Heir(Base):
        b: int = 7

        def twice(self) -> int:
            return super().twice() + self.b

    class Plain(Base):
        pass

    assert Heir(1).twice() == 9 and [each.name for each in fields(Heir)] == ["a", "b"]
    assert Plain(3).twice() == 6 and Base(3) != Plain(3) and Plain(3) == Plain(3)
    assert {Base(1): "x"}[Base(1)] == "x"


@both
def test_what_a_class_says_itself_is_kept(decorator: Decorator) -> None:
    @decorator(frozen=True)
    class Own:
        a: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own)

        def __hash__(self) -> int:
            return 5

    assert repr(Own(1)) == "own" and Own(1) == Own(2) and hash(Own(1)) == 5


@both
def test_a_class_that_is_not_frozen_can_be_changed_and_has_no_hash(decorator: Decorator) -> None:
    @decorator()
    class Counter:
        count: int = 0

    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


@both
def test_a_class_pattern_matches_by_position(decorator: Decorator) -> None:
    @decorator(frozen=True)
    class Pair:
        a: int
        b: int

    match Pair(1, 2):
        case Pair(a, 2):
            found = a
    assert found == 1


@both
def test_a_class_may_be_generic(decorator: Decorator) -> None:
    value = TypeVar("value")

    @decorator(frozen=True)
    class Box(Generic[value]):
        inside: value

    assert Box[int](3) == Box(3) and Box(3).inside == 3


def test_a_class_that_would_lose_its_own_init_is_refused() -> None:
    with pytest.raises(TypeError, match="Own has an __init__ of its own"):

        @dataclass()
        class Own:
            def __init__(self) -> None:
                pass


def test_every_class_of_the_package_can_be_made() -> None:
    """What is wrong in the definition of one, such as a list for a default, shows only then."""
    made = 0
    for found in pkgutil.walk_packages(azext_iotjobs.__path__, "azext_iotjobs."):
        if found.name.startswith("azext_iotjobs.localhub"):
            continue
        try:
            room = importlib.import_module(found.name)
        except ImportError:  # of an extra that is not installed
            continue
        for each in vars(room).values():
            if isinstance(each, type) and each.__module__ == found.name and is_dataclass(each):
                made += bool(fields(each)) and callable(each.__init__)
    assert made > 250


def test_threads_that_use_a_class_at_once_all_get_whole_values() -> None:
    threads = 8
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(100):
            cls, ready = point(dataclass), Barrier(threads)

            def use(number: int, cls: Any = cls, ready: Barrier = ready) -> Any:
                ready.wait()
                return fields(cls) and cls(x=number) if number % 2 else cls(x=number)

            values = list(pool.map(use, range(threads)))
            assert values == [cls(x=number) for number in range(threads)]
            assert {type(value) for value in values} == {cls}
