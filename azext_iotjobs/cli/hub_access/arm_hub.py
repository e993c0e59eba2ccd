"""Hubs and their shared access policies, as Azure Resource Manager describes them. Pure.

Source: Resource Manager REST, Microsoft.Devices/IotHubs, list by subscription or group, and listkeys.
"""

from dataclasses import field
from typing import Any

from azext_iotjobs.model.host_names import HostNames, is_name_of
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import HTTPS_PORT, HubTarget
from azext_iotjobs.model.text import printable

OLD_GATEWAY = "V1"  # has the classic name alone
OWNER = "iothubowner"  # the policy with all rights that Azure makes with each hub


@dataclass(frozen=True, kw_only=True)
class ArmHub:
    """One hub of a subscription."""

    name: str
    path: str  # its resource id
    host_name: str  # "" until Azure has assigned it
    takes_keys: bool
    state: str = "Active"
    events: "EventsEndpoint | None" = None
    tier: tuple[str, int] | None = None  # such as S1, and units
    device_host: str | None = None  # None: the classic one
    service_host: str | None = None

    def is_called(self, name: str) -> bool:
        """Whether `name`, bare or whole, in any case, is its name or one of its host names."""
        if name.lower() == self.name.lower():
            return True
        hosts = filter(None, (self.host_name, self.device_host, self.service_host))
        return "." in name and any(is_name_of(name, host) for host in hosts)

    def target(self, https_port: int = HTTPS_PORT) -> HubTarget:
        """Where to reach it."""
        return HubTarget(
            host=self.service_host or self.host_name,
            https_port=https_port,
            device_host=self.device_host or self.host_name,
            known_names=HostNames(self.host_name, self.device_host, self.service_host),
        )


@dataclass(frozen=True, kw_only=True)
class EventsEndpoint:
    """Where the messages of a hub's devices can be read over AMQP."""

    endpoint: str  # sb://…
    path: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A shared access policy and what it may do."""

    name: str
    rights: frozenset[str]
    primary: str = field(default="", repr=False)  # base64
    secondary: str | None = field(default=None, repr=False)

    def lacks(self, needed: frozenset[str]) -> frozenset[str]:
        """The rights out of `needed` that it does not have. RegistryWrite includes RegistryRead."""
        has = self.rights | ({"RegistryRead"} if "RegistryWrite" in self.rights else set())
        return needed - has


def choose_policy(policies: list[Policy], needed: frozenset[str]) -> Policy | None:
    """The policy to use: the owner's if it suffices, else the first that does; None when none does."""
    enough = [policy for policy in policies if not policy.lacks(needed)]
    return next((policy for policy in enough if policy.name == OWNER), enough[0] if enough else None)


def parse_hub(item: dict[str, Any]) -> ArmHub:
    """A hub, as a list of hubs describes it."""
    properties = item.get("properties") or {}
    details = properties.get("iotHubDetails")
    is_old = isinstance(details, dict) and str(details.get("gatewayVersion")).upper() == OLD_GATEWAY
    device, service = (
        None if is_old else str(properties.get(name) or "") or None for name in ("deviceHostName", "serviceHostName")
    )
    return ArmHub(
        name=str(item["name"]),
        path=str(item["id"]),
        host_name=str(properties.get("hostName") or ""),
        takes_keys=properties.get("disableLocalAuth") is not True,
        state=printable(str(properties.get("state"))),
        events=_events(properties),
        tier=_tier(item.get("sku")),
        device_host=device,
        service_host=service,
    )


def parse_policy(item: dict[str, Any]) -> Policy:
    """A shared access policy, as `listkeys` describes it."""
    secondary = item.get("secondaryKey")
    return Policy(
        name=str(item["keyName"]),
        rights=_rights(item),
        primary=str(item.get("primaryKey") or ""),
        secondary=None if secondary is None else str(secondary),
    )


def _events(properties: dict[str, Any]) -> EventsEndpoint | None:
    events = (properties.get("eventHubEndpoints") or {}).get("events") or {}
    endpoint, path = events.get("endpoint"), events.get("path")
    return EventsEndpoint(endpoint=str(endpoint), path=str(path)) if endpoint and path else None


def _tier(sku: Any) -> tuple[str, int] | None:
    name, units = (sku.get("name"), sku.get("capacity")) if isinstance(sku, dict) else (None, None)
    return (name, units) if isinstance(name, str) and isinstance(units, int) else None


def _rights(item: dict[str, Any]) -> frozenset[str]:
    return frozenset(each.strip() for each in str(item.get("rights") or "").split(",") if each.strip())
