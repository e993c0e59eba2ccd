"""The devices that one run of `simulate` has created, as its log on disk records them. Pure.

The log is append-only JSON lines, each written before or after the step that it records. Wherever a process dies,
reading the log gives every device that may exist: devices that were about to be created count as perhaps created.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass


@dataclass(kw_only=True)
class CreatedDevices:
    """The devices that a run may have created and that are not known to be removed."""

    run: str  # its name, which is also a tag of its devices
    hub: str  # as `hub_name` gives it
    is_temporary: bool  # whether they are removed at the end of the run
    etags: dict[str, str | None] = field(default_factory=dict)  # by device; None: not known, perhaps not created

    def apply(self, entry: Mapping[str, Any]) -> None:
        """Apply a line of the log. Raises KeyError, TypeError or ValueError for a line that is not one."""
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


def first_entry(created: CreatedDevices) -> dict[str, Any]:
    """The first line of a log."""
    return {"run": created.run, "hub": created.hub, "isTemporary": created.is_temporary}


def parse_log(lines: Iterable[str]) -> CreatedDevices:
    """Read a log. A last line that was cut off does not count: its step had not begun.

    Raises BadValue for a log that cannot be read.
    """
    whole = [line for line in lines if line.endswith("\n")] or [""]
    try:
        first = json.loads(whole[0])
        created = CreatedDevices(run=str(first["run"]), hub=str(first["hub"]), is_temporary=bool(first["isTemporary"]))
        for line in whole[1:]:
            created.apply(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise BadValue(f"This is not a list of created devices ({type(err).__name__}).") from None
    return created


def hub_name(host: str, port: int) -> str:
    """A hub's name in a log."""
    return f"{host.lower()}:{port}"
