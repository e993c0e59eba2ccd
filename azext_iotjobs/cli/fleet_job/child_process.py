"""Commands of this extension in processes of their own, for the same hub and state folder."""

import os
import sys
from collections.abc import Sequence

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.hub_access.passed_login import environment_with

TYPED = {
    "our_hub_name": "--hub-name",
    "resource_group": "--resource-group",
    "auth_type": "--auth-type",
}


def az_command(context: FleetJobContext, words: Sequence[str]) -> list[str]:
    """The command line of az with these words, and with what was typed of the hub and the store.

    A connection string that was typed is not among it: others would see it. It goes by `environment_of`.
    """
    folder = context.folder
    options = [] if folder is None else ["--state-dir", os.path.abspath(folder)]
    options += [] if context.team is None else context.team.options()
    if context.subscription is not None:
        options += ["--subscription", context.subscription]
    return [sys.executable, "-m", "azure.cli", *words, *typed_options(context), *options]


def typed_options(context: FleetJobContext) -> list[str]:
    """What was typed of the hub, but for a connection string, as words of a command line."""
    typed = {name: context.typed(dest) for dest, name in TYPED.items()}
    return [word for name, value in typed.items() if value is not None for word in (name, value)]


def environment_of(context: FleetJobContext) -> dict[str, str]:
    """The environment of such a process, which uses the connection string that was typed as if it was typed there."""
    return environment_with(context.typed("our_login"))
