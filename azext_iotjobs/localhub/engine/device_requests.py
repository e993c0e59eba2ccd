"""What devices ask the hub and how they answer it, over any protocol: twin requests, responses to method calls."""

import logging
from dataclasses import dataclass

from azext_iotjobs.localhub.engine.device_backend import DeviceBackend
from azext_iotjobs.localhub.engine.links import MethodResult
from azext_iotjobs.localhub.errors import (
    BAD_GATEWAY,
    GENERIC_BAD_REQUEST,
    SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    HubError,
    StoreDamaged,
    StoreUnavailable,
)
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.job import MAX_PAYLOAD_BYTES
from azext_iotjobs.localhub.rules.json_values import dump_json, parse_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TwinResponse:
    """The hub's response to a twin request."""

    status: int  # an HTTP status
    body: bytes = b""  # JSON, or nothing
    version: int | None = None  # of the reported properties, once they were changed


def read_twin(hub: DeviceBackend, address: Address) -> TwinResponse:
    """A device requests its twin."""
    try:
        return TwinResponse(200, dump_json(hub.twin_document(address)).encode())
    except (HubError, StoreUnavailable, StoreDamaged) as err:
        return refused_twin(err)


def patch_reported(hub: DeviceBackend, address: Address, body: bytes) -> TwinResponse:
    """A device changes its reported properties. body: a JSON object, as it came."""
    try:
        return TwinResponse(204, version=hub.patch_reported(address, parse_json(body)))
    except ValueError:
        return refused_twin(HubError(GENERIC_BAD_REQUEST, "The body is not JSON."))
    except (HubError, StoreUnavailable, StoreDamaged) as err:
        return refused_twin(err)


def refused_twin(err: HubError | StoreUnavailable | StoreDamaged) -> TwinResponse:
    """The response to a twin request that is refused."""
    refusal = _as_hub_error(err)
    document = {"errorCode": refusal.fault.number, "message": refusal.text}
    return TwinResponse(refusal.fault.http_status, dump_json(document).encode())


def method_result(status: int, payload: bytes) -> MethodResult | HubError:
    """A device's response to a method call; HubError 502000 for one that cannot be read."""
    try:
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise ValueError(f"more than {MAX_PAYLOAD_BYTES} bytes")
        return MethodResult(status, parse_json(payload) if payload.strip() else None, len(payload))
    except ValueError as err:
        return HubError(BAD_GATEWAY, f"The device's answer cannot be read: {err}.", info={})


def _as_hub_error(err: HubError | StoreUnavailable | StoreDamaged) -> HubError:
    match err:
        case HubError():
            return err
        case StoreUnavailable():
            return HubError(SERVICE_UNAVAILABLE, err.text)
        case StoreDamaged():
            logger.error("a twin request failed: %s", err.text)
            return HubError(SERVER_ERROR, err.text)
