"""Verification: a device that was operated counts as done once its twin says so. Pure.

A device is verified when its twin meets a condition. It has failed when its twin meets another one, or when the time
is over. What decides is a look at the twin, never the time alone.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from azext_iotjobs.model.condition import check_condition
from azext_iotjobs.model.condition_paths import Path, named_paths
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.query_words import check_words
from azext_iotjobs.model.text import Field, Text, shown_duration
from azext_iotjobs.model.when_online import OfflineWait
from azext_iotjobs.model.whole_condition import check_whole

DEFAULT_WITHIN_S = 600.0
MIN_WITHIN_S, MAX_WITHIN_S = 10.0, 30 * 86_400.0  # twin queries lag behind twins; a run's record is kept for 30 days
MAX_CONDITION_CHARACTERS = 4_000  # ids stand beside it in a query of 8192
MAX_TEXT_CHARACTERS = 500  # of what a device reports, in an error
EXAMPLE = "\"properties.reported.firmware.version = '2.0.1'\""
OF_MODULES = re.compile(r"\s*FROM\s+devices\.modules\s+WHERE\s+(?P<condition>.*)", re.IGNORECASE | re.DOTALL)
OF_COLLECTION = re.compile(r"\s*FROM\s", re.IGNORECASE)


class TwinCondition(NamedTuple):
    """A condition on twins, as queries need it."""

    where: str  # what follows WHERE
    is_of_modules: bool  # on the twins of modules, of any name, on the device


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a device's twin has to say, and within which time. Raises UserError, naming the field."""

    condition: str  # WHERE part of a twin query; it may begin with FROM devices.modules WHERE
    within_s: float = DEFAULT_WITHIN_S  # MIN_WITHIN_S to MAX_WITHIN_S, from when it is recorded as operated
    failed_condition: str | None = None  # the device has failed; counts if it reported that after it was operated

    def __post_init__(self) -> None:
        _check(self.condition, Field("verify"))
        if self.failed_condition is not None:
            _check(self.failed_condition, Field("verify_failed"))
            if self.failed_condition.strip() == self.condition.strip():
                raise ConflictingChoice(Text.of("{verify} and {verify_failed} are the same condition."))
        if not MIN_WITHIN_S <= self.within_s <= MAX_WITHIN_S:
            raise BadValue(Text(Field("verify_within_s"), f" {shown_duration(self.within_s)}: give 10s to 30d."))

    @property
    def wanted(self) -> TwinCondition:
        """What verifies a device."""
        return _parsed(self.condition)

    @property
    def failed(self) -> TwinCondition | None:
        """What fails a device; None: only its time does."""
        return None if self.failed_condition is None else _parsed(self.failed_condition)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The members of the twin that the conditions name, each once: what is recorded of each device."""
        conditions = [each.where for each in (self.failed, self.wanted) if each is not None]
        return tuple(dict.fromkeys(path for each in conditions for path in named_paths(each)))


def _check(condition: str, where: Field) -> None:
    if not condition.strip():
        raise MissingChoice(Text(where, " is blank."), hint=Text(where, f" {EXAMPLE}"))
    if condition.strip() == "*":
        raise BadValue(Text(where, ": * is met by every device."), hint=Text(where, f" {EXAMPLE}"))
    if len(condition) > MAX_CONDITION_CHARACTERS:
        most = f" has {len(condition)} characters; at most {MAX_CONDITION_CHARACTERS} are taken."
        raise BadValue(Text(where, most, " The ids of devices stand beside it in a query."))
    check_condition(condition, where)
    check_whole(condition, where)
    check_words(condition, where)
    if OF_COLLECTION.match(condition) and not OF_MODULES.match(condition):
        raise BadValue(
            Text(where, ": give what follows WHERE; on the twins of modules, FROM devices.modules WHERE …"),
            hint=Text(where, " \"FROM devices.modules WHERE moduleId = '$edgeAgent' AND …\""),
        )


def _parsed(condition: str) -> TwinCondition:
    of_modules = OF_MODULES.fullmatch(condition)
    return TwinCondition(condition if of_modules is None else of_modules["condition"], of_modules is not None)


@dataclass(frozen=True, kw_only=True)
class VerifyingDevice:
    """A device that was operated, and of which it is not known yet whether it reports so."""

    key: int  # whoever has it verified knows it by this
    device_id: str
    module_id: str | None
    began_at: datetime  # of the attempt; a failure that it reported before is of something else
    verify_by: datetime
    tries: int = 1  # attempts made
    wait: OfflineWait | None = None  # how it waited to connect; None: it was not offline


class VerificationFailure(Enum):
    """Why a device that was operated is not verified; the value is the code that results show."""

    NOT_IN_TIME = "NotInTime"
    REPORTED_FAILURE = "ReportedFailure"
    DID_NOT_STAY = "DidNotStay"  # it was verified, and is not any more when its batch has baked
    NOT_VERIFIED = "NotVerified"  # nobody looks at it any more: its run was canceled


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a look at a device's twin has decided."""

    device: VerifyingDevice
    at: datetime
    failure: VerificationFailure | None  # None: it is verified
    reported: Mapping[str, Any] | None  # the members that the conditions name, those that are there; None: no twin
    is_connected: bool | None = None  # NOT_IN_TIME: whether it was, by its twin; None: that does not say so


CANCELED_TEXT = "It was operated; the run was canceled before it was verified."


def failure_text(verdict: Verdict) -> str | None:
    """Why a device is not verified, for people; None: it is."""
    match verdict.failure:
        case None:
            return None
        case VerificationFailure.REPORTED_FAILURE:
            return f"It was operated, and reports a failure: {_shown(verdict.reported)}."
        case VerificationFailure.NOT_IN_TIME:
            return (
                f"It was operated, and did not report in time what verifies it. It reports {_shown(verdict.reported)}."
            )
        case VerificationFailure.DID_NOT_STAY:
            return f"It was verified, and did not stay so. It reports {_shown(verdict.reported)}."
        case VerificationFailure.NOT_VERIFIED:
            return CANCELED_TEXT


def _shown(reported: Mapping[str, Any] | None) -> str:
    if reported is None:
        return "nothing: it has no twin that a query finds"
    if not reported:
        return "nothing of it"
    text = ", ".join(f"{path} = {json.dumps(value)}" for path, value in reported.items())
    return text if len(text) <= MAX_TEXT_CHARACTERS else f"{text[:MAX_TEXT_CHARACTERS]}…"
