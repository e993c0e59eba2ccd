"""The log of HTTPS requests: what they were answered with, how soon, and to whom."""

from aiohttp import web

from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.http.callers import CALLER
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import is_id
from azext_iotjobs.localhub.rules.observation import RequestEntry, cut

OWN_PATHS = "/_local/"  # their requests are not noted: who reads the log would see nothing else
ERROR_CODE = "iothub-errorcode"


def note_request(
    observations: Observations, request: web.Request, response: web.StreamResponse, duration_s: float
) -> None:
    """Note a request that has its response. duration_s: from its head to the response, before that is sent."""
    if request.path.startswith(OWN_PATHS):
        return
    observations.requests.add(
        RequestEntry(
            *(observations.clock.now(), request.method, cut(request.path), request.get(CALLER), _address(request)),
            *(response.status, response.headers.get(ERROR_CODE), duration_s),
        )
    )


def _address(request: web.Request) -> Address | None:
    """The device or module in its path; None where there is none, or no such id can be."""
    device_id, module_id = request.match_info.get("id"), request.match_info.get("module")
    if device_id is None or not is_id(device_id) or not (module_id is None or is_id(module_id)):
        return None
    return Address(device_id, module_id)
