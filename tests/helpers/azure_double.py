"""Azure Resource Manager's answers, in the shape of its published examples, behind the seam that az fills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from azext_iotjobs.cli.hub_access.az_login import AzLogin
from azext_iotjobs.model.entra import BearerToken

SUBSCRIPTION = "91d12660-3dec-467a-be2a-213b5544ddc0"
ENDPOINT = "https://management.azure.com"
LIST = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Devices/IotHubs?api-version=2026-11-01"
PREVIEW_LIST = LIST.replace("2026-11-01", "2026-03-01-preview")
OLD_LIST = LIST.replace("2026-11-01", "2021-07-02")
RIGHTS = {
    "iothubowner": "RegistryWrite, ServiceConnect, DeviceConnect",
    "service": "ServiceConnect",
    "device": "DeviceConnect",
    "registryRead": "RegistryRead",
    "registryReadWrite": "RegistryWrite",
}


def hub_item(name: str, host_name: str, *, group: str = "myResourceGroup", **properties: Any) -> dict[str, Any]:
    """A member of the list of hubs."""
    return {
        "id": hub_path(name, group),
        "name": name,
        "type": "Microsoft.Devices/IotHubs",
        "location": "centraluseuap",
        "tags": {},
        "etag": "AAAAAAFD6M4=",
        "properties": {
            "state": "Active",
            "provisioningState": "Succeeded",
            "ipFilterRules": [],
            "hostName": host_name,
            "eventHubEndpoints": {"events": {"retentionTimeInDays": 1, "partitionCount": 2, "path": name}},
            "enableFileUploadNotifications": False,
            "features": "None",
            **properties,
        },
        "sku": {"name": "S1", "tier": "Standard", "capacity": 1},
    }


def hub_path(name: str, group: str = "myResourceGroup") -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs/{name}"


def keys(key: str, rights: Mapping[str, str] = RIGHTS) -> dict[str, Any]:
    """The answer to listkeys."""
    return {
        "value": [
            {"keyName": name, "primaryKey": key, "secondaryKey": key, "rights": each} for name, each in rights.items()
        ]
    }


def refusal(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


@dataclass
class AzureDouble:
    """az signed in to a cloud whose Resource Manager gives `answers`: path and query -> status and document.

    sent: what was asked, in order; a path that has no answer is an error.  audiences: what tokens were asked for.
    """

    answers: Mapping[str, tuple[int, Any]] = field(default_factory=dict)
    cloud: str = "AzureCloud"
    endpoint: str = ENDPOINT
    sent: list[tuple[str, str]] = field(default_factory=list)
    audiences: list[str] = field(default_factory=list)
    token: str = "ey.a.b"
    user: Mapping[str, Any] = field(default_factory=lambda: {"name": "ann@contoso.com", "type": "user"})

    def send(self, method: str, url: str) -> tuple[int, Any]:
        assert url.startswith(f"{self.endpoint}/"), url
        path = url[len(self.endpoint) :]
        self.sent.append((method, path))
        return self.answers[path]

    def fetch(self, audience: str) -> BearerToken:
        self.audiences.append(audience)
        return BearerToken(text=self.token, expires_at=datetime.now(timezone.utc) + timedelta(hours=1))

    def login(self) -> AzLogin:
        return AzLogin(
            cloud=self.cloud,
            endpoint=lambda: f"{self.endpoint}/",  # az has it with a slash
            subscription=lambda: SUBSCRIPTION,
            send=self.send,
            fetch=self.fetch,
            user=lambda: self.user,
        )


def with_hubs(items: Sequence[dict[str, Any]], key: str, rights: Mapping[str, str] = RIGHTS) -> AzureDouble:
    """A subscription with these hubs; all their policies have one key."""
    answers: dict[str, tuple[int, Any]] = {LIST: (200, {"value": list(items)})}
    for item in items:
        answers[f"{item['id']}/listkeys?api-version=2021-07-02"] = (200, keys(key, rights))
    return AzureDouble(answers)
