"""Records of devices.jobs -> rows.

Source: IoT Hub devguide "jobs": startTimeUtc is the job's start, endTimeUtc its deadline, lastUpdatedDateTimeUtc the
moment of the last change, so of the end.
"""

from typing import Any

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.clock import parse_known_instant
from azext_iotjobs.model.outcome import SuccessStatus
from azext_iotjobs.model.result import ENDED, DeviceResult, error_class


def parse_result(document: dict[str, Any], success: SuccessStatus) -> DeviceResult:
    """A record of the hub's. Raises HubFault for what is none."""
    document = json_object(document)
    status = str(document.get("status"))
    response = _members(_members(document.get("outcome")).get("deviceMethodResponse"))
    error = _members(document.get("error"))
    module_id = document.get("moduleId")
    answered = response.get("status")
    method_status = answered if isinstance(answered, int) else None
    code = str(error["code"]) if error.get("code") is not None else None
    text = str(error["description"]) if error.get("description") is not None else None
    return DeviceResult(
        device_id=str(document.get("deviceId")),
        module_id=module_id if isinstance(module_id, str) and module_id else None,
        status=status,
        error_class=error_class(status, code, text, method_status, success),
        error_code=code,
        error_text=text,
        method_status=method_status,
        payload=response.get("payload"),
        started_at=parse_known_instant(document.get("startTimeUtc")),
        finished_at=parse_known_instant(document.get("lastUpdatedDateTimeUtc")) if status.lower() in ENDED else None,
    )


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
