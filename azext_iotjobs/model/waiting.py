"""How long a job is waited for."""

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Field, Text


@dataclass(frozen=True, kw_only=True)
class WaitPolicy:
    """How to wait for a job's end."""

    interval_s: float = 10  # 1 or more: the longest pause between two polls; the first ones are shorter
    limit_s: float | None = 600  # 1 or more, in all; None: until the job's own deadline

    def __post_init__(self) -> None:
        if self.interval_s < 1:
            raise BadValue(Text(Field("poll_interval_s"), f" {self.interval_s}: give 1 second or more."))
        if self.limit_s is not None and self.limit_s < 1:
            raise BadValue(
                Text(
                    Field("timeout_s"),
                    f" {self.limit_s}: give 1 second or more, or 0 to wait until the job's own deadline.",
                )
            )
