"""What Azure Resource Manager knows of the hubs of one subscription: their host names and their policies' keys.

A host name is taken from its answer, never built: a key goes only where Azure or the user says. The names for devices
and for services, which hubs on newer gateways have, are known to a version of Resource Manager that not every cloud
has: where it is refused, the older one is asked, which gives the classic name; that goes on to be served.
Source: Resource Manager REST, Microsoft.Devices/IotHubs, list by subscription or group, and listkeys.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from knack.log import get_logger

from azext_iotjobs.model.errors import BadValue, Forbidden, HubAnswer, HubFault, NotFound, Unauthorized
from azext_iotjobs.model.host_names import HostNames, is_name_of
from azext_iotjobs.model.target import HTTPS_PORT, HubTarget, SasKey, check_key
from azext_iotjobs.model.text import printable

logger = get_logger(__name__)

API_VERSION = "2021-07-02"  # in every cloud
# With deviceHostName and serviceHostName: the first that is no preview, and the first of all, where that is not yet.
API_VERSIONS_OF_NAMES = ("2026-11-01", "2026-03-01-preview")
OLD_GATEWAY = "V1"  # has the classic name alone
MAX_PAGES = 100
MAX_NAMES_SHOWN = 10
MAX_GROUP_CHARACTERS = 90  # Azure, naming rules: resource group
OWNER = "iothubowner"
WITH_LOGIN = "Sign in with Microsoft Entra: --auth-type login, with a role such as IoT Hub Data Contributor."
NO_LOOK_UP = "Or give --login with the hub's connection string: then nothing is looked up."

Send = Callable[[str, str], tuple[int, Any]]  # method, URL -> HTTP status, JSON document or None


@dataclass(frozen=True, kw_only=True)
class ArmHub:
    """One hub of a subscription."""

    name: str
    path: str  # its resource id
    host_name: str  # "" until Azure has made it
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
        """The way to it."""
        return HubTarget(
            host=self.service_host or self.host_name,
            https_port=https_port,
            device_host=self.device_host or self.host_name,
            known_names=HostNames(self.host_name, self.device_host, self.service_host),
        )


@dataclass(frozen=True, kw_only=True)
class EventsEndpoint:
    """Where what a hub's devices send can be read over AMQP."""

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
        """The rights that are needed and not there. Writing to the registry includes reading it."""
        has = self.rights | ({"RegistryRead"} if "RegistryWrite" in self.rights else set())
        return needed - has


