"""What a request costs its throttle: one, or one for each item. A body that cannot be read costs one."""

from typing import Any

from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.http.messages import is_batch
from azext_iotjobs.localhub.http.request import HubRequest
from azext_iotjobs.localhub.rules.json_values import dump_json, parse_json
from azext_iotjobs.localhub.rules.quota import method_blocks


def one(_request: HubRequest) -> int:
    """One."""
    return 1


def each_item(request: HubRequest) -> int:
    """One for each item of a list."""
    return _count(_document(request))


def each_device(request: HubRequest) -> int:
    """One for each device that the request names."""
    document = _document(request)
    return _count(document.get("devices")) if isinstance(document, dict) else 1


def each_message(request: HubRequest) -> int:
    """One for each message of a batch."""
    return each_item(request) if is_batch(request) else 1


def payload_blocks(request: HubRequest) -> int:
    """One for each block of a method's payload, the last one rounded up."""
    document = _document(request)
    return method_blocks(len(dump_json(document.get("payload")).encode())) if isinstance(document, dict) else 1


def body_blocks(request: HubRequest) -> int:
    """One for each block of a command's payload, which is the body."""
    return method_blocks(len(request.body))


def _document(request: HubRequest) -> Any:
    try:
        return parse_json(request.body)
    except (ValueError, HubError):
        return None


def _count(value: Any) -> int:
    return max(1, len(value)) if isinstance(value, list) else 1
