"""Containers of Azure storage accounts, looked up as az is signed in: their address, and a signature for an hour.

Source: Resource Manager REST, Microsoft.Storage/storageAccounts, list and listKeys.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from azext_iotjobs.cli.hub_access.az_login import AzLogin
from azext_iotjobs.model.errors import Forbidden, HubAnswer, HubFault, NotFound
from azext_iotjobs.model.registry_transfer import container_signature
from azext_iotjobs.model.text import printable

API_VERSION = "2023-05-01"
SIGNATURE_LIFE = timedelta(hours=1)
MAX_PAGES = 100
GIVE_URI = "Or give the container's URI with a signature (SAS) instead."


def container_uri(login: AzLogin, account: str, container: str, *, signed_at: datetime | None) -> str:
    """The URI of a container.

    account: the storage account's name; it is looked up in the subscription in use.
    signed_at: now, for a signature with one of the account's keys; None: without a signature.
    Raises NotFound, Forbidden and other HubAnswers, BadValue.
    """
    found = _find(login, account)
    endpoint = ((found.get("properties") or {}).get("primaryEndpoints") or {}).get("blob")
    if not isinstance(endpoint, str) or urlsplit(endpoint).scheme != "https":
        raise HubFault(f"Storage account {account} has no blob endpoint.", status=200, hint=GIVE_URI)
    uri = f"{endpoint.rstrip('/')}/{container}"
    if signed_at is None:
        return uri
    key = _key(login, account, str(found.get("id")))
    return f"{uri}?{container_signature(str(found['name']), key, container, signed_at + SIGNATURE_LIFE)}"


def _find(login: AzLogin, account: str) -> dict[str, Any]:
    subscription, endpoint = login.subscription(), login.endpoint().rstrip("/")
    url = (
        f"{endpoint}/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts?api-version={API_VERSION}"
    )
    for _ in range(MAX_PAGES):
        document = _answer(login, "GET", url, f"looking storage account {account} up")
        for item in document.get("value") or []:
            if isinstance(item, dict) and str(item.get("name")).lower() == account.lower():
                return item
        url = document.get("nextLink") or ""
        if not url or urlsplit(url)[:2] != urlsplit(endpoint)[:2]:  # az would send its token elsewhere too
            break
    raise NotFound(
        f"There is no storage account {account} in subscription {subscription}, or you may not see it.",
        status=404,
        hint=f"Is it in another subscription? Give --subscription with this command. {GIVE_URI}",
    )


def _key(login: AzLogin, account: str, resource: str) -> str:
    url = f"{login.endpoint().rstrip('/')}{resource}/listKeys?api-version={API_VERSION}"
    keys = _answer(login, "POST", url, f"listing the keys of storage account {account}").get("keys")
    values = [each["value"] for each in keys or [] if isinstance(each, dict) and each.get("value")]
    if not values:
        raise Forbidden(
            f"Storage account {account} gives no keys: without one no signature can be made.", status=403, hint=GIVE_URI
        )
    return str(values[0])


def _answer(login: AzLogin, method: str, url: str, what: str) -> dict[str, Any]:
    status, document = login.send(method, url)
    if 200 <= status < 300 and isinstance(document, dict):
        return document
    error = document.get("error") if isinstance(document, dict) else None
    members = error if isinstance(error, dict) else {}
    words = printable(f"{members.get('code') or ''} {members.get('message') or ''}") or "no reason was given"
    kind: type[HubAnswer] = {403: Forbidden, 404: NotFound}.get(status, HubFault)
    raise kind(f"Azure Resource Manager answered {status}, {what}: {words}", status=status, hint=GIVE_URI)
