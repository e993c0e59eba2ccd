"""Which devices are meant: those that a condition matches, or those that are named; without those excluded. Pure."""

import re
from collections.abc import Iterable

from azext_iotjobs.model.condition import check_condition
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.ids import DEVICE, check_id
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query import MAX_CHARACTERS, in_list, not_in_list
from azext_iotjobs.model.query_words import check_words
from azext_iotjobs.model.text import Field, Text, command
from azext_iotjobs.model.whole_condition import check_whole

ALL = "*"
OF_MODULES = r"(?i)\s*from\s+devices\.modules\b"
OF_COLLECTION = r"(?i)\s*from\s+devices\b"
CONDITION = Field("query_condition")
HOW_TO_NAME_DEVICES = Text.of(
    "Give {device_ids} a,b,c, {devices_file} FILE, or {query_condition}, for example \"tags.site = 'north'\"; '*' is "
    "all devices."
)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Devices by a condition or by name. Raises UserError, naming the field, for none and for both."""

    condition: str | None = None  # WHERE part of a twin query; * is all devices
    device_ids: tuple[str, ...] = ()  # each once
    excluded: tuple[str, ...] = ()  # each once

    def __post_init__(self) -> None:
        if self.condition is not None and self.device_ids:
            raise ConflictingChoice(
                Text.of("Devices are named, and {query_condition} is given too: which of them are meant?"),
                hint=Text.of("Give one of them; {exclude} takes devices away from either."),
            )
        if self.condition is not None:
            self._check_condition(self.condition)
        elif not self.device_ids:
            # An empty target is never "all devices": too much hangs on one forgotten variable in a script.
            raise MissingChoice(
                Text.of("No devices are named: {query_condition} is missing."), hint=HOW_TO_NAME_DEVICES
            )
        elif not self.named:
            raise BadValue(Text(Field("exclude"), " takes away every device that is named."))

    def _check_condition(self, condition: str) -> None:
        if not condition.strip():
            raise MissingChoice(Text(CONDITION, " is blank."), hint=HOW_TO_NAME_DEVICES)
        check_condition(condition, CONDITION)
        check_whole(condition, CONDITION)
        check_words(condition, CONDITION)
        if self.excluded and self.is_of_modules:
            raise ConflictingChoice(
                Text.of("{exclude} works with a condition on devices, not on modules."),
                hint="Put it into the condition: … AND deviceId NIN ['a','b']",
            )
        if self.excluded and re.match(OF_COLLECTION, condition):  # it can only stand at the beginning
            raise ConflictingChoice(
                Text.of("{exclude} works with what follows WHERE alone, and this condition begins with FROM."),
                hint="Leave out FROM … WHERE, or put it into the condition: … AND deviceId NIN ['a','b']",
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
                Text(
                    Text.of("{query_condition} with {exclude}") if self.excluded else CONDITION,
                    f" has {len(condition)} characters; the hub takes {MAX_CHARACTERS}.",
                ),
                hint="Give the devices a tag, and select by that.",
            )
        raise BadValue(
            f"{len(self.named)} devices: their ids make a condition of {len(condition)} characters; the hub takes "
            f"{MAX_CHARACTERS}.",
            hint=Text.of(
                "A fleet job makes batches of them by itself, with the same {device_ids} or {devices_file}: {create}. "
                "Or give the devices a tag and select by that.",
                create=command("iot hub fleet-job create", fleet_job_id="FLEET-JOB", run=True),
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
