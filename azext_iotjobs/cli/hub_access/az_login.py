"""az's own login: requests to Resource Manager, and Microsoft Entra tokens. It is used only when it is needed.

Where nobody is signed in, az's own error says so ("az login"); it is passed on unchanged.
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from azext_iotjobs.cli.output.hints import know
from azext_iotjobs.clients.access_advice import ACCOUNT, ASSIGNEE
from azext_iotjobs.model.entra import AUDIENCE, US_GOVERNMENT_AUDIENCE, AadLogin, BearerToken
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import printable
from azext_iotjobs.transport.masking import masked

if TYPE_CHECKING:
    from azext_iotjobs.cli.hub_access.arm import ResourceManager, Send
    from azext_iotjobs.cli.hub_access.assignee import Assignee

US_GOVERNMENT = "AzureUSGovernment"
# By cloud: how every hub's host name ends. In a cloud that is not listed, a host name is looked up before a token is
# sent to it.
HUB_SUFFIXES = {
    "AzureCloud": ".azure-devices.net",
    "AzureChinaCloud": ".azure-devices.cn",
    US_GOVERNMENT: ".azure-devices.us",
}
HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")  # whole names only, not the start of a URL
NETRC = "NETRC"  # names a file of passwords by host


@dataclass(frozen=True, kw_only=True)
class AzLogin:
    """The cloud that az is set to, and what its login gives access to."""

    cloud: str  # its name, such as AzureCloud
    endpoint: Callable[[], str]  # of its Resource Manager
    subscription: Callable[[], str]  # the id
    send: "Send"
    fetch: Callable[[str], BearerToken]  # audience -> token
    user: Callable[[], Mapping[str, Any]]  # of the account, as az's profile has it

    def resource_manager(self) -> "ResourceManager":
        """The hubs of the subscription in use. Raises az's own error where nobody is signed in."""
        from azext_iotjobs.cli.hub_access.arm import ResourceManager

        subscription = self.subscription()
        return ResourceManager(self.send, endpoint=self.endpoint(), cloud=self.cloud, subscription=subscription)

    def entra(self) -> AadLogin:
        """Signs in to a hub as az is signed in."""
        audience = US_GOVERNMENT_AUDIENCE if self.cloud == US_GOVERNMENT else AUDIENCE

        def fetch() -> BearerToken:
            token = self.fetch(audience)
            self.tell_who(token.text)
            return token

        return AadLogin(fetch=fetch)

    def tell_who(self, token: str | None = None) -> None:
        """Let hints name who is signed in, so that a role can be assigned.

        token: an access token of theirs, which says it best; None: there is none.
        """

        def assignee() -> "Assignee":
            from azext_iotjobs.cli.hub_access.assignee import assignee_of

            return assignee_of(self.user(), token)

        know(ASSIGNEE, lambda: assignee().arguments)
        know(ACCOUNT, lambda: (printable(assignee().name),))

    def is_hub_of_cloud(self, host: str) -> bool:
        """Whether a host name can only be that of a hub in this cloud."""
        suffix = HUB_SUFFIXES.get(self.cloud)
        return suffix is not None and host.lower().endswith(suffix) and HOST_NAME.fullmatch(host) is not None


def az_login(cli_ctx: Any) -> AzLogin:
    """The login of this az command, with its --subscription."""
    login = AzLogin(
        cloud=cli_ctx.cloud.name,
        endpoint=lambda: str(cli_ctx.cloud.endpoints.resource_manager),
        subscription=lambda: _profile(cli_ctx).get_subscription_id(_typed_subscription(cli_ctx)),
        send=lambda method, url: _send(cli_ctx, method, url),
        fetch=lambda audience: _fetch(cli_ctx, audience),
        user=lambda: _profile(cli_ctx).get_subscription(_typed_subscription(cli_ctx)).get("user") or {},
    )
    login.tell_who()
    return login


def _profile(cli_ctx: Any) -> Any:
    from azure.cli.core._profile import Profile

    return Profile(cli_ctx=cli_ctx)


def _typed_subscription(cli_ctx: Any) -> str | None:
    typed: str | None = cli_ctx.data.get("subscription_id")
    return typed


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
    """Keeps ~/.netrc out of the requests that az makes, to Resource Manager and to sign in.

    `requests` would send a password from there, to whatever host, in place of az's own header. The only setting for it
    is this environment variable of the process, so one thread at a time changes it.
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
    """Masks keys in the responses that az writes to its --debug log and its log file."""

    def mask(record: logging.LogRecord) -> bool:
        record.msg, record.args = masked(record.getMessage()), None
        return True

    log = logging.getLogger("cli.azure.cli.core.util")
    log.addFilter(mask)
    try:
        yield
    finally:
        log.removeFilter(mask)
