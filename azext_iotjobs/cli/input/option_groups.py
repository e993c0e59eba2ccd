"""Option groups: values that hold what was typed of the options that go together.

A handler takes the few options that every call names as parameters, and the others in groups, by keyword:

    @takes_option_groups
    def results(cmd, client, our_job_id, *, wanted: ResultOptions, output: RowOutputOptions): ...

A group is a NamedTuple or a frozen dataclass. Its fields are called as the options' dests and have their defaults; the
options themselves are extras in the room's `params.py`.
"""

import inspect
from collections.abc import Callable, Mapping
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
    return group(**{name: typed.pop(name) for name in fields_of(group) if name in typed})


def fields_of(group: type[Any]) -> Mapping[str, Any]:
    """The dests of a group's options, and their defaults."""
    return {each.name: each.default for each in inspect.signature(group).parameters.values()}


def groups_of(handler: Callable[..., Any]) -> tuple[type[Any], ...]:
    """The groups that a handler takes."""
    groups: tuple[type[Any], ...] = getattr(handler, "option_groups", ())
    return groups


def option_of_dest(dest: str) -> str:
    """An option as it is typed: our_device_id is --device-id."""
    return f"--{dest.removeprefix(OURS).replace('_', '-')}"
