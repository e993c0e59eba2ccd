"""Errors of the local hub: the service's error codes, and our own for its store and its query language.

Strategy: a `Fault` is the kind (HTTP status, number, symbolic name); a `HubError` is one occurrence with its text.
The HTTP side gives it a body; nothing here knows JSON or HTTP.
Source: the service's published error codes; numbers are HTTP status * 1000 + n.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One kind of error, as the service names it."""

    http_status: int  # 400..599
    number: int  # the service's own number; its first three digits are the HTTP status
    name: str  # in the iothub-errorcode header


GENERIC_BAD_REQUEST = Fault(400, 400000, "GenericBadRequest")
INVALID_PROTOCOL_VERSION = Fault(400, 400001, "InvalidProtocolVersion")
ARGUMENT_INVALID = Fault(400, 400004, "ArgumentInvalid")
ARGUMENT_NULL = Fault(400, 400005, "ArgumentNull")
FORMAT_ERROR = Fault(400, 400006, "IotHubFormatError")
BLOB_CONTAINER_VALIDATION_ERROR = Fault(400, 400008, "BlobContainerValidationError")
INVALID_DEVICE_SCOPE = Fault(400, 400028, "InvalidDeviceScope")
INVALID_CONFIGURATION_TARGET_CONDITION = Fault(400, 400401, "InvalidConfigurationTargetCondition")
INVALID_CONFIGURATION_CONTENT = Fault(400, 400402, "InvalidConfigurationContent")
INVALID_CONFIGURATION_CUSTOM_METRICS_QUERY = Fault(400, 400404, "InvalidConfigurationCustomMetricsQuery")
INVALID_DIGITAL_TWIN_JSON_PATCH = Fault(400, 400505, "InvalidDigitalTwinJsonPatch")
INVALID_DIGITAL_TWIN_PATCH_PATH = Fault(400, 400508, "InvalidDigitalTwinPatchPath")
UNAUTHORIZED_ACCESS = Fault(401, 401002, "IotHubUnauthorizedAccess")
UNAUTHORIZED = Fault(401, 401003, "IotHubUnauthorized")
JOB_QUOTA_EXCEEDED = Fault(403, 403001, "JobQuotaExceeded")
IOT_HUB_QUOTA_EXCEEDED = Fault(403, 403002, "IotHubQuotaExceeded")
DEVICE_MAXIMUM_QUEUE_DEPTH_EXCEEDED = Fault(403, 403004, "DeviceMaximumQueueDepthExceeded")
DEVICE_MAXIMUM_ACTIVE_FILE_UPLOAD_LIMIT_EXCEEDED = Fault(403, 403006, "DeviceMaximumActiveFileUploadLimitExceeded")
DEVICE_MAXIMUM_INFLIGHT_METHOD_EXCEEDED = Fault(403, 403800, "DeviceMaximumInflightMethodExceeded")
DEVICE_NOT_FOUND = Fault(404, 404001, "DeviceNotFound")
JOB_NOT_FOUND = Fault(404, 404002, "JobNotFound")
MODULE_NOT_FOUND = Fault(404, 404010, "ModuleNotFound")
CONFIGURATION_NOT_FOUND = Fault(404, 404301, "ConfigurationNotFound")
NOT_FOUND = Fault(404, 404000, "GenericNotFound")
DEVICE_NOT_ONLINE = Fault(404, 404103, "DeviceNotOnline")
OPERATION_NOT_ALLOWED_IN_CURRENT_STATE = Fault(405, 405102, "OperationNotAllowedInCurrentState")
DEVICE_ALREADY_EXISTS = Fault(409, 409001, "DeviceAlreadyExists")
JOB_ALREADY_EXISTS = Fault(409, 409104, "JobAlreadyExists")
MODULE_ALREADY_EXISTS_ON_DEVICE = Fault(409, 409301, "ModuleAlreadyExistsOnDevice")
CONFIGURATION_ALREADY_EXISTS = Fault(409, 409401, "ConfigurationAlreadyExists")
PRECONDITION_FAILED = Fault(412, 412001, "PreconditionFailed")
DEVICE_MESSAGE_LOCK_LOST = Fault(412, 412002, "DeviceMessageLockLost")
JOB_RUN_PRECONDITION_FAILED = Fault(412, 412003, "JobRunPreconditionFailed")
MESSAGE_TOO_LARGE = Fault(413, 413001, "MessageTooLarge")
TOO_MANY_DEVICES = Fault(413, 413002, "TooManyDevices")
THROTTLING_BACKLOG_TIMEOUT = Fault(
    429, 429003, "ThrottlingBacklogTimeout"
)  # of those for throttling, the one that live hubs send
THROTTLING_MAX_ACTIVE_JOB_COUNT_EXCEEDED = Fault(429, 429004, "ThrottlingMaxActiveJobCountExceeded")
SERVER_ERROR = Fault(500, 500001, "ServerError")
SERVICE_UNAVAILABLE = Fault(503, 503001, "ServiceUnavailable")
BAD_GATEWAY = Fault(502, 502000, "GenericBadGateway")
GATEWAY_TIMEOUT = Fault(504, 504101, "GatewayTimeout")


class HubError(Exception):
    """A request is refused; the caller receives it.

    fault: the kind.  text: one sentence for people; no secrets, it goes on the wire.
    info: details that only errors of direct methods have, such as the connect timeout; None elsewhere.
    retry_after_s: in a header of its response; None: no header, as the service has it.
    """

    def __init__(
        self,
        fault: Fault,
        text: str,
        *,
        info: Mapping[str, str] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(text)
        self.fault = fault
        self.text = text
        self.info = info
        self.retry_after_s = retry_after_s


class StoreUnavailable(Exception):
    """The store cannot be used at present, and nothing was changed: the same request may succeed later.

    reason: why, in a few words for people.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.text = f"The hub's store cannot be used now: {reason}. Nothing was changed; try again."


class StoreDamaged(Exception):
    """A part of the store cannot be read; trying again will not help.

    text: one sentence for people, which goes on the wire; it does not quote the content.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class QueryError(Exception):
    """A query or condition that the language does not allow.

    line, column: 1-based position of the first thing that is not allowed; 1, 1 for an empty text.
    """

    def __init__(self, text: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(f"{text} (line {line}, column {column})")
        self.text = text
        self.line = line
        self.column = column
