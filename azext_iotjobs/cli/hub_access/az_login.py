"""What az's own login gives us: Resource Manager and Entra tokens. Nothing is asked of it before it is needed.

Where nobody is signed in, az's own error says so ("az login"); it is left as it is.
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from azext_iotjobs.model.entra import AadLogin, BearerToken
from azext_iotjobs.transport.masking import masked

if TYPE_CHECKING:
    from azext_iotjobs.cli.hub_access.arm import ResourceManager, Send

# By cloud, the end of every hub's host name. In a cloud that is not here, a host name is looked up before a token goes
# to it.
HUB_SUFFIXES = {
    "AzureCloud": ".azure-devices.net",
    "AzureChinaCloud": ".azure-devices.cn",
    "AzureUSGovernment": ".azure-devices.us",
}
HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")  # not the start of a longer URL
# What a token for IoT Hub is for. Microsoft's service SDKs for .NET, Node.js and Java name one for the US Government
# cloud and this one for every other, private clouds included.
AUDIENCE = "https://iothubs.azure.net"
NETRC = "NETRC"  # names a file of passwords by host
AUDIENCES = {"AzureUSGovernment": "https://iothubs.azure.us"}


@dataclass(frozen=True, kw_only=True)
class AzLogin:
    """The cloud that az is set to, and the ways in that its login opens."""

    cloud: str  # its name, such as AzureCloud
    endpoint: Callable[[], str]  # of its Resource Manager
    subscription: Callable[[], str]  # the id
    send: "Send"
    fetch: Callable[[str], BearerToken]  # audience -> token

    def resource_manager(self) -> "ResourceManager":
        """The hubs of the subscription that is meant. Raises az's own error where nobody is signed in."""
        from azext_iotjobs.cli.hub_access.arm import ResourceManager

        return ResourceManager(
            self.send, endpoint=self.endpoint(), cloud=self.cloud, subscription=self.subscription()
        )  # fmt: skip

    def entra(self) -> AadLogin:
        """Signing in to a hub as az is signed in."""
        return AadLogin(fetch=lambda: self.fetch(AUDIENCES.get(self.cloud, AUDIENCE)))

    def is_hub_of_cloud(self, host: str) -> bool:
        """Whether a host name can only be a hub's in this cloud."""
        suffix = HUB_SUFFIXES.get(self.cloud)
        return suffix is not None and host.lower().endswith(suffix) and HOST_NAME.fullmatch(host) is not None


def az_login(cli_ctx: Any) -> AzLogin:
    """The login of this az command; --subscription counts."""
    return AzLogin(
        cloud=cli_ctx.cloud.name,
        endpoint=lambda: str(cli_ctx.cloud.endpoints.resource_manager),
        subscription=lambda: _profile(cli_ctx).get_subscription_id(_typed_subscription(cli_ctx)),
        send=lambda method, url: _send(cli_ctx, method, url),
        fetch=lambda audience: _fetch(cli_ctx, audience),
    )


def _profile(cli_ctx: Any) -> Any:
    from azure.cli.core._profile import Profile

    return Profile(cli_ctx=cli_ctx)


def _typed_subscription(cli_ctx: Any) -> str | None:
    return cli_ctx.data.get("subscription_id")


def _fetch(cli_ctx: Any, audience: str) -> BearerToken:
    with _NO_NETRC:
        token, _, _ = _profile(cli_ctx).get_raw_token(resource=audience, subscription=_typed_subscription(cli_ctx))
    _, text, entry = token
    return BearerToken(text=text, expires_at=datetime.fromtimestamp(int(entry["expires_on"]), tz=timezone.utc))


def _send(cli_ctx: Any, method: str, url: str) -> tuple[int, Any]:
    from azure.cli.core.azclierror import HTTPError
    from azure.cli.core.util import send_raw_request

    with _secrets_not_logged(), _NO_NETRC:
        try:
            response = send_raw_request(cli_ctx, method, url)
        except HTTPError as err:
            response = err.response
    try:
        return response.status_code, response.json()
    except ValueError:  # a proxy's page
        return response.status_code, None


class _NoNetrc:
    """While az asks: its clients, of Resource Manager and of the sign-in, send what they put together.

    They leave `requests` to look into ~/.netrc, which sends a password from there, to whatever host, in place of their
    own header. They take no setting for that but this variable of the process. One thread at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._before: list[str | None] = []

    def __enter__(self) -> None:
        self._lock.acquire()
        self._before.append(os.environ.get(NETRC))
        os.environ[NETRC] = ""  # no file has this name

    def __exit__(self, *_: object) -> None:
        before = self._before.pop()
        if before is None:
            del os.environ[NETRC]
        else:
            os.environ[NETRC] = before
        self._lock.release()


_NO_NETRC = _NoNetrc()


@contextmanager
def _secrets_not_logged() -> Iterator[None]:
    """az writes whole answers into its --debug log and its log file; one of these holds the hub's keys."""

    def cover(record: logging.LogRecord) -> bool:
        record.msg, record.args = masked(record.getMessage()), None
        return True

    log = logging.getLogger("cli.azure.cli.core.util")
    log.addFilter(cover)
    try:
        yield
    finally:
        log.removeFilter(cover)
