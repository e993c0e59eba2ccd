"""The hub arguments -> HubTarget and credential -> HubClient.

What was typed wins over the environment, and the environment over az's configuration. Naming two different hubs is an
error. The name of a local hub is never looked up in Azure: it is one that is known here, or else that of the
environment's connection string.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.cli.hub_access.passed_login import ENVIRONMENT_VARIABLE, with_passed
from azext_iotjobs.cli.hub_access.policy_rights import ALL_RIGHTS, NO_RIGHTS, REGISTRY_WRITE, Rights
from azext_iotjobs.clients.hub import HubClient, KnownTier
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, NotFound
from azext_iotjobs.model.host_names import is_loopback, is_name_of, names_that_follow
from azext_iotjobs.model.target import HTTPS_PORT, HubTarget

if TYPE_CHECKING:
    from azext_iotjobs.cli.hub_access.arm_hub import EventsEndpoint
    from azext_iotjobs.cli.hub_access.az_login import AzLogin
    from azext_iotjobs.model.connection_string import ConnectionString
    from azext_iotjobs.model.entra import ServiceCredential

logger = get_logger(__name__)

CONFIGURED_AUTH = "iothub-data-auth-type"  # az configure --defaults iothub-data-auth-type=login
HOW_TO_NAME_A_HUB = (
    "Give -n with a hub's name (az login first), -n localhost for a running local hub, --login with a connection "
    f"string, or set {ENVIRONMENT_VARIABLE}."
)


class HubArguments(NamedTuple):
    """The hub arguments as typed; None for those that were not given."""

    hub: str | None
    login: str | None
    group: str | None
    auth: str | None


class ResolveContext(NamedTuple):
    """What else decides which hub is used and how to sign in."""

    from_environment: str | None  # a connection string
    configured_auth: str | None  # from az's configuration; not checked
    azure: "Callable[[], AzLogin]"  # called only when it is needed: it loads slowly
    needed: Rights = ALL_RIGHTS  # rights that a policy must have, where one is chosen


class ChosenHub(NamedTuple):
    """The hub to use, the credential for it, and whether the hub was typed."""

    target: HubTarget
    credential: "ServiceCredential"
    was_typed: bool = True
    tier: KnownTier | None = None  # None: not known
    events: "EventsEndpoint | None" = None  # None: not known
    needed: Rights = NO_RIGHTS  # what the command needs in all, for advice on a request that is refused


def hub_arguments(command_args: dict[str, Any]) -> HubArguments:
    """Take the hub arguments out of `command_args`."""
    return HubArguments(
        hub=trimmed(command_args.pop("our_hub_name", None)),
        login=trimmed(with_passed({"our_login": command_args.pop("our_login", None)}).get("our_login")),
        group=trimmed(command_args.pop("resource_group", None)),
        auth=command_args.pop("auth_type", None),
    )


def open_client(cli_ctx: Any, command_args: dict[str, Any], *, changes: bool, needed: Rights = ALL_RIGHTS) -> HubClient:
    """Take the hub arguments out of `command_args` and open a client of the hub that they name.

    changes: whether the command changes something on the hub; if so, a hub that was not typed is named on stderr.
    needed: rights that a policy must have, where one is chosen.
    Raises UserError when no hub or two hubs were given, HubAnswer when Azure knows no such hub, and az's own errors
    when its login is used.
    """
    return client_of(hub_of(cli_ctx, command_args, changes=changes, needed=needed))


def hub_of(cli_ctx: Any, command_args: dict[str, Any], *, changes: bool, needed: Rights = ALL_RIGHTS) -> ChosenHub:
    """The hub without its client; arguments and errors as for `open_client`."""
    typed = hub_arguments(command_args)
    context = ResolveContext(
        from_environment=os.environ.get(ENVIRONMENT_VARIABLE),
        configured_auth=_configured_auth(cli_ctx),
        azure=lambda: _az_login(cli_ctx),
        needed=needed,
    )
    chosen = choose_hub(typed, context)._replace(needed=needed if changes else needed - REGISTRY_WRITE)
    if changes and not chosen.was_typed:
        logger.warning("Hub: %s (from %s)", chosen.target.authority, ENVIRONMENT_VARIABLE)
    return chosen


def client_of(chosen: ChosenHub) -> HubClient:
    """A client of the chosen hub."""
    client = HubClient.open(chosen.target, chosen.credential, SystemClock(), _warn_waiting, chosen.needed)
    client.known_tier = chosen.tier
    return client


def _az_login(cli_ctx: Any) -> "AzLogin":
    from azext_iotjobs.cli.hub_access.az_login import az_login

    return az_login(cli_ctx)


def choose_hub(typed: HubArguments, context: ResolveContext) -> ChosenHub:
    """Decide which hub to use, and with which credential.

    Raises MissingChoice, ConflictingChoice, BadValue or NotFound, each naming the option, and what Azure's look-up
    raises.
    """
    for option, value in (("--login", typed.login), ("--hub-name", typed.hub), ("--resource-group", typed.group)):
        if value == "":
            raise BadValue(f"{option} is empty.", hint=HOW_TO_NAME_A_HUB)
    if typed.login is not None:
        if typed.auth == "login":
            raise ConflictingChoice(
                "--auth-type login and --login with a connection string are two ways to sign in.",
                hint="For Microsoft Entra, give --hub-name in place of --login.",
            )
        return _from_login(typed.login, typed.hub, "--login")
    if typed.hub is not None:
        return _from_name(typed.hub, typed, context)
    if context.from_environment and context.from_environment.strip():
        chosen = _from_login(context.from_environment, None, ENVIRONMENT_VARIABLE)
        if typed.auth == "login":  # use its host, not the key in it
            chosen = _from_name(chosen.target.authority, typed, context)
        return chosen._replace(was_typed=False)
    raise MissingChoice("No hub is named.", hint=HOW_TO_NAME_A_HUB)


def _from_login(text: str, hub: str | None, source: str) -> ChosenHub:
    login = _service_login(text, source)
    if hub is not None and not same_hub(hub, login):
        raise ConflictingChoice(
            f"--hub-name {hub} and {source} (host {login.authority}) name two hubs.", hint="Give only one of them."
        )
    return ChosenHub(target=_target(login), credential=login.credential())


def _from_name(hub: str, typed: HubArguments, context: ResolveContext) -> ChosenHub:
    host, port = running_hubs.split_port(hub)
    if is_loopback(host):
        # az may be configured to sign in with Entra; a local hub ignores that, unless it was typed.
        if typed.auth == "login":
            raise BadValue(
                f"--auth-type login: {hub} is a local hub, which does not support Microsoft Entra.",
                hint="Leave --auth-type out: its key is found automatically.",
            )
        try:
            return _running_here(host, port)
        except NotFound:  # another configuration, user or container may have started it
            if (chosen := _of_environment(hub, context)) is None:
                raise
            return chosen
    if "." not in host and port is not None:
        raise BadValue(f"--hub-name {hub}: a bare name has no port.", hint="Give the name, or the whole host name.")
    chosen = None if typed.auth == "login" else _of_environment(hub, context)
    return chosen or _in_azure(host, HTTPS_PORT if port is None else port, typed, context)


def _of_environment(hub: str, context: ResolveContext) -> ChosenHub | None:
    """The hub of the environment's connection string, if `hub` is its name."""
    if not (context.from_environment and context.from_environment.strip()):
        return None
    login = _service_login(context.from_environment, ENVIRONMENT_VARIABLE)
    return ChosenHub(target=_target(login), credential=login.credential()) if same_hub(hub, login) else None


