"""Tables that fit a terminal: long texts are shortened between words, then the least important columns are left out.

Only where somebody looks at it: what goes into a file or to another program has its full width.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.cells import shortened

logger = get_logger(__name__)

# By command: columns that are there because an option asked for them; they stay as long as the id does.
ASKED_FOR = {"iot hub fleet-job results": ("Deleted",)}  # --check-registry

GAP = 2  # between two columns, as az prints them
AIR = 2  # by which a column is at least wider than its name
SHORT = 18  # a text is made no shorter than this; a column that would have to be is left out
# Never shortened: half of an id, of a name or of an instant is none.
WHOLE = "Id JobId ParentJobId DeviceId ModuleId HostName Name Etag DataDirectory Hub".split()
# What matters most first. Columns that are not named here follow, in the order in which they stand.
IMPORTANT = """
    Id JobId DeviceId Name Batch Run Next What Local ModuleId Status Gate Failed Completed Succeeded Answered Uncertain
    InProgress Verifying Waiting EndedByHub Devices Pending Running ErrorClass MethodStatus Reason ErrorText Reported
    Payload Seconds HostName HttpsPort MqttPort QueryCondition
""".split()
LEAST = ("Hub", "Version", "Driver", "Type", "Progress", "DurationSeconds", "Finished", "Ended", "End")

Rows = Sequence[Mapping[str, Any]]


def fitted(rows: Any, command: str = "", named: Sequence[str] = ()) -> Any:
    """The rows of a command's table, for the terminal that shows them; as they are where there is none.

    named: columns that somebody has named.
    """
    width = _terminal_width()
    is_table = isinstance(rows, list) and bool(rows) and all(isinstance(row, dict) for row in rows)
    if width is None or not is_table:
        return rows
    kept, left_out = narrowed(rows, width, (*ASKED_FOR.get(command, ()), *named))
    if left_out:
        logger.warning(
            "This terminal is too narrow for: %s. To see all columns, use a wider terminal or -o json.",
            ", ".join(left_out),
        )
    return kept


def narrowed(rows: Rows, width: int, asked_for: Sequence[str] = ()) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows that have at most `width` characters in a line, if that is possible; and the columns that were left out.

    asked_for: columns that an option brought in.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    left_out: list[str] = []
    while True:
        widths = _widths_for(rows, names, width)
        if widths is not None or len(names) == 1:
            break
        left_out.append(max(names, key=lambda name: _rank(name, names, asked_for)))
        names.remove(left_out[-1])
    widths = widths or {}
    return [{name: _cell(row[name], widths.get(name)) for name in names if name in row} for row in rows], left_out


def _widths_for(rows: Rows, names: Sequence[str], width: int) -> dict[str, int] | None:
    """How wide each column becomes; None: they do not fit, however short their texts are."""
    widths = {name: max(len(name) + AIR, *(len(str(row.get(name, ""))) for row in rows)) for name in names}
    least = {name: widths[name] if name in WHOLE else max(len(name) + AIR, min(widths[name], SHORT)) for name in names}
    too_much = sum(widths.values()) + GAP * (len(names) - 1) - width
    while too_much > 0:
        name = max(names, key=lambda each: widths[each] - least[each])
        if widths[name] == least[name]:
            return None
        widths[name] -= 1
        too_much -= 1
    return widths


def _rank(name: str, names: Sequence[str], asked_for: Sequence[str]) -> tuple[int, int]:
    """The greater, the sooner it is left out."""
    if name in asked_for:
        return 0, IMPORTANT.index("DeviceId")
    if name in IMPORTANT:
        return 0, IMPORTANT.index(name)
    return 2 if name in LEAST else 1, names.index(name)


def _cell(value: Any, width: int | None) -> Any:
    if width is None or not isinstance(value, str) or len(value) <= width:
        return value
    return shortened(value, width)


def _terminal_width() -> int | None:
    """The columns of the terminal that the result goes to; None: it goes elsewhere, or has no width."""
    try:
        return (os.get_terminal_size(sys.stdout.fileno()).columns or None) if sys.stdout.isatty() else None
    except (OSError, ValueError):  # what stands for stdout may have no number
        return None
