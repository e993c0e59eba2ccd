"""A hub with any number of devices, at the transport's seam: none of them is kept."""

from typing import Any

from azext_iotjobs.clients.identities import MAX_LISTED
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.transport_double import response

PAGE = 100
NOT_FOUND = {"Message": "ErrorCode:DeviceNotFound;none such"}


class ManyDevices:
    """Devices d0, d1, …, all alike."""

    def __init__(self, count: int, *, is_x509: bool = False) -> None:
        self.count = count
        self.gone: set[str] = set()
        self.paths: list[str] = []
        self.throttled = 0  # pages that are refused, from now on
        self._sign_in = "selfSigned" if is_x509 else "sas"

    def send(self, request: Request) -> Response:
        if request.path == "/devices/query":
            if "COUNT()" in request.body["query"]:
                return response([{"total": self.count}])
            return self._page(int(request.headers.get("x-ms-continuation", 0)))
        self.paths.append(request.path)
        if request.path == "/devices":
            assert request.query == {"top": str(MAX_LISTED)}
            return response([self._record(f"d{number}") for number in range(min(MAX_LISTED, self.count))])
        name = request.path.rpartition("/")[2]
        if name in self.gone:
            return response(NOT_FOUND, status=404, iothub_errorcode="DeviceNotFound")
        return response(self._record(name))

    def _page(self, start: int) -> Response:
        if self.throttled:
            self.throttled -= 1
            return response({"Message": "ErrorCode:ThrottlingBacklogTimeout;wait"}, status=429)
        end = min(start + PAGE, self.count)
        twins = [self._twin(f"d{number}") for number in range(start, end)]
        return response(twins, x_ms_continuation=str(end)) if end < self.count else response(twins)

    def _twin(self, name: str) -> dict[str, Any]:
        reported = {"firmware": "2.0.1", "filler": "x" * 300}
        return {
            "deviceId": name,
            "authenticationType": self._sign_in,
            "tags": {"site": "north"},
            "properties": {"reported": reported},
        }

    def _record(self, name: str) -> dict[str, Any]:
        keys = {"primaryKey": f"key of {name}", "secondaryKey": f"other of {name}"}
        return {"deviceId": name, "etag": "e", "authentication": {"type": "sas", "symmetricKey": keys}}
