"""The store of fleet jobs, and the hub: both are opened when a handler needs them.

A fleet job knows its hub: where none is typed, it is that one. Commands that only read need no hub; one that is typed
must be the fleet job's, or selects those of that hub.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knack.log import get_logger

from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.cli.hub_access.completers import HUB_ARGUMENTS
from azext_iotjobs.cli.hub_access.passed_login import with_passed
from azext_iotjobs.cli.hub_access.policy_rights import ALL_RIGHTS, Rights
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.fleet_job import FleetJob
from azext_iotjobs.model.host_names import canonical_authority, is_loopback, is_name_of
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.model.tier import TierFacts

if TYPE_CHECKING:  # commands that only read start without what opens a hub
    from azext_iotjobs.cli.fleet_job.team_store import TeamStore
    from azext_iotjobs.clients.hub import HubClient
    from azext_iotjobs.fleet_job.store.sql.store import SqlStore

logger = get_logger(__name__)

STORE_OPTIONS = ("store", "store_auth", "store_password_file")
FOLDER = "fleet-jobs"  # beside the state files of local hubs


class FleetJobContext:
    """The state folder and the hub arguments, as they were typed.

    Handlers call it `client`: az takes every other name for an option.
    """

    def __init__(
        self,
        cli_ctx: Any,
        arguments: dict[str, Any],
        folder: str | None,
        tier: TierFacts | None,
        access: Access = Access.MAKE,
        rights: Rights = ALL_RIGHTS,
        team: "TeamStore | None" = None,
    ) -> None:
        """tier: as it was typed; None: what is known of the hub counts.  access: what the store is opened for.

        team: the store on a server that fleet jobs are in; None: they are in a file of the folder.
        """
        self._cli_ctx = cli_ctx
        self._arguments = arguments
        self._folder = folder
        self._typed_tier = tier
        self._tier = tier
        self._access = access
        self._team = team
        self._rights = rights
        for option, dest in (("--hub-name", "our_hub_name"), ("--login", "our_login")):
            if arguments.get(dest) is not None and not arguments[dest].strip():
                raise BadValue(f"{option} is empty.", hint="Leave it out: a fleet job knows its hub.")

    @cached_property
    def store(self) -> "SqlStore":
        """The open store. Raises BadValue, StateError."""
        self.check_folder()
        store = self.open_store(self._access)
        if self._needs_store and (self._team is not None or self._folder is not None) and not store.database.is_there:
            logger.warning("There are no fleet jobs in %s.", self._folder if self._team is None else self._team.url)
        return store

    def open_store(self, access: Access) -> "SqlStore":
        """Open the store, as often as it is called. Raises BadValue, StateError."""
        if self._team is None:
            return SqliteStore.open(self.state_folder, access)
        from azext_iotjobs.cli.fleet_job.team_store import open_team_store

        return open_team_store(self._cli_ctx, self._team, access)

    @property
    def _needs_store(self) -> bool:
        """Whether the command is for fleet jobs that are there."""
        return self._access in (Access.CHANGE, Access.READ)

    def check_folder(self) -> None:
        """Raise BadValue for a folder that was typed and cannot be used."""
        folder = self._folder
        if self._team is not None or folder is None:
            return
        if not folder.strip():
            raise BadValue("--state-dir is empty.", hint="Name a folder; `create` makes it if it does not exist.")
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise BadValue(f"--state-dir {folder} is not a folder.", hint="Name the folder that the file is in.")
        if self._needs_store and not os.path.exists(folder):
            raise BadValue(
                f"--state-dir {folder}: there is no such folder.",
                hint="Name the folder that holds the fleet jobs; `create` makes a new one.",
            )

    @property
    def team(self) -> "TeamStore | None":
        """The store on a server; None: it is a file."""
        return self._team

    @property
    def folder(self) -> str | None:
        """The state folder that was typed; None: the default one."""
        return self._folder

    @property
    def state_folder(self) -> Path:
        """The state folder, whether it is there or not."""
        return running_hubs.state_folder().parent / FOLDER if self._folder is None else Path(self._folder)

    def typed(self, dest: str) -> str | None:
        """One of the hub arguments; None: it was not typed."""
        value: str | None = self._arguments.get(dest)
        return value

    @property
    def subscription(self) -> str | None:
        """The subscription that was typed; None: az has its own."""
        typed: str | None = self._cli_ctx.data.get("subscription_id")
        return typed

    @property
    def names_hub(self) -> bool:
        """Whether a hub was typed."""
        return any(self._arguments.get(each) is not None for each in ("our_hub_name", "our_login"))

    @property
    def tier(self) -> TierFacts | None:
        """The tier of the hub whose client was given, if it is known."""
        return self._tier

    def hub(self) -> "HubClient":
        """The client of the hub that is typed, or else the environment's. Raises UserError, HubAnswer."""
        return self._opened(dict(self._arguments))

    def hub_of(self, job: FleetJob) -> "HubClient":
        """The client of a fleet job's hub. Raises ConflictingChoice when another one is typed; UserError, HubAnswer."""
        self.check(job)
        client = self.hub_at(job.host)
        if client.target.canonical != canonical_authority(job.host):
            raise _other_hub(job, f"{client.target.authority} is given")
        return client

    def hub_at(self, host: str) -> "HubClient":
        """The client of the hub that is typed, or else of the one that is stored as `host`."""
        return self._opened(dict(self._arguments) if self.names_hub else {**self._arguments, "our_hub_name": host})

    def check(self, job: FleetJob) -> None:
        """Raise ConflictingChoice when a hub is typed that is not the fleet job's."""
        if self.means(job.host):
            return
        typed, login = self._arguments.get("our_hub_name"), self._arguments.get("our_login")
        if login is None or (typed is not None and not can_mean(typed.strip(), job.host)):
            raise _other_hub(job, f"{typed} is given")
        raise _other_hub(job, f"--login is of {parse_connection_string(login).authority}")

    def means(self, host: str) -> bool:
        """Whether what was typed can mean the hub that is stored as `host`; nothing typed means every hub."""
        typed, login = self._arguments.get("our_hub_name"), self._arguments.get("our_login")
        is_so = typed is None or can_mean(typed.strip(), host)
        return is_so and (login is None or parse_connection_string(login).canonical == canonical_authority(host))

    def _opened(self, arguments: dict[str, Any]) -> "HubClient":
        from azext_iotjobs.cli.hub_access.resolve import client_of, hub_of
        from azext_iotjobs.cli.hub_access.tiers import tier_of

        chosen = hub_of(self._cli_ctx, arguments, changes=True, needed=self._rights)
        # Several hubs may be opened, one after the other.
        self._tier = self._typed_tier or tier_of(chosen.target, chosen.tier)
        return client_of(chosen)


