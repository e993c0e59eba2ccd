"""What tests ask of a hub by name: messages, twins, methods, certificates. Each is a REST call or a few."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

CONNECT_TIMEOUT_S = 10
PEM_BEGINS = "-----BEGIN"


class HubRequests:
    """Something that makes requests to a hub."""

    def request(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """One REST call with iothubowner's key; gives the document of the response."""
        raise NotImplementedError


class HubOperations(HubRequests):
    """Requests that tests need often. All raise LocalHubRefused, such as for an unknown device."""

    def reset(self) -> None:
        """Remove all devices, twins, jobs, messages and events; the hub, its ports and its keys stay.

        Its clock is set back to the machine's time.
        """
        self.request("POST", "/_local/reset")

    def send(self, device_id: str, body: Any = b"", **properties: Any) -> str:
        """Send a message to a device; gives its id.

        body: bytes; a text, sent as UTF-8; any other JSON value, sent as such with its content type.
        properties: of the application; what is no text is sent as one.
        """
        path = f"/_local/devices/{quote(device_id, safe='')}/messages"
        document = {**_message(body), "properties": {name: str(value) for name, value in properties.items()}}
        return str(self.request("POST", path, document)["messageId"])

    def twin(self, device_id: str, module_id: str | None = None) -> dict[str, Any]:
        """The twin of a device, or of a module on it."""
        return dict(self.request("GET", _twin_path(device_id, module_id)))

    def patch_twin(
        self,
        device_id: str,
        module_id: str | None = None,
        *,
        tags: Mapping[str, Any] | None = None,
        desired: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Merge into a twin; gives the twin.

        tags, desired: what changes; a member that is None is removed.
        """
        patch: dict[str, Any] = {} if tags is None else {"tags": tags}
        if desired is not None:
            patch["properties"] = {"desired": desired}
        return dict(self.request("PATCH", _twin_path(device_id, module_id), patch))

    def call(
        self,
        device_id: str,
        method: str,
        payload: Any = None,
        *,
        module_id: str | None = None,
        timeout_s: int = 30,
        connect_timeout_s: int | None = None,
    ) -> dict[str, Any]:
        """Call a direct method; gives `status` and `payload` of the device's response.

        method: its name.  payload: a JSON value.
        timeout_s: how long the device may take to respond, whole seconds, 5 to 300 s.
        connect_timeout_s: how long a device that is not connected is waited for, whole seconds, 0 to 300 s and
        no longer than timeout_s; None: 10 s, or timeout_s where that is less.
        Raises LocalHubRefused, 404 DeviceNotOnline, or 504 when there is no response.
        """
        if connect_timeout_s is None:
            connect_timeout_s = min(CONNECT_TIMEOUT_S, timeout_s)
        document = {
            "methodName": method,
            "payload": payload,
            "responseTimeoutInSeconds": timeout_s,
            "connectTimeoutInSeconds": connect_timeout_s,
        }
        return dict(self.request("POST", f"{_twin_path(device_id, module_id)}/methods", document))

    def add_ca(self, name: str, certificate: str | Path) -> dict[str, Any]:
        """Add a CA, so that devices of the type `certificateAuthority` may have certificates that it signed.

        name: 1 to 64 letters, digits and ._-; a CA of that name is replaced.
        certificate: PEM, or the path of a file with it. A hub has at most 25.
        """
        is_pem = isinstance(certificate, str) and PEM_BEGINS in certificate
        pem = certificate if is_pem else Path(certificate).read_text("ascii")
        return dict(self.request("PUT", f"/_local/certificates/{quote(name, safe='')}", {"certificate": pem}))


def _message(body: Any) -> dict[str, str]:
    if isinstance(body, bytes):
        return {"body": base64.b64encode(body).decode()}
    if isinstance(body, str):
        return {"body": base64.b64encode(body.encode()).decode(), "contentEncoding": "utf-8"}
    content = json.dumps(body).encode()
    return {
        "body": base64.b64encode(content).decode(),
        "contentType": "application/json",
        "contentEncoding": "utf-8",
    }


def _twin_path(device_id: str, module_id: str | None) -> str:
    path = f"/twins/{quote(device_id, safe='')}"
    return path if module_id is None else f"{path}/modules/{quote(module_id, safe='')}"
