"""The hub arguments -> keys of shared access policies, for the commands that show them or sign with them.

Where no hub is named, the environment's connection string counts; without one, all hubs that az's login sees.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any

from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.cli.hub_access.arm import ResourceManager
from azext_iotjobs.cli.hub_access.arm_hub import ArmHub, EventsEndpoint
from azext_iotjobs.cli.hub_access.az_login import AzLogin, az_login
from azext_iotjobs.cli.hub_access.completers import HUB_ARGUMENTS
from azext_iotjobs.cli.hub_access.passed_login import ENVIRONMENT_VARIABLE
from azext_iotjobs.cli.hub_access.resolve import (
    HOW_TO_NAME_A_HUB,
    HubArguments,
    ResolveContext,
    choose_hub,
    open_client,
    same_hub,
    trimmed,
)
from azext_iotjobs.clients.access import POLICIES, SERVICE
from azext_iotjobs.clients.event_codec import parse_event_hub_string
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.errors import BadValue, NotFound
from azext_iotjobs.model.host_names import is_loopback
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import AMQP_PORT, HubTarget, SasKey


class UnresolvedHub:
    """The hub arguments as they were typed; which hub they name is found out when it is needed."""

    def __init__(self, arguments: dict[str, Any], cli_ctx: Any, azure: AzLogin, from_environment: str | None) -> None:
        self._arguments = arguments
        self._cli_ctx = cli_ctx
        self.azure = azure
        self.name = trimmed(arguments.get("our_hub_name"))
        self.login = trimmed(arguments.get("our_login"))
        self.group = trimmed(arguments.get("resource_group"))
        self.from_environment = trimmed(from_environment) or None
        for option, value in (("--hub-name", self.name), ("--login", self.login), ("--resource-group", self.group)):
            if value == "":
                raise BadValue(f"{option} is empty.", hint=HOW_TO_NAME_A_HUB)

    @property
    def is_typed(self) -> bool:
        """Whether a hub was named, or a group to find it in."""
        return not (self.name is None and self.login is None and self.group is None)

    @property
    def is_any(self) -> bool:
        """Whether nothing names a hub: then all hubs of the subscription count, or of the group."""
        return self.name is None and self.login is None and (self.group is not None or self.from_environment is None)

    def context(self) -> ResolveContext:
        """What to resolve these arguments with; az's configured way to sign in does not matter for keys."""
        return ResolveContext(from_environment=self.from_environment, configured_auth=None, azure=lambda: self.azure)

    def open(self) -> HubClient:
        """The client that every other command gets for these arguments."""
        return open_client(self._cli_ctx, dict(self._arguments), changes=False)


@dataclass(frozen=True, kw_only=True)
class HubPolicy:
    """A shared access policy of a hub, with its keys."""

    target: HubTarget
    name: str
    source: str  # where its keys come from, for errors
    primary: str = field(repr=False)  # base64
    secondary: str | None = field(default=None, repr=False)  # None: unknown, or there is only one
    serves_services: bool = True  # has ServiceConnect
    events: EventsEndpoint | None = None

    def key(self, which_key: str) -> str:
        """Its primary or secondary key. Raises BadValue when that is not known."""
        key = self.primary if which_key == "primary" else self.secondary
        if not key:
            raise BadValue(f"--key-type {which_key}: {self.source} has one key for policy {self.name}, the primary.")
        return key

    def connection_string(self, which_key: str, host: str) -> str:
        """The connection string with which a service signs in.

        which_key: primary or secondary.  host: one of the hub's names.  Raises BadValue when that key is not known.
        """
        authority = self.target._replace(host=host).authority
        start = f"HostName={authority};SharedAccessKeyName={self.name}"
        return f"{start};SharedAccessKey={self.key(which_key)}"

    def events_string(self, which_key: str) -> str:
        """The connection string of the hub's Event Hubs endpoint, where devices' messages are read. Raises BadValue."""
        if self.events is None:
            raise BadValue(
                f"--default-eventhub: {self.source} does not say where the hub's Event Hubs endpoint is.",
                hint="Give -n with the hub's name and leave --login out: then it is looked up.",
            )
        if not self.serves_services:
            raise BadValue(f"--default-eventhub: policy {self.name} may not read messages: it lacks ServiceConnect.")
        start = f"Endpoint={self.events.endpoint};SharedAccessKeyName={self.name}"
        return f"{start};SharedAccessKey={self.key(which_key)};EntityPath={self.events.path}"


