"""A job to create, checked when it is made."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.ids import JOB, check_id
from azext_iotjobs.model.job import JobType
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import Field, Text

if TYPE_CHECKING:
    from azext_iotjobs.model.method import MethodCall
    from azext_iotjobs.model.twin import TwinPatch

START_HORIZON = timedelta(hours=168)  # a hub refuses a start further ahead
# The wire has 64 bits; no limit is published. Local hubs take 31, which is 68 years.
MAX_EXECUTION_S = 2**31 - 1


def check_execution_time(seconds: int) -> None:
    """Raise BadValue for a time that no job can have."""
    if not 1 <= seconds <= MAX_EXECUTION_S:
        raise BadValue(Text(Field("max_execution_s"), f" {seconds}: give 1 to {MAX_EXECUTION_S} seconds."))


def check_start(start_at: datetime, now: datetime) -> None:
    """Raise BadValue for a start that lies too far ahead for a hub."""
    if start_at - now > START_HORIZON:
        hours = START_HORIZON // timedelta(hours=1)
        latest = render_instant(now + START_HORIZON, "seconds")
        raise BadValue(
            Text(Field("start_at"), f" {render_instant(start_at, 'seconds')} lies more than {hours} hours ahead."),
            hint=f"A hub takes a start within {hours} hours from now: until {latest}.",
        )


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A job to create. Raises UserError, naming the field, when its parts do not fit together."""

    job_id: str
    job_type: JobType  # METHOD or TWIN
    condition: str  # WHERE part; * is all devices
    method: "MethodCall | None"
    patch: "TwinPatch | None"
    start_at: datetime | None  # aware; None: now
    max_execution_s: int  # 1 to MAX_EXECUTION_S

    def __post_init__(self) -> None:
        check_id(JOB, self.job_id, Field("job_id"))  # a live hub takes lower case only, and says so itself
        Selection(condition=self.condition).as_condition()
        if self.job_type is JobType.METHOD:
            self._check_method_job()
        elif self.job_type is JobType.TWIN:
            self._check_twin_job()
        check_execution_time(self.max_execution_s)

    def _check_method_job(self) -> None:
        if self.method is None:
            raise MissingChoice(Text.of("{job_type} scheduleDeviceMethod needs {method_name}."))
        if self.patch is not None:
            raise ConflictingChoice(Text.of("{patch} can only be used with {job_type} scheduleUpdateTwin."))

    def _check_twin_job(self) -> None:
        if self.patch is None:
            raise MissingChoice(Text.of("{job_type} scheduleUpdateTwin needs {patch}."))
        if self.method is not None:
            raise ConflictingChoice(
                Text.of("{method_name} and {payload} can only be used with {job_type} scheduleDeviceMethod.")
            )
