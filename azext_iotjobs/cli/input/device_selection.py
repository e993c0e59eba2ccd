"""The options that select devices -> a Selection: a condition, ids or a file of ids, without the excluded ones."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.scalars import at_least, not_a_file, whole_number
from azext_iotjobs.model.condition import doubts
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import in_lists
from azext_iotjobs.model.selection import Selection, device_ids
from azext_iotjobs.model.text import counted

if TYPE_CHECKING:
    from azext_iotjobs.clients.hub import HubClient
    from azext_iotjobs.model.exclusions import WhichOf

logger = get_logger(__name__)

# No id holds white space or a double quote.
LIST_PIECE = re.compile(r'"(?P<quoted>[^"]*)"(?=[\s,]|\Z)|(?P<bare>[^\s,"]+)(?=[\s,]|\Z)|[\s,]+')
QUOTE = '"'
MAX_SHOWN = 5  # ids in a warning


class SelectionOptions(NamedTuple):
    """The options that select devices, as typed; None for those that were not given."""

    our_query_condition: str | None = None
    our_device_ids: str | None = None
    devices_file: str | None = None
    exclude: str | None = None

    def read(self, more_ids: tuple[str, ...] = ()) -> Selection:
        """The devices that these options select, and `more_ids`. Raises UserError, naming the option."""
        named = list(more_ids)
        if self.our_device_ids is not None:
            named += listed(self.our_device_ids, "--device-ids")
        if self.devices_file is not None:
            named += _ids_of(self.devices_file, "--devices-file")
        selection = Selection(
            condition=self.our_query_condition,
            device_ids=tuple(dict.fromkeys(named)),
            excluded=self.read_excluded(),
        )
        for doubt in () if self.our_query_condition is None else doubts(self.our_query_condition):
            logger.warning("--query-condition: %s", doubt)
        return selection

    @property
    def names_devices(self) -> bool:
        """Whether any of them but --exclude was given."""
        return not (self.our_query_condition is None and self.our_device_ids is None and self.devices_file is None)

    def read_excluded(self) -> tuple[str, ...]:
        """The excluded ids. Raises UserError."""
        return () if self.exclude is None else listed(self.exclude, "--exclude")


def most_devices(cmd: Any, typed: int | None) -> int | None:
    """How many devices a command may act on: as typed, else as configured; None: any number.

    Raises BadValue for a limit below 1.
    """
    if typed is not None:
        return at_least(typed, 1, "--max-devices")
    configured = cmd.cli_ctx.config.get("iotjobs", "max_devices", fallback=None)
    if configured is None:
        return None
    return at_least(whole_number(configured, "iotjobs.max_devices"), 1, "iotjobs.max_devices")


def listed(text: str, option: str) -> tuple[str, ...]:
    """The ids in a list with commas or white space between them, or in a table.

    text: also the content of a file, which az puts in the place of @file. An id that contains a comma stands between
    double quotes, as in CSV.  option: its name, for errors.
    Raises BadValue for an empty list, and for a text that is not an id.
    """
    if text.startswith("@"):  # az replaces @file by the file's content, if there is such a file
        raise BadValue(
            f"{option}: {not_a_file(text[1:])}", hint="A device whose id begins with @ can be listed in --devices-file."
        )
    found = device_ids(_of_table(text, option) or _pieces(text, option), option)
    if not found:
        raise BadValue(f"{option} is empty.", hint=f"Give ids with commas between them: {option} pump-1,pump-2")
    return found


def _of_table(text: str, option: str) -> list[str]:
    """The ids of a table, which is the content of a file; [] for a list.

    Raises BadValue for what is more likely a table without a column of ids than a list.
    """
    if "\n" not in text.strip() and "id" not in text.lower():
        return []
    from azext_iotjobs.cli.input.device_files import line_rows  # here: most lists are typed
    from azext_iotjobs.cli.input.device_tables import check_list, is_table

    if "\n" in text.strip() and is_table(text):
        return [row["deviceid"] for row in line_rows(text, option)]
    check_list(text, option)
    return []


def _pieces(text: str, option: str) -> Iterator[str]:
    """The ids of a list, without their quotes."""
    begin = 0
    while begin < len(text):
        piece = LIST_PIECE.match(text, begin)
        if piece is None:
            found_at = text.index(QUOTE, begin) + 1
            raise BadValue(
                f"{option}: a double quote at character {found_at} does not belong to a pair around a whole id.",
                hint=f"Put an id with a comma between double quotes: {option} '\"x,1\",pump-2'",
            )
        begin = piece.end()
        found = piece["bare"] if piece["quoted"] is None else piece["quoted"]
        if found is not None:
            yield found


def check_exclusions(client: "HubClient", selection: Selection) -> None:
    """Warn of excluded ids that are not among the selected devices. Raises as `warn_of_idle_exclusions`; HubAnswer."""
    if selection.excluded:
        warn_of_idle_exclusions(selection.excluded, lambda ids: client.selections.which_of(selection, ids))


def warn_of_idle_exclusions(excluded: Sequence[str], which_of: "WhichOf") -> None:
    """Warn of excluded ids that exclude no device. Raises BadValue for an id that was split at its commas."""
    from azext_iotjobs.model.exclusions import idle_exclusions  # here: few commands exclude anybody

    warn_of_idle(idle_exclusions(excluded, which_of))


def warn_of_idle(idle: Sequence[str]) -> None:
    """Warn that these ids exclude no device."""
    if idle:
        shown = ", ".join(map(in_lists, idle[:MAX_SHOWN])) + (", …" if len(idle) > MAX_SHOWN else "")
        ids = counted(len(idle), "id is", "ids are")
        logger.warning("--exclude: %s not among the selected devices: %s.", ids, shown)


def _ids_of(path: str, option: str) -> tuple[str, ...]:
    from azext_iotjobs.cli.input.device_files import rows_of  # here: few commands read a file

    found = device_ids((row["deviceid"] for row in rows_of(path, option)), f"{option} {path}")
    if not found:
        raise BadValue(f"{option} {path}: it contains no device.")
    return found
