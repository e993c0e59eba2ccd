"""What a user types -> which devices: a condition, ids, or a file of them, without those excluded."""

from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.values import at_least, not_a_file, whole_number
from azext_iotjobs.model.condition import doubts
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.selection import Selection, device_ids

logger = get_logger(__name__)


class TypedSelection(NamedTuple):
    """What was typed about the devices; None where nothing was."""

    condition: str | None
    ids: str | None
    ids_file: str | None
    excluded: str | None

    def read(self, more_ids: tuple[str, ...] = ()) -> Selection:
        """Which devices are meant, with those that are named elsewhere. Raises UserError, naming the option."""
        named = list(more_ids)
        if self.ids is not None:
            named += listed(self.ids, "--device-ids")
        if self.ids_file is not None:
            named += _ids_of(self.ids_file, "--devices-file")
        selection = Selection(
            condition=self.condition,
            device_ids=tuple(dict.fromkeys(named)),
            excluded=self.read_excluded(),
        )
        for doubt in () if self.condition is None else doubts(self.condition):
            logger.warning("--query-condition: %s", doubt)
        return selection

    @property
    def names_devices(self) -> bool:
        """Whether anything but --exclude was typed."""
        return not (self.condition is None and self.ids is None and self.ids_file is None)

    def read_excluded(self) -> tuple[str, ...]:
        """The excluded ids. Raises UserError."""
        return () if self.excluded is None else listed(self.excluded, "--exclude")


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

    Raises BadValue, naming the option, for none and for what is no id.
    """
    if text.startswith("@"):  # az would have put its text here, had there been such a file
        raise BadValue(
            f"{option}: {not_a_file(text[1:])}", hint="A device whose id begins with @ can stand in --devices-file."
        )
    found = device_ids(filter(None, text.replace(",", " ").split()), option)
    if not found:
        raise BadValue(f"{option} is empty.", hint=f"Give ids with commas between them: {option} pump-1,pump-2")
    return found


def _ids_of(path: str, option: str) -> tuple[str, ...]:
    from azext_iotjobs.cli.device_files import rows_of  # here: few commands read a file

    found = device_ids((row["deviceid"] for row in rows_of(path, option)), f"{option} {path}")
    if not found:
        raise BadValue(f"{option} {path}: there is no device in it.")
    return found
