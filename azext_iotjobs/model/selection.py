"""Which devices are meant: those that a condition matches, or those that are named; without those excluded. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from azext_iotjobs.model.condition import check_condition
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.hints import Hint, command
from azext_iotjobs.model.ids import DEVICE, check_id
from azext_iotjobs.model.query import MAX_CHARACTERS, in_list, not_in_list
from azext_iotjobs.model.query_words import check_words
from azext_iotjobs.model.whole_condition import check_whole

ALL = "*"
OF_MODULES = r"(?i)\s*from\s+devices\.modules\b"
OF_COLLECTION = r"(?i)\s*from\s+devices\b"
HOW_TO_NAME_DEVICES = (
    "Give --device-ids a,b,c, --devices-file FILE, or --query-condition, for example \"tags.site = 'north'\"; '*' is "
    "all devices."
)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Devices by a condition or by name. Raises UserError, naming the option, for none and for both."""

    condition: str | None = None  # WHERE part of a twin query; * is all devices
    device_ids: tuple[str, ...] = ()  # each once
    excluded: tuple[str, ...] = ()  # each once

    def __post_init__(self) -> None:
        if self.condition is not None and self.device_ids:
            raise ConflictingChoice(
                "Devices are named, and --query-condition is given too: which of them are meant?",
                hint="Give one of them; --exclude takes devices away from either.",
            )
        if self.condition is not None:
            self._check_condition(self.condition)
        elif not self.device_ids:
            # An empty target is never "all devices": too much hangs on one forgotten variable in a script.
            raise MissingChoice("No devices are named: --query-condition is missing.", hint=HOW_TO_NAME_DEVICES)
        elif not self.named:
            raise BadValue(f"--exclude takes away all {len(self.device_ids)} devices that are named.")

    def _check_condition(self, condition: str) -> None:
        if not condition.strip():
            raise MissingChoice("--query-condition is blank.", hint=HOW_TO_NAME_DEVICES)
        check_condition(condition, "--query-condition")
        check_whole(condition, "--query-condition")
        check_words(condition, "--query-condition")
        if self.excluded and self.is_of_modules:
            raise ConflictingChoice(
                "--exclude goes with a condition on devices, not on modules.",
                hint="Say it in the condition: … AND deviceId NIN ['a','b']",
            )
        if self.excluded and re.match(OF_COLLECTION, condition):  # it can only stand at the beginning
            raise ConflictingChoice(
                "--exclude goes with what would follow WHERE, and the condition begins with FROM.",
                hint="Leave out FROM … WHERE, or say it in the condition: … AND deviceId NIN ['a','b']",
            )

    @property
    def is_of_modules(self) -> bool:
        """Whether the condition selects modules (FROM devices.modules …)."""
        return self.condition is not None and re.match(OF_MODULES, self.condition) is not None

    @property
    def named(self) -> tuple[str, ...]:
        """The named devices that are not excluded."""
        without = frozenset(self.excluded)
        return tuple(each for each in self.device_ids if each not in without)

    def as_condition(self) -> str:
        """One WHERE part that selects these devices. Raises BadValue when a hub takes none of that length."""
        condition = self._condition()
        if len(condition) <= MAX_CHARACTERS:
            return condition
        if self.condition is not None:
            raise BadValue(
                f"--query-condition{' with --exclude' if self.excluded else ''} has {len(condition)} characters; the "
                f"hub takes {MAX_CHARACTERS}.",
                hint="Give the devices a tag, and select by that.",
            )
        raise BadValue(
            f"{len(self.named)} devices: their ids make a condition of {len(condition)} characters; the hub takes "
            f"{MAX_CHARACTERS}.",
            hint=Hint(
                "A fleet job makes batches of them by itself, with the same --device-ids or --devices-file: ",
                command("iot hub fleet-job create", "-j", "FLEET-JOB", "--run"),
                ". Or give the devices a tag and select by that.",
            ),
        )

    def _condition(self) -> str:
        if self.condition is None:
            return in_list("deviceId", self.named)
        if not self.excluded:
            return self.condition
        others = not_in_list("deviceId", self.excluded)
        return others if self.condition.strip() == ALL else f"({self.condition}) AND {others}"


def device_ids(texts: Iterable[str], where: str) -> tuple[str, ...]:
    """The texts as device ids, each once, in their order.

    where: what gave them, for the error.  Raises BadValue for what no device can be called.
    """
    found: dict[str, None] = {}
    for text in texts:
        check_id(DEVICE, text, where)
        found[text] = None
    return tuple(found)
