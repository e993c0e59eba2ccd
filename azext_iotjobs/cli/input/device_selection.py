"""What a user types -> which devices: a condition, ids, or a file of them, without those excluded."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.scalars import at_least, not_a_file, whole_number
from azext_iotjobs.model.condition import doubts
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.ids import in_lists
from azext_iotjobs.model.selection import Selection, device_ids

if TYPE_CHECKING:
    from azext_iotjobs.clients.hub import HubClient
    from azext_iotjobs.model.exclusions import WhichOf

logger = get_logger(__name__)

# No id holds white space or a double quote.
PIECE = re.compile(r'"(?P<quoted>[^"]*)"(?=[\s,]|\Z)|(?P<bare>[^\s,"]+)(?=[\s,]|\Z)|[\s,]+')
QUOTE = '"'
MAX_TOLD = 5  # ids in a warning


class SelectionOptions(NamedTuple):
    """What was typed about the devices."""

    our_query_condition: str | None = None
    our_device_ids: str | None = None
    devices_file: str | None = None
    exclude: str | None = None

    def read(self, more_ids: tuple[str, ...] = ()) -> Selection:
        """Which devices are meant, with those that are named elsewhere. Raises UserError, naming the option."""
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
        """Whether anything but --exclude was typed."""
        return not (self.our_query_condition is None and self.our_device_ids is None and self.devices_file is None)

    def read_excluded(self) -> tuple[str, ...]:
        """The excluded ids. Raises UserError."""
        return () if self.exclude is None else listed(self.exclude, "--exclude")


def most_devices(cmd: Any, typed: int | None) -> int | None:
    """How many devices a command may touch: what was typed, else the standing limit; None: any number.

    Raises BadValue for a limit below 1.
    """
    if typed is not None:
        return at_least(typed, 1, "--max-devices")
    standing = cmd.cli_ctx.config.get("iotjobs", "max_devices", fallback=None)
    if standing is None:
        return None
    return at_least(whole_number(standing, "iotjobs.max_devices"), 1, "iotjobs.max_devices")


def listed(text: str, option: str) -> tuple[str, ...]:
    """Ids with commas or white space between them: az itself puts a file's text where @file was typed.

    An id that holds a comma stands between double quotes, as in CSV. A table is read as in a file of devices.
    Raises BadValue, naming the option, for none and for what is no id.
    """
    if text.startswith("@"):  # az would have put its text here, had there been such a file
        raise BadValue(
            f"{option}: {not_a_file(text[1:])}", hint="A device whose id begins with @ can stand in --devices-file."
        )
    found = device_ids(_of_table(text, option) or _pieces(text, option), option)
    if not found:
        raise BadValue(f"{option} is empty.", hint=f"Give ids with commas between them: {option} pump-1,pump-2")
    return found


def _of_table(text: str, option: str) -> list[str]:
    """The ids of a table whose text az put where @file was typed: other cells of it are none. [] for a list.

    Raises BadValue for what is more likely a table without a column of ids: its cells are none.
    """
    if "\n" not in text.strip() and "id" not in text.lower():
        return []
    from azext_iotjobs.cli.input.device_files import line_rows  # here: few lists come out of files
    from azext_iotjobs.cli.input.device_tables import check_list, is_table

    if "\n" in text.strip() and is_table(text):
        return [row["deviceid"] for row in line_rows(text, option)]
    check_list(text, option)
    return []


def _pieces(text: str, option: str) -> Iterator[str]:
    """The ids of a list, quotes taken off."""
    begin = 0
    while begin < len(text):
        piece = PIECE.match(text, begin)
        if piece is None:
            found_at = text.index(QUOTE, begin) + 1
            raise BadValue(
                f"{option}: a double quote at character {found_at} is not one of two around a whole id.",
                hint=f"An id with a comma in it stands between two of them: {option} '\"x,1\",pump-2'",
            )
        begin = piece.end()
        found = piece["bare"] if piece["quoted"] is None else piece["quoted"]
        if found is not None:
            yield found


def check_exclusions(client: "HubClient", selection: Selection) -> None:
    """Say which excluded ids leave nobody out, as the hub has its devices now. Raises what say_idle does, HubAnswer."""
    if selection.excluded:
        say_idle(selection.excluded, lambda ids: client.selections.which_of(selection, ids))


def say_idle(excluded: Sequence[str], which_of: "WhichOf") -> None:
    """Say which excluded ids leave nobody out. Raises BadValue for a device whose id was taken apart at its commas."""
    from azext_iotjobs.model.exclusions import idle_exclusions  # here: few commands exclude anybody

    tell_idle(idle_exclusions(excluded, which_of))


def tell_idle(idle: Sequence[str]) -> None:
    """Say that these leave nobody out."""
    if idle:
        shown = ", ".join(map(in_lists, idle[:MAX_TOLD])) + (", …" if len(idle) > MAX_TOLD else "")
        logger.warning(
            "--exclude: %d of these ids %s not among the selected devices: %s.",
            len(idle), "is" if len(idle) == 1 else "are", shown,
        )  # fmt: skip


def _ids_of(path: str, option: str) -> tuple[str, ...]:
    from azext_iotjobs.cli.input.device_files import rows_of  # here: few commands read a file

    found = device_ids((row["deviceid"] for row in rows_of(path, option)), f"{option} {path}")
    if not found:
        raise BadValue(f"{option} {path}: there is no device in it.")
    return found
