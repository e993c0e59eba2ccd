"""Options that belong together -> one value, so that a handler does not take each of them as a parameter."""

from dataclasses import fields
from typing import Any, TypeVar

Group = TypeVar("Group")

PREFIX = "our_"  # of names that another extension uses for an option of its own


def take_group(group: type[Group], typed: dict[str, Any]) -> Group:
    """Make a group of options, and remove its options from `typed`.

    group: a dataclass whose fields are named as the options, without PREFIX.
    typed: what az gives a handler in **kwargs; options that are missing have the defaults of the dataclass.
    """
    values: dict[str, Any] = {}
    for each in fields(group):  # type: ignore[arg-type]
        for name in (each.name, PREFIX + each.name):
            if name in typed:
                values[each.name] = typed.pop(name)
    return group(**values)
