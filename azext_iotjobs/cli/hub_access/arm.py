"""A client of Azure Resource Manager: the hubs of one subscription, their host names and their policies' keys.

A host name is taken from its answer, never built: a key goes only where Azure or the user says. The names for devices
and for services, which hubs on newer gateways have, are known to an API version that not every cloud has. Where that
version is refused, an older one is used; it gives the classic name, which every hub keeps.
Source: Resource Manager REST, Microsoft.Devices/IotHubs, list by subscription or group, and listkeys.
"""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.arm_hub import ArmHub, Policy, choose_policy, parse_hub, parse_policy
from azext_iotjobs.clients.access import DATA_CONTRIBUTOR
from azext_iotjobs.clients.access_advice import ACCOUNT, ASSIGNEE, HUB_ID
from azext_iotjobs.model.errors import BadValue, Forbidden, HubAnswer, HubFault, NotFound, Unauthorized
from azext_iotjobs.model.target import SasKey, check_key
from azext_iotjobs.model.text import Text, command, printable

logger = get_logger(__name__)

API_VERSION = "2021-07-02"  # in every cloud
# With deviceHostName and serviceHostName: the first that is not a preview and, until there is one, the first of all.
API_VERSIONS_OF_NAMES = ("2026-11-01", "2026-03-01-preview")
MAX_PAGES = 100
MAX_NAMES_SHOWN = 10
MAX_GROUP_CHARACTERS = 90  # Azure, naming rules: resource group
WITH_ENTRA = "Sign in with Microsoft Entra: --auth-type login, with a role such as IoT Hub Data Contributor."
WITHOUT_LOOK_UP = "Or give --login with the hub's connection string: then nothing is looked up."

Send = Callable[[str, str], tuple[int, Any]]  # method, URL -> HTTP status, JSON document or None


