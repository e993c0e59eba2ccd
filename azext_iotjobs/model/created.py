"""What one creation of simulated devices has made, as the list of it on disk says. Pure.

The list is lines of JSON that are only ever added to, each before or after the step that it tells of. Whatever line a
process dies at, reading the list gives every device that may be there: those about to be made count as perhaps made.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.model.errors import BadValue


@dataclass(kw_only=True)
class Created:
    """One creation: which devices it may have made and that are not yet known to be gone."""

    run: str  # also the tag of its devices
    hub: str  # as `hub_name` gives it
    is_temporary: bool  # to be removed at its end
    etags: dict[str, str | None] = field(default_factory=dict)  # by device; None: not known, or not even whether it is

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Take in one line of the list. Raises KeyError, TypeError or ValueError for one that is none."""
        for word, value in entry.items():
            match word:
                case "intended" | "made":
                    self.etags.update({str(each): self.etags.get(str(each)) for each in value})
                case "etags":
                    self.etags.update({str(name): str(etag) for name, etag in value.items()})
                case "notMade" | "gone" | "left":
                    for each in value:
                        self.etags.pop(str(each), None)
                case _:
                    raise ValueError(word)


def head(created: Created) -> dict[str, Any]:
    """The first line of a list."""
    return {"run": created.run, "hub": created.hub, "isTemporary": created.is_temporary}


def read_list(lines: Iterable[str]) -> Created:
    """The creation that a list tells of. A last line that was cut off does not count: its step had not begun.

    Raises BadValue for a list that cannot be read.
    """
    whole = [line for line in lines if line.endswith("\n")] or [""]
    try:
        first = json.loads(whole[0])
        created = Created(run=str(first["run"]), hub=str(first["hub"]), is_temporary=bool(first["isTemporary"]))
        for line in whole[1:]:
            created.apply(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise BadValue(f"This is no list of created devices ({type(err).__name__}).") from None
    return created


def hub_name(host: str, port: int) -> str:
    """A hub's name in a list: the same however a hub on this machine was named."""
    return f"{host.lower()}:{port}"