class ResourceManager:
    """The hubs of one subscription.

    send: carries a request and gives whatever was answered.  endpoint: the cloud's own.  cloud: its name, for errors.
    """

    def __init__(self, send: Send, *, endpoint: str, cloud: str, subscription: str) -> None:
        self._send = send
        self._endpoint = endpoint.rstrip("/")
        self._subscription = subscription
        self._where = f"subscription {subscription} of {cloud}"

    def find(self, name: str, group: str | None = None) -> ArmHub:
        """The hub with this name or host name, in any case.

        group: look only into this resource group.
        Raises NotFound, Unauthorized, Forbidden and other HubAnswers; BadValue for a hub that has no host name yet.
        """
        seen = []
        for hub in self.hubs(group):
            if not hub.is_called(name):
                seen.append(hub.name)
                continue
            if not hub.host_name:
                raise BadValue(f"Hub {name} has no host name yet; its state is {hub.state}.")
            return hub
        raise NotFound(
            f"--hub-name {name}: there is no such hub in {self._place(group)}, or you may not see it. {_shown(seen)}",
            hint="In another subscription? az account set --subscription NAME, or --subscription with this command. "
            "Whoever has a data role alone gives the hub's whole host name with --auth-type login. " + NO_LOOK_UP,
        )

    def hubs(self, group: str | None = None) -> Iterator[ArmHub]:
        """Every hub of the subscription, or of one resource group of it, page by page.

        Raises Unauthorized, Forbidden and other HubAnswers.
        """
        what = f"reading the hubs of {self._place(group)}"
        for version in (*API_VERSIONS_OF_NAMES, API_VERSION):
            first = self._list_url(group, version)
            status, document = self._send("GET", first)
            # Which refusal an unknown version gets is not the same in all clouds. Of one that has another reason, the
            # older version's answer says it again.
            if not (status in (400, 404) or status >= 500):
                break
        if 200 <= status < 300 and version == API_VERSION:
            logger.warning(
                "Azure Resource Manager did not say which host names the hub has (api-version %s): its classic one "
                "is used.", " and ".join(API_VERSIONS_OF_NAMES),
            )  # fmt: skip
        for item in self._items(first, what, begun=(status, document)):
            yield _hub(item)

    def policies(self, hub: ArmHub) -> list[Policy]:
        """The shared access policies of a hub, with their keys. Raises Forbidden when the hub takes no keys."""
        if not hub.takes_keys:
            raise Forbidden(
                f"Hub {hub.name} takes no keys: its local authentication is switched off.", status=403, hint=WITH_LOGIN
            )
        items = self._items(self._url(f"{hub.path}/listkeys"), f"listing the keys of hub {hub.name}", "POST")
        return [_policy(item) for item in items]

    def key(self, hub: ArmHub, needed: frozenset[str]) -> SasKey:
        """The key of a policy that has the rights `needed`, such as ServiceConnect; the owner's where it has them.

        Raises Forbidden when the hub takes no keys or no policy suffices, and what `find` raises.
        """
        policies = self.policies(hub)
        chosen = choose_policy(policies, needed)
        if chosen is None:
            raise Forbidden(_lacking(hub.name, policies, needed), status=403, hint=WITH_LOGIN)
        check_key(chosen.primary, f"The key of policy {chosen.name}")
        return SasKey(policy=chosen.name, key=chosen.primary)

    def _place(self, group: str | None) -> str:
        return self._where if group is None else f"resource group {group}, {self._where}"

    def _list_url(self, group: str | None, version: str) -> str:
        inside = "" if group is None else f"/resourceGroups/{_group_part(group)}"
        return self._url(f"/subscriptions/{self._subscription}{inside}/providers/Microsoft.Devices/IotHubs", version)

    def _url(self, path: str, version: str = API_VERSION) -> str:
        return f"{self._endpoint}{path}?api-version={version}"

    def _items(
        self, url: str, what: str, method: str = "GET", begun: tuple[int, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """The members of a list, page by page.

        begun: the first page, where it was asked for already.
        """
        next_url: str | None = url
        for number in range(MAX_PAGES):
            status, document = begun if begun is not None and number == 0 else self._send(method, next_url)
            if not 200 <= status < 300:
                raise _refusal(status, document, what)
            if not isinstance(document, dict) or not isinstance(document.get("value"), list):
                raise HubFault("Azure Resource Manager's answer is no list.", status=status)
            yield from document["value"]
            next_url = document.get("nextLink")
            if not next_url:
                return
            if urlsplit(next_url)[:2] != urlsplit(self._endpoint)[:2]:
                # az would sign in there too.
                raise HubFault("Azure Resource Manager's next page lies elsewhere.", status=status)
        raise HubFault(f"Azure Resource Manager's list has more than {MAX_PAGES} pages.", status=200)


def _group_part(group: str) -> str:
    """A resource group's name as a part of a path. Raises BadValue for what is none: dots alone would leave it out."""
    name = group.strip()
    if not name or len(name) > MAX_GROUP_CHARACTERS or name.endswith(".") or not all(map(_may_stand_in_group, name)):
        raise BadValue(
            f"--resource-group: {group[:60]!r} is no name of a resource group.",
            hint=f"It has 1 to {MAX_GROUP_CHARACTERS} letters, digits and - _ . ( ), and no dot at its end.",
        )
    return quote(name, safe="")


def _may_stand_in_group(sign: str) -> bool:
    return sign.isalnum() or sign in "-_.()"


def choose_policy(policies: list[Policy], needed: frozenset[str]) -> Policy | None:
    """The policy to use: the owner's if it suffices, else the first that does; None when none does."""
    enough = [policy for policy in policies if not policy.lacks(needed)]
    return next((policy for policy in enough if policy.name == OWNER), enough[0] if enough else None)


def _lacking(hub: str, policies: list[Policy], needed: frozenset[str]) -> str:
    asked = ", ".join(sorted(needed))
    if not policies:
        return f"Hub {hub} has no shared access policy; this command needs one with {asked}."
    nearest = min(policies, key=lambda policy: len(policy.lacks(needed)))
    return (
        f"Hub {hub} has no shared access policy with all rights that this command needs ({asked}): "
        f"policy {nearest.name} comes nearest and lacks {', '.join(sorted(nearest.lacks(needed)))}."
    )


def _hub(item: dict[str, Any]) -> ArmHub:
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


def _policy(item: dict[str, Any]) -> Policy:
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


def _shown(names: list[str]) -> str:
    if not names:
        return "None is to be seen there."
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return f"To be seen there: {printable(', '.join(names[:MAX_NAMES_SHOWN]))}{more}."


def _refusal(status: int, document: Any, what: str) -> HubAnswer:
    """The error of an answer that is none of success. Its body reads {"error": {"code", "message"}}."""
    error = document.get("error") if isinstance(document, dict) else None
    members = error if isinstance(error, dict) else {}
    code = members.get("code")
    words = printable(f"{code or ''} {members.get('message') or ''}") or "no reason was given"
    said = f"Azure Resource Manager answered {status}, {what}: {words}"
    if status == 401:
        return Unauthorized(said, status=status, hub_code=code, hint="Sign in anew: az login")
    if status == 403:
        return Forbidden(
            said,
            status=status,
            hub_code=code,
            hint="To look up a hub and its key, you need the role Contributor on it. With a data role such as IoT Hub "
            "Data Contributor: --auth-type login and the hub's whole host name. " + NO_LOOK_UP,
        )
    if status == 404:
        return NotFound(said, status=status, hub_code=code, hint="Check --resource-group and --subscription.")
    return HubFault(said, status=status, hub_code=code, hint=f"Try again later. {NO_LOOK_UP}")