class ResourceManager:
    """The hubs of one subscription.

    send: makes a request and gives its response, whatever its status.  endpoint: of the cloud's Resource Manager.
    cloud: its name, for errors.  subscription: its id.
    """

    def __init__(self, send: Send, *, endpoint: str, cloud: str, subscription: str) -> None:
        self._send = send
        self._endpoint = endpoint.rstrip("/")
        self._subscription = subscription
        self._where = f"subscription {subscription} of {cloud}"

    def find(self, name: str, group: str | None = None) -> ArmHub:
        """The hub with this name or host name, in any case.

        group: search this resource group only.
        Raises NotFound, Unauthorized, Forbidden and other HubAnswers; BadValue for a hub that has no host name yet.
        """
        others = []
        for hub in self.hubs(group):
            if not hub.is_called(name):
                others.append(hub.name)
                continue
            if not hub.host_name:
                raise BadValue(f"Hub {name} has no host name yet; its state is {hub.state}.")
            return hub
        raise NotFound(
            f"--hub-name {name}: there is no such hub in {self._scope(group)}, or you may not see it. {_shown(others)}",
            hint="Is it in another subscription? Run az account set --subscription NAME, or give --subscription with "
            "this command. With a data role alone, give the hub's whole host name and --auth-type login. "
            + WITHOUT_LOOK_UP,
        )

    def hubs(self, group: str | None = None) -> Iterator[ArmHub]:
        """Every hub of the subscription, or of one resource group of it, page by page.

        Raises Unauthorized, Forbidden and other HubAnswers.
        """
        what = f"reading the hubs of {self._scope(group)}"
        for version in (*API_VERSIONS_OF_NAMES, API_VERSION):
            first = self._list_url(group, version)
            status, document = self._send("GET", first)
            # Clouds refuse an unknown version with different statuses. A refusal for another reason comes again from
            # the older version.
            if not (status in (400, 404) or status >= 500):
                break
        if 200 <= status < 300 and version == API_VERSION:
            versions = " and ".join(API_VERSIONS_OF_NAMES)
            logger.warning(
                "Azure Resource Manager did not list the hub's host names (api-version %s): the classic one is used.",
                versions,
            )
        for item in self._items(first, what, first_page=(status, document)):
            yield parse_hub(item)

    def policies(self, hub: ArmHub) -> list[Policy]:
        """The shared access policies of a hub, with their keys. Raises Forbidden when the hub takes no keys."""
        if not hub.takes_keys:
            raise Forbidden(
                f"Hub {hub.name} accepts no keys: its local authentication is switched off.",
                status=403,
                hint=WITH_ENTRA,
            )
        items = self._items(self._url(f"{hub.path}/listkeys"), f"listing the keys of hub {hub.name}", "POST")
        return [parse_policy(item) for item in items]

    def key(self, hub: ArmHub, needed: frozenset[str]) -> SasKey:
        """The key of a policy that has the rights `needed`, such as ServiceConnect; the owner's where it has them.

        Raises Forbidden when the hub takes no keys or no policy suffices, and what `find` raises.
        """
        policies = self.policies(hub)
        chosen = choose_policy(policies, needed)
        if chosen is None:
            raise Forbidden(_lacking(hub.name, policies, needed), status=403, hint=WITH_ENTRA)
        check_key(chosen.primary, f"The key of policy {chosen.name}")
        return SasKey(policy=chosen.name, key=chosen.primary)

    def _scope(self, group: str | None) -> str:
        return self._where if group is None else f"resource group {group}, {self._where}"

    def _list_url(self, group: str | None, version: str) -> str:
        inside = "" if group is None else f"/resourceGroups/{_group_part(group)}"
        return self._url(f"/subscriptions/{self._subscription}{inside}/providers/Microsoft.Devices/IotHubs", version)

    def _url(self, path: str, version: str = API_VERSION) -> str:
        return f"{self._endpoint}{path}?api-version={version}"

    def _items(
        self, url: str, what: str, method: str = "GET", first_page: tuple[int, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """The members of a list, page by page.

        url: of the first page.  what: what is being done, for errors.
        first_page: status and document of the first page, where it was fetched already.
        """
        for _ in range(MAX_PAGES):
            status, document = first_page or self._send(method, url)
            first_page = None
            if not 200 <= status < 300:
                raise _refusal(status, document, what)
            if not isinstance(document, dict) or not isinstance(document.get("value"), list):
                raise HubFault("Azure Resource Manager's response is not a list.", status=status)
            yield from document["value"]
            url = document.get("nextLink") or ""
            if not url:
                return
            if urlsplit(url)[:2] != urlsplit(self._endpoint)[:2]:
                # az would send its token there too.
                raise HubFault("Azure Resource Manager's next page is on another host.", status=status)
        raise HubFault(f"Azure Resource Manager's list has more than {MAX_PAGES} pages.", status=200)


def _group_part(group: str) -> str:
    """A resource group's name as a part of a path. Raises BadValue for another text: dots would change the path."""
    name = group.strip()
    if not name or len(name) > MAX_GROUP_CHARACTERS or name.endswith(".") or not all(map(_may_stand_in_group, name)):
        raise BadValue(
            f"--resource-group: {group[:60]!r} is not the name of a resource group.",
            hint=f"A name has 1 to {MAX_GROUP_CHARACTERS} letters, digits and - _ . ( ), and no dot at its end.",
        )
    return quote(name, safe="")


def _may_stand_in_group(sign: str) -> bool:
    return sign.isalnum() or sign in "-_.()"


def _lacking(hub: str, policies: list[Policy], needed: frozenset[str]) -> str:
    required = ", ".join(sorted(needed))
    if not policies:
        return f"Hub {hub} has no shared access policy; this command needs one with {required}."
    nearest = min(policies, key=lambda policy: len(policy.lacks(needed)))
    return (
        f"Hub {hub} has no shared access policy with all rights that this command needs ({required}): "
        f"policy {nearest.name} comes nearest and lacks {', '.join(sorted(nearest.lacks(needed)))}."
    )


def _shown(names: list[str]) -> str:
    if not names:
        return "You can see no hub there."
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return f"You can see: {printable(', '.join(names[:MAX_NAMES_SHOWN]))}{more}."


def _refusal(status: int, document: Any, what: str) -> HubAnswer:
    """The error for a response that is not a success. Its body reads {"error": {"code", "message"}}."""
    error = document.get("error") if isinstance(document, dict) else None
    members = error if isinstance(error, dict) else {}
    code = members.get("code")
    words = printable(f"{code or ''} {members.get('message') or ''}") or "no reason was given"
    text = f"Azure Resource Manager answered {status}, {what}: {words}"
    if status == 401:
        return Unauthorized(text, status=status, hub_code=code, hint="Sign in again: az login")
    if status == 403:
        return Forbidden(
            text,
            status=status,
            hub_code=code,
            hint=Text(
                "To look up a hub and its key, you need the role Contributor on it. A data role is enough with "
                f"--auth-type login and the hub's whole host name. {WITHOUT_LOOK_UP} Somebody who may assign "
                "roles on the hub can assign one to ",
                ACCOUNT,
                ": ",
                command("role assignment create", role=DATA_CONTRIBUTOR, assignee=ASSIGNEE, scope=HUB_ID),
            ),
        )
    if status == 404:
        return NotFound(text, status=status, hub_code=code, hint="Check --resource-group and --subscription.")
    return HubFault(text, status=status, hub_code=code, hint=f"Try again later. {WITHOUT_LOOK_UP}")
