"""A registry at the transport seam: records to read and to replace, rows to query, keys to renew."""

import json
from typing import Any
from urllib.parse import unquote

from azext_iotjobs.transport.http import Request, Response
from tests.helpers.transport_double import response

NOT_FOUND = {"Message": "ErrorCode:DeviceNotFound;none such"}


class RegistryDouble:
    """Answers for these records; what was sent to change them is kept, and changes nothing."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.records = {_path(each): _completed(each) for each in records}
        self.rows: list[dict[str, Any]] = []
        self.queries: list[str] = []
        self.puts: list[Request] = []
        self.renewals: list[Request] = []
        self.refused: set[str] = set()  # ids whose keys cannot be renewed

    def send(self, request: Request) -> Response:
        if request.path == "/devices/query":
            self.queries.append(request.body["query"])
            return response(self.rows)
        if request.path == "/devices/keys/regenerate":
            self.renewals.append(request)
            return self._renewed(request.body)
        if request.path.endswith("/modules"):
            start = f"{unquote(request.path)}/"
            return response([each for path, each in self.records.items() if path.startswith(start)])
        record = self.records.get(unquote(request.path))
        if record is None:
            return response(NOT_FOUND, status=404, iothub_errorcode="DeviceNotFound")
        if request.method == "PUT":
            self.puts.append(request)
            return response(request.body)
        return response(record)

    def _renewed(self, body: dict[str, Any]) -> Response:
        failed = [{"deviceId": each["id"], "errorStatus": "no keys"} for each in body["devices"] if self._fails(each)]
        renewed = [each for each in body["devices"] if not self._fails(each)]
        answer = {"policyKey": body["policyKey"], "errors": failed, "rotatedKeys": renewed}
        return response(answer, status=200 if not failed else 207 if renewed else 400)

    def _fails(self, item: dict[str, Any]) -> bool:
        return item["id"] in self.refused


def keyed(device: str, module: str | None = None, primary: str = "AAAA", secondary: str = "BBBB") -> dict[str, Any]:
    """A record that signs in with keys."""
    keys = {"symmetricKey": {"primaryKey": primary, "secondaryKey": secondary}}
    return {"deviceId": device, **({"moduleId": module} if module else {}), "authentication": {"type": "sas", **keys}}


def _path(record: dict[str, Any]) -> str:
    device = f"/devices/{record['deviceId']}"
    return f"{device}/modules/{record['moduleId']}" if "moduleId" in record else device


def _completed(record: dict[str, Any]) -> dict[str, Any]:
    made = {"etag": f"etag-of-{record['deviceId']}", "status": "enabled", "authentication": {"type": "sas"}, **record}
    return dict(json.loads(json.dumps(made)))
