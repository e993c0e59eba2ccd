"""The hub arguments -> keys of shared access policies, for the commands that show them or sign with them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.cli import running_hubs
from azext_iotjobs.cli.target import ENVIRONMENT_VARIABLE, open_client
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, NotFound
from azext_iotjobs.model.target import HubTarget, is_loopback, parse_connection_string

HUB_ARGUMENTS = ("hub", "hub_login", "hub_group", "hub_auth")


class TypedHub:
    """The hub arguments as they were typed. Which hub they mean is decided when somebody asks."""

    def __init__(self, cli_ctx: Any, arguments: dict[str, Any]) -> None:
        self._cli_ctx = cli_ctx
        self._arguments = arguments
        self.name = _trimmed(arguments.get("hub"))
        self.login = _trimmed(arguments.get("hub_login"))

    @property
    def is_typed(self) -> bool:
        """Whether a hub was named, or a group to find it in."""
        return any(self._arguments.get(name) is not None for name in HUB_ARGUMENTS if name != "hub_auth")

    def open(self) -> HubClient:
        """The client that every other command gets for these arguments."""
        return open_client(self._cli_ctx, dict(self._arguments), changes=False)


@dataclass(frozen=True, kw_only=True)
class PolicyKey:
    """A shared access policy of a hub, with its keys."""

    target: HubTarget
    policy: str
    primary: str = field(repr=False)  # base64
    secondary: str | None = field(repr=False)  # None: not known, or there is but one

    def key(self, which_key: str) -> str:
        """Its primary or secondary key. Raises BadValue when that is not known."""
        key = self.primary if which_key == "primary" else self.secondary
        if key is None:
            why = "a local hub's policies have one key" if self.target.is_local else "only the key of --login is known"
            raise BadValue(f"--key-type secondary: {why}.", hint="Leave --key-type out.")
        return key

    def connection_string(self, which_key: str) -> str:
        """What a service signs in with."""
        start = f"HostName={self.target.authority};SharedAccessKeyName={self.policy}"
        return f"{start};SharedAccessKey={self.key(which_key)}"


def typed_hub(cli_ctx: Any, command_args: dict[str, Any]) -> TypedHub:
    """Take the hub arguments out of `command_args`: a client factory."""
    return TypedHub(cli_ctx, {name: command_args.pop(name, None) for name in HUB_ARGUMENTS})


def policy_keys(typed: TypedHub) -> list[PolicyKey]:
    """The policies of a hub whose keys are known here: all of a local hub's, or the one of a connection string.

    Raises UserError or NotFound when no hub or two are meant, or one whose keys are not known here.
    """
    target = typed.open().target  # decides, and words what is wrong
    login = typed.login
    if login is None and (typed.name is None or not is_loopback(target.host)):
        login = os.environ.get(ENVIRONMENT_VARIABLE)
    if login is None:
        hub = running_hubs.local_login(target.host, target.https_port)
        if hub is None:
            raise NotFound(f"No local hub answers at {target.authority} now.")
        return [
            PolicyKey(target=target, policy=name, primary=key, secondary=None)
            for name, key in hub.policy_keys().items()
        ]
    key = parse_connection_string(login).sas_key()
    return [PolicyKey(target=target, policy=key.policy, primary=key.key, secondary=None)]


def the_policy(typed: TypedHub, policies: Sequence[PolicyKey], name: str, default: str) -> PolicyKey:
    """The policy with a name, in any case. With a connection string it is that string's, and no other can be named.

    Raises ConflictingChoice, BadValue.
    """
    found = next((each for each in policies if each.policy.lower() == name.lower()), None)
    if found is not None:
        return found
    if not policies:
        raise MissingChoice("The hub has no shared access policy.")
    if len(policies) == 1 and name == default:
        return policies[0]  # nobody named one
    known = ", ".join(each.policy for each in policies)
    if typed.login is not None:
        raise ConflictingChoice(f"--policy-name {name}: the connection string of --login is that of {known}.")
    raise BadValue(f"--policy-name {name}: known are {known}.")


def _trimmed(text: str | None) -> str | None:
    return None if text is None else text.strip()
