"""Handlers of az iot hub connection-string show and generate-sas-token: they print secrets, on purpose."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.policies import HubPolicy, TypedHub, policies_in_azure, policies_of_hub, the_policy
from azext_iotjobs.cli.identity.authentication import key_of
from azext_iotjobs.cli.identity.host_name_type import AUTO, host_for, named_as
from azext_iotjobs.cli.identity.unreadable import say_if_split, say_if_unreadable
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.clients.answer import printable
from azext_iotjobs.model.clock import Clock, SystemClock
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, HubAnswer, MissingChoice
from azext_iotjobs.model.host_names import names_that_follow
from azext_iotjobs.model.identity import Identity, SignIn
from azext_iotjobs.model.target import HubTarget, parse_connection_string
from azext_iotjobs.operations.identity.modules import on_device
from azext_iotjobs.transport.auth import identity_resource
from azext_iotjobs.transport.sas import sas_token

logger = get_logger(__name__)

OWNER = "iothubowner"


def show_connection_string(
    client: TypedHub,
    policy: str = OWNER,
    our_key_type: str = "primary",
    every_policy: bool = False,
    for_event_hubs: bool = False,
    our_hostname_type: str = AUTO,
) -> dict[str, Any] | list[dict[str, Any]]:
    """Show the connection string of a hub, or of every hub of the subscription."""

    def shown(policies: Sequence[HubPolicy]) -> str | list[str]:
        if not every_policy:
            return _string(the_policy(policies, policy, OWNER), our_key_type, for_event_hubs, our_hostname_type)
        meant = [each for each in policies if each.serves_services] if for_event_hubs else policies
        return [_string(each, our_key_type, for_event_hubs, our_hostname_type) for each in meant]

    if not client.is_any:
        return {"connectionString": shown(policies_of_hub(client))}
    return list(_of_every_hub(client, shown))


def generate_sas_token(
    client: TypedHub,
    our_device_id: str | None = None,
    our_module_id: str | None = None,
    own_login: str | None = None,
    policy: str = OWNER,
    our_key_type: str = "primary",
    token_life_s: int = 3600,
    our_hostname_type: str = AUTO,
) -> dict[str, str]:
    """Make a shared access signature."""
    at_least(token_life_s, 1, "--duration")
    if our_module_id is not None and our_device_id is None:
        raise MissingChoice("--module-id names a module of which device?", hint="Give --device-id too.")
    if own_login is not None:
        if client.is_typed or our_device_id is not None or policy != OWNER or our_key_type != "primary":
            raise ConflictingChoice(
                "--connection-string says by itself what the token is for and with which key it is made.",
                hint="Leave --hub-name, --login, --device-id, --module-id, --policy-name and --key-type out.",
            )
        return _signed(**_of_string(own_login, our_hostname_type), life_s=token_life_s)
    if our_device_id is not None:
        return _signed(
            **_of_identity(client, our_device_id, our_module_id, our_key_type, our_hostname_type), life_s=token_life_s
        )
    found = the_policy(policies_of_hub(client), policy, OWNER)
    resource = _resource_host(client, found.target, our_hostname_type, automatic=found.target.host)
    return _signed(resource=resource, key=found.key(our_key_type), policy=found.name, life_s=token_life_s)


def _of_every_hub(client: TypedHub, shown: Callable[[Sequence[HubPolicy]], Any]) -> Iterator[dict[str, Any]]:
    """A row for each hub that Azure shows; those that have no such string are named on stderr, with the reason."""
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


def _string(policy: HubPolicy, which_key: str, for_event_hubs: bool, host_kind: str) -> str:
    if for_event_hubs:
        say_if_split({"SharedAccessKeyName": policy.name})
        return policy.events_string(which_key)
    # As the reference has it: whoever is given this string may be a device, and every service of ours maps the name.
    host = host_for(policy.target, host_kind, automatic=policy.target.for_devices.host)
    text = policy.connection_string(which_key, host)
    say_if_unreadable(text, {"SharedAccessKeyName": policy.name})
    return text


def _resource_host(client: TypedHub, target: HubTarget, host_kind: str, *, automatic: str) -> str:
    """Which host a token is for: with --login the one that is in it, unless another kind is asked for."""
    typed = None if client.login is None else parse_connection_string(client.login).host
    return host_for(target, host_kind, automatic=typed or automatic)


def _of_string(text: str, host_kind: str) -> dict[str, Any]:
    login = parse_connection_string(text)
    if login.key is None:
        raise BadValue(
            "--connection-string holds no SharedAccessKey, so nothing can be signed with it.",
            hint="Whoever signs in with a certificate or a token has no key to make tokens with.",
        )
    if login.device_id is None and login.policy is None:
        raise BadValue("--connection-string names neither a policy (SharedAccessKeyName) nor a device (DeviceId).")
    host = login.host if host_kind == AUTO else named_as(names_that_follow(login.host), host_kind)
    resource = identity_resource(host, login.device_id, login.module_id)
    return {"resource": resource, "key": login.key, "policy": login.policy}


def _of_identity(
    client: TypedHub, device: str, module: str | None, which_key: str, host_kind: str
) -> dict[str, Any]:  # fmt: skip
    hub = client.open()
    found: Identity = on_device(hub, device, lambda: hub.identities.get(device, module))
    if found.sign_in != SignIn.SAS.value:
        raise BadValue(
            f"The {found.address} signs in by {found.sign_in}, not with a key: there are no tokens for it.",
        )
    host = _resource_host(client, hub.target, host_kind, automatic=hub.target.for_devices.host)
    resource = identity_resource(host, device, module)
    return {"resource": resource, "key": key_of(found, which_key), "policy": None}


def _signed(
    *, resource: str, key: str, policy: str | None, life_s: int, clock: Clock | None = None
) -> dict[str, str]:  # fmt: skip
    now = (clock or SystemClock()).now()
    token = sas_token(resource=resource, key=key, expires_at=int(now.timestamp()) + life_s, policy=policy)
    return {"sas": token}
