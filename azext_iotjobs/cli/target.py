"""The hub arguments -> HubTarget and credential -> HubClient.

What was typed wins; the environment is asked only when nothing was. Two that name different hubs are an error.
"""

import os
from dataclasses import dataclass
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli import running_hubs
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.target import ConnectionString, HubTarget, SasKey, is_loopback, parse_connection_string

logger = get_logger(__name__)

ENVIRONMENT_VARIABLE = "IOTJOBS_CONNECTION_STRING"
HOW_TO_NAME_A_HUB = (
    "Give --login with the hub's connection string, -n localhost for a running local hub, or set "
    f"{ENVIRONMENT_VARIABLE}."
)


@dataclass(frozen=True, kw_only=True)
class HubArguments:
    """What was typed about the hub; None where nothing was."""

    hub: str | None
    login: str | None
    group: str | None
    auth: str | None


@dataclass(frozen=True, kw_only=True)
class ChosenHub:
    """Where to go, with what, and whether a person typed it."""

    target: HubTarget
    credential: SasKey
    was_typed: bool


def open_client(_cli_ctx: Any, command_args: dict[str, Any], *, changes: bool) -> HubClient:
    """Take the hub arguments out of `command_args` and give the client that they mean.

    changes: the command changes something on the hub; then a hub that was not typed is named on stderr.
    Raises UserError when no hub, two hubs, or a way in that this version does not know was given.
    """
    typed = HubArguments(
        hub=_text(command_args.pop("hub", None)),
        login=_text(command_args.pop("hub_login", None)),
        group=_text(command_args.pop("hub_group", None)),
        auth=command_args.pop("hub_auth", None),
    )
    chosen = choose_hub(typed, os.environ.get(ENVIRONMENT_VARIABLE))
    if changes and not chosen.was_typed:
        logger.warning("Hub: %s (from %s)", chosen.target.authority, ENVIRONMENT_VARIABLE)
    return HubClient.open(chosen.target, chosen.credential, SystemClock(), on_wait=_say_waiting)


def choose_hub(typed: HubArguments, from_environment: str | None) -> ChosenHub:
    """Decide which hub is meant.

    from_environment: a connection string, or None.
    Raises MissingChoice, ConflictingChoice, BadValue or NotFound, each naming the option.
    """
    if typed.auth == "login":
        raise BadValue(
            "--auth-type login: signing in with Microsoft Entra is not in this version.",
            hint="Use --auth-type key with --login, the hub's connection string.",
        )
    for option, value in (("--login", typed.login), ("--hub-name", typed.hub)):
        if value == "":
            raise BadValue(f"{option} is empty.", hint=HOW_TO_NAME_A_HUB)
    if typed.login is not None:
        return _from_login(typed.login, typed.hub, "--login")
    if typed.hub is not None:
        return _from_name(typed.hub, from_environment)
    if from_environment and from_environment.strip():
        chosen = _from_login(from_environment, None, ENVIRONMENT_VARIABLE)
        return ChosenHub(target=chosen.target, credential=chosen.credential, was_typed=False)
    raise MissingChoice("No hub is named.", hint=HOW_TO_NAME_A_HUB)


def _from_login(text: str, hub: str | None, source: str) -> ChosenHub:
    login = _service_login(text, source)
    if hub is not None and not _same_hub(hub, login):
        raise ConflictingChoice(
            f"--hub-name {hub} and {source} (host {login.authority}) name two hubs.", hint="Give only one of them."
        )
    return ChosenHub(target=_target(login), credential=login.sas_key(), was_typed=True)


def _from_name(hub: str, from_environment: str | None) -> ChosenHub:
    host, port = running_hubs.split_port(hub)
    if is_loopback(host):
        login = parse_connection_string(running_hubs.pick(https_port=port, host=host).connection_string)
        return ChosenHub(target=_target(login), credential=login.sas_key(), was_typed=True)
    if "." not in host:
        raise BadValue(
            f"--hub-name {hub}: looking a hub up by its bare name is not in this version.",
            hint="Give --login with the hub's connection string.",
        )
    if from_environment and from_environment.strip():
        login = _service_login(from_environment, ENVIRONMENT_VARIABLE)
        if _same_hub(hub, login):
            return ChosenHub(target=_target(login), credential=login.sas_key(), was_typed=True)
    raise MissingChoice(
        f"--hub-name {hub}: no key for this hub was given, and looking one up in Azure is not in this version.",
        hint=f"Give --login with its connection string, or set {ENVIRONMENT_VARIABLE} to it.",
    )


def _service_login(text: str, source: str) -> ConnectionString:
    login = parse_connection_string(text)
    if login.device_id is not None or login.policy is None or login.key is None:
        raise BadValue(
            f"{source}: this is not a hub's connection string.",
            hint="It must hold HostName, SharedAccessKeyName and SharedAccessKey (a policy's, not a device's).",
        )
    return login


def _target(login: ConnectionString) -> HubTarget:
    """The target of a connection string; a running local hub's ports and CA come from its state file."""
    local = running_hubs.local_login(login.host, login.https_port) if is_loopback(login.host) else None
    return local.target(login.host) if local else HubTarget(host=login.host, https_port=login.https_port)


def _same_hub(name: str, login: ConnectionString) -> bool:
    host, port = running_hubs.split_port(name)
    asked, given = host.lower(), login.host.lower()
    # A bare name means the hub whose host name begins with it, whatever the cloud's suffix.
    same_host = asked == given or ("." not in asked and asked == given.split(".")[0])
    return same_host and port in (None, login.https_port)


def _text(value: str | None) -> str | None:
    """An option that was given but empty is an error later on, not "not given": keep it, trimmed."""
    return None if value is None else value.strip()


def _say_waiting(reason: str, pause_s: float, remaining_s: float) -> None:
    logger.warning("%s Waiting %.0f s; giving up in %.0f s.", reason, pause_s, remaining_s)
