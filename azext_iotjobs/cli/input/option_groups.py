"""Option groups: values that hold what was typed of the options that go together.

A handler takes the few options that every call names as parameters, and the others in groups, by keyword:

    @takes_option_groups
    def results(cmd, client, our_job_id, *, wanted: ResultOptions, output: RowOutputOptions): ...

A group is a NamedTuple or a frozen dataclass. Its fields are called as the options' dests and have their defaults, or
are groups themselves; the options are extras in the room's `params.py`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import wraps
from typing import Any, TypeVar

Result = TypeVar("Result")

OURS = "our_"  # in front of a dest that azure-iot has too: it would lay its own options and validators over ours
# az calls an argument of this name "the rest", and reads no option from it.
REST = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)


def takes_option_groups(handler: Callable[..., Result]) -> Callable[..., Result]:
    """The handler as az calls it: with the options one by one. Each keyword-only parameter is a group of them."""
    parameters = inspect.signature(handler).parameters.values()
    groups = {each.name: each.annotation for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}

    @wraps(handler)
    def with_groups(*args: Any, **typed: Any) -> Result:
        made = {name: taken_from(typed, group) for name, group in groups.items()}
        return handler(*args, **typed, **made)

    own = [each for each in parameters if each.name not in groups]
    vars(with_groups).update(__signature__=inspect.Signature([*own, REST]), option_groups=tuple(groups.values()))
    return with_groups


def taken_from(typed: dict[str, Any], group: type[Result]) -> Result:
    """A group of the options that it names, taken out of `typed`; one that is not there has its default."""
    made = {}
    for each in inspect.signature(group).parameters.values():
        if _is_group(each.annotation):
            made[each.name] = taken_from(typed, each.annotation)
        elif each.name in typed:
            made[each.name] = typed.pop(each.name)
    return group(**made)


def fields_of(group: type[Any]) -> Mapping[str, Any]:
    """The dests of a group's options, and of the groups in it, and their defaults."""
    found: dict[str, Any] = {}
    for each in inspect.signature(group).parameters.values():
        found |= fields_of(each.annotation) if _is_group(each.annotation) else {each.name: each.default}
    return found


def is_any_typed(group: tuple[Any, ...]) -> bool:
    """Whether any option of a group was typed: a NamedTuple whose defaults are None."""
    return any(is_any_typed(each) if hasattr(each, "_fields") else each is not None for each in group)


def groups_of(handler: Callable[..., Any]) -> tuple[type[Any], ...]:
    """The groups that a handler takes."""
    groups: tuple[type[Any], ...] = getattr(handler, "option_groups", ())
    return groups


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "_fields"))


def option_of_dest(dest: str) -> str:
    """An option as it is typed: our_device_id is --device-id."""
    return f"--{dest.removeprefix(OURS).replace('_', '-')}"


def typed_options(**values: object) -> Iterator[str]:
    """The options, as they are typed, whose values are neither None nor False. values: by dest."""
    return (option_of_dest(dest) for dest, value in values.items() if value is not None and value is not False)