def fleet_job_context(
    cli_ctx: Any, command_args: dict[str, Any], access: Access, rights: Rights = ALL_RIGHTS
) -> FleetJobContext:
    """Take the hub arguments, its tier and --state-dir out of `command_args`: a client factory.

    The options of a team's store are taken out too.
    access: what the command does; one that only plans reads.  rights: that a policy must have, where one is chosen.
    """
    if command_args.get("dry_run"):
        access = Access.PLAN if access is Access.MAKE else Access.READ
    arguments = with_passed({name: command_args.pop(name, None) for name in HUB_ARGUMENTS})
    sku, units = command_args.pop("sku", None), command_args.pop("units", None)
    if sku is None and units is not None:
        raise MissingChoice("--units needs --sku.", hint="--sku S1 --units 2")
    tier = None if sku is None else TierFacts(sku, 1 if units is None else units)
    folder = command_args.pop("state_dir", None)
    team = team_store_of(cli_ctx, {name: command_args.pop(name, None) for name in STORE_OPTIONS}, folder)
    return FleetJobContext(cli_ctx, arguments, folder, tier, access, rights, team)


def team_store_of(cli_ctx: Any, typed: dict[str, Any], folder: str | None) -> "TeamStore | None":
    """The store on a server that is typed or configured; None: it is a file. Raises UserError."""
    is_typed = any(value is not None for value in typed.values())
    if folder is not None and not is_typed:
        return None  # the file in it, whatever is configured
    if not is_typed and not os.environ.get("IOTJOBS_STORE") and not cli_ctx.config.has_option("iotjobs", "store"):
        return None
    from azext_iotjobs.cli.fleet_job.team_store import team_store

    return team_store(cli_ctx, typed, folder)


def can_mean(typed: str, stored: str) -> bool:
    """Whether a hub's name, as somebody wrote it, can be that of the hub that is stored so."""
    name, port = running_hubs.split_port(typed.lower())
    host, host_port = running_hubs.split_port(stored)
    if is_loopback(name):
        return is_loopback(host) and port in (None, host_port)
    return is_name_of(name, host) and port == host_port


def _other_hub(job: FleetJob, given: str) -> ConflictingChoice:
    return ConflictingChoice(
        f"Fleet job {job.fleet_job_id} belongs to {job.host}, but {given}.",
        hint=Text(
            "Leave -n and --login out, or copy it for the other hub: ",
            command("iot hub fleet-job copy", fleet_job_id=job.fleet_job_id, hub="HUB"),
        ),
    )
