"""What a request costs its throttle: one, or as many as it holds. A body that cannot be read costs one."""

from typing import Any

from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.http.messages import is_batch
from azext_iotjobs.localhub.http.request import Asked
from azext_iotjobs.localhub.rules.json_values import dump_json, parse_json
from azext_iotjobs.localhub.rules.quota import method_blocks


def one(_asked: Asked) -> int:
    """One."""
    return 1


def each_item(asked: Asked) -> int:
    """One for each item of a list."""
    return _count(_document(asked))


def each_device(asked: Asked) -> int:
    """One for each of the devices that are named."""
    document = _document(asked)
    return _count(document.get("devices")) if isinstance(document, dict) else 1


def each_message(asked: Asked) -> int:
    """One for each message of a batch."""
    return each_item(asked) if is_batch(asked) else 1


def payload_blocks(asked: Asked) -> int:
    """One for each block of a method's payload that is begun."""
    document = _document(asked)
    return method_blocks(len(dump_json(document.get("payload")).encode())) if isinstance(document, dict) else 1


def _document(asked: Asked) -> Any:
    try:
        return parse_json(asked.body)
    except (ValueError, HubError):
        return None


def _count(value: Any) -> int:
    return max(1, len(value)) if isinstance(value, list) else 1
