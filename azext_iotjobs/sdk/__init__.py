"""Jobs of an IoT hub for Python programs: `from azext_iotjobs.sdk import JobClient`.

The same operations as in `cli/`, without azure-cli and knack. Programs may rely on the names in `__all__`; other
modules of the package may change with any version.
"""

from azext_iotjobs.model.errors import (
    AnswerTooLate,
    BadRequest,
    BadValue,
    CannotConnect,
    Conflict,
    ConflictingChoice,
    Forbidden,
    HubAnswer,
    HubFault,
    IotJobsError,
    LinkError,
    LinkLost,
    MissingChoice,
    NotFound,
    Throttled,
    Unauthorized,
    UserError,
    WrongState,
)
from azext_iotjobs.model.job import Job, JobStatus, JobTally, JobType
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.target import SasKey, SasToken
from azext_iotjobs.sdk.client import DeviceStatus, JobClient, WaitOver
from azext_iotjobs.sdk.credentials import AccessToken, TokenCredential

__all__ = [
    "AccessToken",
    "AnswerTooLate",
    "BadRequest",
    "BadValue",
    "CannotConnect",
    "Conflict",
    "ConflictingChoice",
    "DeviceResult",
    "DeviceStatus",
    "ErrorClass",
    "Forbidden",
    "HubAnswer",
    "HubFault",
    "IotJobsError",
    "Job",
    "JobClient",
    "JobStatus",
    "JobTally",
    "JobType",
    "LinkError",
    "LinkLost",
    "MissingChoice",
    "NotFound",
    "SasKey",
    "SasToken",
    "Throttled",
    "TokenCredential",
    "Unauthorized",
    "UserError",
    "WaitOver",
    "WrongState",
]