def unresolved_hub(cli_ctx: Any, command_args: dict[str, Any]) -> UnresolvedHub:
    """Take the hub arguments out of `command_args`, without resolving them."""
    arguments = {name: command_args.pop(name, None) for name in HUB_ARGUMENTS}
    return UnresolvedHub(arguments, cli_ctx, az_login(cli_ctx), os.environ.get(ENVIRONMENT_VARIABLE))


def policies_of_hub(typed: UnresolvedHub) -> list[HubPolicy]:
    """The policies of the hub that the arguments name: the one of a connection string, else all.

    Raises UserError, NotFound, and what Azure's look-up raises.
    """
    if typed.login is None and typed.name is not None:
        host, port = running_hubs.split_port(typed.name)
        if is_loopback(host):
            try:
                return _of_local_hub(running_hubs.pick(https_port=port, host=host), host)
            except NotFound:
                if not _is_environments(typed.name, typed):
                    raise
        elif not _is_environments(typed.name, typed):
            manager = typed.azure.resource_manager()
            return list(policies_in_azure(manager, manager.find(host, typed.group)))
    # auth=None: this command needs a key, also where --auth-type login says how to call the hub.
    arguments = HubArguments(hub=typed.name, login=typed.login, group=typed.group, auth=None)
    chosen = choose_hub(arguments, typed.context())
    source = ENVIRONMENT_VARIABLE if typed.login is None else "--login"
    if not isinstance(chosen.credential, SasKey):
        raise BadValue(f"{source} holds a finished token, not a key.", hint="Nothing can be signed with a token.")
    key = chosen.credential
    return [HubPolicy(target=chosen.target, name=key.policy, source=source, primary=key.key)]


def _is_environments(name: str, typed: UnresolvedHub) -> bool:
    environment = typed.from_environment
    return environment is not None and same_hub(name, parse_connection_string(environment))


def policies_in_azure(manager: ResourceManager, hub: ArmHub) -> Iterator[HubPolicy]:
    """The policies of a hub that was found in Azure."""
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


def policy_named(policies: Sequence[HubPolicy], name: str, default: str) -> HubPolicy:
    """The policy with this name, in any case; the one of a connection string, where no other is named.

    policies: of one hub.  name: as typed, else `default`.  Raises BadValue when there is none.
    """
    found = next((each for each in policies if each.name.lower() == name.lower()), None)
    if found is not None:
        return found
    if len(policies) == 1 and name == default:
        return policies[0]  # nobody named one
    known = ", ".join(each.name for each in policies) or "none"
    source = policies[0].source if policies else "the hub"
    raise BadValue(f"--policy-name {name}: {source} has no such policy; it has: {known}.")


def _of_local_hub(hub: running_hubs.RunningHub, typed: str) -> list[HubPolicy]:
    target, events = hub.target_as(typed), _events_of(hub)
    return [
        HubPolicy(
            target=target,
            name=name,
            source="a local hub",
            primary=key,
            serves_services=SERVICE in POLICIES.get(name, ()),
            events=events,
        )
        for name, key in hub.policy_keys().items()
    ]


def _events_of(hub: running_hubs.RunningHub) -> EventsEndpoint | None:
    """Where a local hub's events are read; None of one that does not say so."""
    string = hub.document.get("eventHubsConnectionString")
    if string is None:
        return None
    found = parse_event_hub_string(str(string))
    endpoint = found.endpoint
    authority = endpoint.host if endpoint.port == AMQP_PORT else endpoint.authority
    return EventsEndpoint(endpoint=f"sb://{authority}/", path=found.name)
