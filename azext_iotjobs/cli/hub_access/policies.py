"""The hub arguments -> keys of shared access policies, for the commands that show them or sign with them.

A hub that was not typed is that of the environment; then az's login is asked, which alone knows all hubs.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.cli.hub_access.arm import ArmHub, EventsEndpoint, ResourceManager
from azext_iotjobs.cli.hub_access.az_login import AzLogin, az_login
from azext_iotjobs.cli.hub_access.resolve import (
    ENVIRONMENT_VARIABLE,
    HOW_TO_NAME_A_HUB,
    HubArguments,
    Surroundings,
    choose_hub,
    open_client,
    same_hub,
)
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.host_names import is_loopback
from azext_iotjobs.model.target import HubTarget, SasKey, parse_connection_string

HUB_ARGUMENTS = ("our_hub_name", "our_login", "resource_group", "auth_type")


class TypedHub:
    """The hub arguments as they were typed. Which hub they mean is decided when somebody asks."""

    def __init__(self, arguments: dict[str, Any], cli_ctx: Any, azure: AzLogin, from_environment: str | None) -> None:
        self._arguments = arguments
        self._cli_ctx = cli_ctx
        self.azure = azure
        self.name = _trimmed(arguments.get("our_hub_name"))
        self.login = _trimmed(arguments.get("our_login"))
        self.group = _trimmed(arguments.get("resource_group"))
        self.from_environment = _trimmed(from_environment) or None
        for option, value in (("--hub-name", self.name), ("--login", self.login), ("--resource-group", self.group)):
            if value == "":
                raise BadValue(f"{option} is empty.", hint=HOW_TO_NAME_A_HUB)

    @property
    def is_typed(self) -> bool:
        """Whether a hub was named, or a group to find it in."""
        return not (self.name is None and self.login is None and self.group is None)

    @property
    def is_any(self) -> bool:
        """Whether nothing says which hub: all of the subscription are meant, or of the group."""
        return self.name is None and self.login is None and (self.group is not None or self.from_environment is None)

    def context(self) -> Surroundings:
        """What else says which hub is meant; az's configuration says nothing about keys."""
        return Surroundings(from_environment=self.from_environment, configured_auth=None, azure=lambda: self.azure)

    def open(self) -> HubClient:
        """The client that every other command gets for these arguments."""
        return open_client(self._cli_ctx, dict(self._arguments), changes=False)


@dataclass(frozen=True, kw_only=True)
class HubPolicy:
    """A shared access policy of a hub, with its keys."""

    target: HubTarget
    name: str
    source: str  # what its keys are known from, for errors
    primary: str = field(repr=False)  # base64
    secondary: str | None = field(default=None, repr=False)  # None: not known, or there is but one
    serves_services: bool = True  # has ServiceConnect
    events: EventsEndpoint | None = None

    def key(self, which_key: str) -> str:
        """Its primary or secondary key. Raises BadValue when that is not known."""
        key = self.primary if which_key == "primary" else self.secondary
        if not key:
            raise BadValue(f"--key-type {which_key}: {self.source} has one key for policy {self.name}, the primary.")
        return key

    def connection_string(self, which_key: str, host: str) -> str:
        """What a service signs in with.

        host: one of the hub's names.
        """
        authority = self.target._replace(host=host).authority
        start = f"HostName={authority};SharedAccessKeyName={self.name}"
        return f"{start};SharedAccessKey={self.key(which_key)}"

    def events_string(self, which_key: str) -> str:
        """What a service reads devices' messages with, from the hub's Event Hubs endpoint. Raises BadValue."""
        if self.events is None:
            raise BadValue(
                f"--default-eventhub: {self.source} does not say where the hub's Event Hubs endpoint is.",
                hint="Give -n with the hub's name and leave --login out: Azure is asked then. What devices send to a "
                "local hub: az iot local-hub events",
            )
        if not self.serves_services:
            raise BadValue(f"--default-eventhub: policy {self.name} may not read messages: it lacks ServiceConnect.")
        start = f"Endpoint={self.events.endpoint};SharedAccessKeyName={self.name}"
        return f"{start};SharedAccessKey={self.key(which_key)};EntityPath={self.events.path}"


def typed_hub(cli_ctx: Any, command_args: dict[str, Any]) -> TypedHub:
    """Take the hub arguments out of `command_args`: a client factory."""
    arguments = {name: command_args.pop(name, None) for name in HUB_ARGUMENTS}
    return TypedHub(arguments, cli_ctx, az_login(cli_ctx), os.environ.get(ENVIRONMENT_VARIABLE))


def policies_of_hub(typed: TypedHub) -> list[HubPolicy]:
    """The policies of the hub that is meant whose keys can be known: one where there is a connection string, else all.

    Raises UserError, NotFound, and what Azure's look-up raises.
    """
    if typed.login is None and typed.name is not None:
        host, port = running_hubs.split_port(typed.name)
        if is_loopback(host):
            return _of_local_hub(running_hubs.pick(https_port=port, host=host), host)
        environment = typed.from_environment
        if environment is None or not same_hub(typed.name, parse_connection_string(environment)):
            manager = typed.azure.resource_manager()
            return list(policies_in_azure(manager, manager.find(host, typed.group)))
    # It is a key that is wanted, also where --auth-type login says how to ask the hub for other things.
    arguments = HubArguments(hub=typed.name, login=typed.login, group=typed.group, auth=None)
    chosen = choose_hub(arguments, typed.context())
    source = ENVIRONMENT_VARIABLE if typed.login is None else "--login"
    if not isinstance(chosen.credential, SasKey):
        raise BadValue(f"{source} holds a finished token, not a key.", hint="Nothing can be signed with it.")
    key = chosen.credential
    return [HubPolicy(target=chosen.target, name=key.policy, source=source, primary=key.key)]


def policies_in_azure(manager: ResourceManager, hub: ArmHub) -> Iterator[HubPolicy]:
    """The policies of a hub that Azure has found."""
    for policy in manager.policies(hub):
        yield HubPolicy(
            target=hub.target(),
            name=policy.name,
            source=f"hub {hub.name}",
            primary=policy.primary,
            secondary=policy.secondary,
            serves_services="ServiceConnect" in policy.rights,
            events=hub.events,
        )


def the_policy(policies: Sequence[HubPolicy], name: str, default: str) -> HubPolicy:
    """The policy with a name, in any case. Of a connection string it is that string's, where no other is named.

    Raises BadValue.
    """
    found = next((each for each in policies if each.name.lower() == name.lower()), None)
    if found is not None:
        return found
    if len(policies) == 1 and name == default:
        return policies[0]  # nobody named one
    known = ", ".join(each.name for each in policies) or "none"
    source = policies[0].source if policies else "the hub"
    raise BadValue(f"--policy-name {name}: {source} has no such policy, but {known}.")


def _of_local_hub(hub: running_hubs.RunningHub, typed: str) -> list[HubPolicy]:
    target = hub.target_as(typed)
    return [
        HubPolicy(target=target, name=name, source="a local hub", primary=key)
        for name, key in hub.policy_keys().items()
    ]  # fmt: skip


def _trimmed(text: str | None) -> str | None:
    return None if text is None else text.strip()