def _running_here(host: str, port: int | None) -> ChosenHub:
    from azext_iotjobs.model.connection_string import parse_connection_string

    running = running_hubs.pick(https_port=port, host=host)
    key = parse_connection_string(running.connection_string).sas_key()
    return ChosenHub(target=running.target_as(host), credential=key)


def _in_azure(host: str, https_port: int, typed: HubArguments, context: ResolveContext) -> ChosenHub:
    _tell_hub(host, None)
    if (typed.auth or _checked(context.configured_auth)) == "login":
        azure = context.azure()
        if azure.is_hub_of_cloud(host):
            target = HubTarget.named(host, https_port)
        else:
            # A token opens all hubs of the user: send it only to a name that is certainly a hub's, or that Azure gave.
            found = azure.resource_manager().find(host, typed.group)
            _tell_hub(found.name, found.path)
            target = found.target(https_port)
        return ChosenHub(target=target, credential=azure.entra())
    manager = context.azure().resource_manager()
    found = manager.find(host, typed.group)
    _tell_hub(found.name, found.path)
    return ChosenHub(
        target=found.target(https_port),
        credential=manager.key(found, context.needed),
        tier=found.tier,
        events=found.events,
    )


def _tell_hub(host: str, resource_id: str | None) -> None:
    """Let hints name a hub in Azure as its Resource Manager does.

    host: one of its names.  resource_id: None: not known; whoever types a command with it lets az look it up.
    """
    import shlex  # here: of hubs in Azure alone

    from azext_iotjobs.cli.output.hints import know
    from azext_iotjobs.clients.access_advice import HUB_ID, HUB_NAME
    from azext_iotjobs.model.text import Shell

    name = (names_that_follow(host).classic or host).partition(".")[0]
    look_up = Shell(f'"$(az iot hub show -n {shlex.quote(name)} --query id -o tsv)"')
    know(HUB_NAME, lambda: (name,))
    know(HUB_ID, lambda: (resource_id or look_up,))


