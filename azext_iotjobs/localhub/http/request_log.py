"""The log of HTTPS requests: what they were answered with, how soon, and to whom."""

from functools import lru_cache

from aiohttp import web

from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.http.callers import CALLER
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import possible_address
from azext_iotjobs.localhub.rules.observation import RequestEntry, cut

OWN_PATHS = "/_local/"  # their requests are not noted: who reads the log would see nothing else
ERROR_CODE = "iothub-errorcode"
FIRST_ERROR = 400  # of the statuses that have one
KNOWN_ADDRESSES = 1024  # of the last requests


def note_request(
    observations: Observations, request: web.Request, response: web.StreamResponse, duration_s: float
) -> None:
    """Note a request that has its response. duration_s: from its head to the response, before that is sent."""
    path = request.path
    if path[: len(OWN_PATHS)].casefold() == OWN_PATHS:  # routes are matched in any case
        return
    parts, status = request.match_info, response.status
    error_code = response.headers.get(ERROR_CODE) if status >= FIRST_ERROR else None
    caller = request[CALLER] if CALLER in request else None
    at, address = observations.clock.now(), _address(parts.get("id"), parts.get("module"))
    observations.requests.add(
        RequestEntry(at, request.method, cut(path), caller, address, status, error_code, duration_s)
    )


@lru_cache(KNOWN_ADDRESSES)
def _address(device_id: str | None, module_id: str | None) -> Address | None:
    """The device or module in a path; None where there is none, or no such id can be."""
    return None if device_id is None else possible_address(device_id, module_id)
