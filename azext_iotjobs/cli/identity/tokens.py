"""Handlers of az iot hub connection-string show and generate-sas-token, which print secrets on purpose."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.arm_hub import OWNER
from azext_iotjobs.cli.hub_access.policies import (
    HubPolicy,
    UnresolvedHub,
    policies_in_azure,
    policies_of_hub,
    policy_named,
)
from azext_iotjobs.cli.identity.connection_strings import (
    AUTO,
    host_for,
    key_of,
    name_of_type,
    warn_if_split,
    warn_if_unreadable,
)
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, HubAnswer, MissingChoice
from azext_iotjobs.model.host_names import names_that_follow
from azext_iotjobs.model.identity import Identity, SignIn
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.text import printable
from azext_iotjobs.operations.identity.modules import on_device
from azext_iotjobs.transport.auth import identity_resource, sas_token

logger = get_logger(__name__)


class _KeyChoice(NamedTuple):
    """Which key to use, and under which of its hub's names."""

    key_type: str  # primary or secondary
    hostname_type: str


def show_connection_string(
    client: UnresolvedHub,
    our_policy_name: str = OWNER,
    our_key_type: str = "primary",
    our_show_all: bool = False,
    our_default_eventhub: bool = False,
    our_hostname_type: str = AUTO,
) -> dict[str, Any] | list[dict[str, Any]]:
    """Show the connection string of a hub, or of every hub of the subscription."""
    choice = _KeyChoice(our_key_type, our_hostname_type)
    string_of = _event_hub_string if our_default_eventhub else _hub_string

    def shown(policies: Sequence[HubPolicy]) -> str | list[str]:
        if not our_show_all:
            return string_of(policy_named(policies, our_policy_name, OWNER), choice)
        usable = [each for each in policies if each.serves_services] if our_default_eventhub else policies
        return [string_of(each, choice) for each in usable]

    if not client.is_any:
        return {"connectionString": shown(policies_of_hub(client))}
    return list(_of_every_hub(client, shown))


def generate_sas_token(
    client: UnresolvedHub,
    our_device_id: str | None = None,
    our_module_id: str | None = None,
    our_connection_string: str | None = None,
    our_policy_name: str = OWNER,
    our_key_type: str = "primary",
    our_duration: int = 3600,
    our_hostname_type: str = AUTO,
) -> dict[str, str]:
    """Make a shared access signature."""
    at_least(our_duration, 1, "--duration")
    if our_module_id is not None and our_device_id is None:
        raise MissingChoice("--module-id without the id of its device.", hint="Give --device-id too.")
    choice = _KeyChoice(our_key_type, our_hostname_type)
    if our_connection_string is not None:
        if client.is_typed or our_device_id is not None or (our_policy_name, our_key_type) != (OWNER, "primary"):
            raise ConflictingChoice(
                "--connection-string already says what the token is for and with which key it is made.",
                hint="Leave --hub-name, --login, --device-id, --module-id, --policy-name and --key-type out.",
            )
        return _signed(_of_string(our_connection_string, our_hostname_type), our_duration)
    if our_device_id is not None:
        return _signed(_of_identity(client, our_device_id, our_module_id, choice), our_duration)
    found = policy_named(policies_of_hub(client), our_policy_name, OWNER)
    resource = _resource_host(client, found.target, our_hostname_type, automatic=found.target.host)
    return _signed(_Scope(resource, found.key(our_key_type), found.name), our_duration)


@dataclass(frozen=True)
class _Scope:
    """What a token is for, and the key that signs it."""

    resource: str
    key: str = field(repr=False)
    policy: str | None = None  # None: the key is a device's or module's own


def _of_every_hub(client: UnresolvedHub, shown: Callable[[Sequence[HubPolicy]], Any]) -> Iterator[dict[str, Any]]:
    """A row for each hub that Azure lists. Hubs without such a string are named on stderr, with the reason."""
    manager = client.azure.resource_manager()
    for hub in manager.hubs(client.group):
        if not hub.host_name:
            logger.warning("Hub %s is left out: it has no host name; its state is %s.", printable(hub.name), hub.state)
            continue
        try:
            strings = shown(list(policies_in_azure(manager, hub)))
        except (BadValue, HubAnswer) as err:
            logger.warning("Hub %s is left out: %s", printable(hub.name), err)
            continue
        yield {"name": hub.name, "connectionString": strings}


def _event_hub_string(policy: HubPolicy, choice: _KeyChoice) -> str:
    warn_if_split({"SharedAccessKeyName": policy.name})
    return policy.events_string(choice.key_type)


def _hub_string(policy: HubPolicy, choice: _KeyChoice) -> str:
    # The name for devices, as in azure-iot: the string may be meant for a device, and our services find their own name.
    host = host_for(policy.target, choice.hostname_type, automatic=policy.target.for_devices.host)
    text = policy.connection_string(choice.key_type, host)
    warn_if_unreadable(text, {"SharedAccessKeyName": policy.name})
    return text


def _resource_host(client: UnresolvedHub, target: HubTarget, hostname_type: str, *, automatic: str) -> str:
    """The host that a token is for: by default that of --login, else `automatic`."""
    typed = None if client.login is None else parse_connection_string(client.login).host
    return host_for(target, hostname_type, automatic=typed or automatic)


def _of_string(text: str, hostname_type: str) -> _Scope:
    login = parse_connection_string(text)
    if login.key is None:
        raise BadValue(
            "--connection-string has no SharedAccessKey, so it cannot sign a token.",
            hint="With a certificate or a finished token there is no key to make tokens with.",
        )
    if login.device_id is None and login.policy is None:
        raise BadValue("--connection-string names neither a policy (SharedAccessKeyName) nor a device (DeviceId).")
    is_auto = hostname_type == AUTO
    host = login.host if is_auto else name_of_type(names_that_follow(login.host), hostname_type)
    return _Scope(identity_resource(host, login.device_id, login.module_id), login.key, login.policy)


def _of_identity(client: UnresolvedHub, device_id: str, module_id: str | None, choice: _KeyChoice) -> _Scope:
    hub = client.open()
    found: Identity = on_device(hub, device_id, lambda: hub.identities.get(device_id, module_id))
    if found.sign_in != SignIn.SAS.value:
        raise BadValue(f"The {found.address} signs in by {found.sign_in}, not with a key: there are no tokens for it.")
    host = _resource_host(client, hub.target, choice.hostname_type, automatic=hub.target.for_devices.host)
    return _Scope(identity_resource(host, device_id, module_id), key_of(found, choice.key_type))


def _signed(scope: _Scope, life_s: int) -> dict[str, str]:
    expires_at = int(SystemClock().now().timestamp()) + life_s
    return {"sas": sas_token(resource=scope.resource, key=scope.key, expires_at=expires_at, policy=scope.policy)}