def _configured_auth(cli_ctx: Any) -> str | None:
    """The value of `az configure --defaults`; az applies those to arguments of handlers only, which this is not."""
    from azure.cli.core.util import ScopedConfig

    with ScopedConfig(cli_ctx.config, use_local_config=True):
        return cli_ctx.config.get("defaults", CONFIGURED_AUTH, fallback=None) or None


def _checked(configured: str | None) -> str | None:
    if configured not in (None, "key", "login"):
        raise BadValue(
            f"az is configured with {CONFIGURED_AUTH}={configured}; it must be key or login.",
            hint=f"az configure --defaults {CONFIGURED_AUTH}=login, or ='' for none.",
        )
    return configured


def _service_login(text: str, source: str) -> "ConnectionString":
    from azext_iotjobs.model.connection_string import parse_connection_string  # here, so that others start without

    login = parse_connection_string(text)
    has_key = login.policy is not None and login.key is not None
    if login.device_id is not None or not (has_key or login.token is not None):
        raise BadValue(
            f"{source}: this is not a hub's connection string.",
            hint="It must contain HostName, SharedAccessKeyName and SharedAccessKey, or HostName and "
            "SharedAccessSignature (a policy's, not a device's).",
        )
    return login


def _target(login: "ConnectionString") -> HubTarget:
    """The target of a connection string; for a running local hub with the ports and the CA in its state file."""
    local = running_hubs.local_login(login.host, login.https_port) if is_loopback(login.host) else None
    return local.target(login.host) if local else HubTarget.named(login.host, login.https_port)


def same_hub(name: str, login: "ConnectionString") -> bool:
    """Whether a typed name, with or without a port, is that of a connection string's hub."""
    host, port = running_hubs.split_port(name)
    return is_name_of(host, login.host) and port in (None, login.https_port)


def trimmed(value: str | None) -> str | None:
    """Trimmed, but not dropped when empty: an empty option is refused later, not taken for one that was not given."""
    return None if value is None else value.strip()


def _warn_waiting(reason: str, pause_s: float, remaining_s: float) -> None:
    from azext_iotjobs.cli.output.status_line import StatusLine  # here: few commands ever wait

    StatusLine.clear_any()
    logger.warning("%s Waiting %.0f s; giving up in %.0f s.", reason, pause_s, remaining_s)
