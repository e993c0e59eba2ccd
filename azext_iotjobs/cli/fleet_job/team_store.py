"""The store of a team that was typed or configured: which, who signs in, and the driver that it needs.

What is typed counts before the environment, and that before az's configuration. A folder that is typed means the file
in it, whatever is configured.
"""

import configparser
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from azext_iotjobs.cli.fleet_job.context import STORE_OPTIONS
from azext_iotjobs.cli.hub_access import running_hubs
from azext_iotjobs.cli.hub_access.secret_files import warn_if_others_read
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.postgres.place import is_near, is_verified, parse_place
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice, OldDependency
from azext_iotjobs.model.text import Shell, Text

if TYPE_CHECKING:
    from azext_iotjobs.fleet_job.store.postgres.place import Place
    from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore

SECTION = "iotjobs"
PASSWORD_FILE = "--store-password-file"
PASSWORD, LOGIN = "password", "login"
REQUIREMENT = "psycopg[binary]>=3.2,<4"
PACKAGES = "packages"  # beside the state files of local hubs: an update of the extension leaves it alone


class TeamStore(NamedTuple):
    """A store on a server, as it was named."""

    url: str
    auth: str
    password_file: str | None
    password_source: str = PASSWORD_FILE  # what names that file, for errors

    def options(self) -> list[str]:
        """All of it as words of a command line, which mean it whatever is configured where that runs."""
        file = [] if self.password_file is None else [PASSWORD_FILE, os.path.abspath(self.password_file)]
        return ["--store", self.url, "--store-auth", self.auth, *file]


def team_store(cli_ctx: Any, typed: dict[str, Any], folder: str | None) -> TeamStore | None:
    """The store that is named; None: it is a file. Raises BadValue, ConflictingChoice, MissingChoice.

    typed: STORE_OPTIONS of the command.  folder: --state-dir.
    """
    url = typed.get("store")
    if url is None and folder is not None:
        found = None
    else:
        found = url if url is not None else _configured(cli_ctx, "store")
    if found is None:
        for name in STORE_OPTIONS[1:]:
            if typed.get(name) is not None:
                raise MissingChoice(
                    f"--{name.replace('_', '-')} goes with --store, which is not given.",
                    hint="Name the team's store too: --store postgresql://ROLE@HOST/DATABASE",
                )
        return None
    if url is not None and folder is not None:
        raise ConflictingChoice("--store and --state-dir name two stores.", hint="Give one of them.")
    auth = typed.get("store_auth") or _configured(cli_ctx, "store_auth") or PASSWORD
    if auth not in (PASSWORD, LOGIN):
        raise BadValue(f"The store's sign-in is {auth[:40]!r}; it is one of {PASSWORD}, {LOGIN}.")
    typed_file = typed.get("store_password_file")
    file = typed_file or _configured(cli_ctx, "store_password_file")
    source = PASSWORD_FILE if typed_file else _source("store_password_file")
    if auth == LOGIN and typed_file is not None:
        raise ConflictingChoice(f"{PASSWORD_FILE} and --store-auth login exclude each other.")
    parse_place(found)  # a URL with a password in it goes no further
    return TeamStore(found, auth, None) if auth == LOGIN or file is None else TeamStore(found, auth, file, source)


def configured_team_store(cli_ctx: Any, url: str) -> TeamStore:
    """The store at a URL, whose sign-in is the configured one. Raises BadValue."""
    named = team_store(cli_ctx, {"store": url}, None)
    assert named is not None
    return named


def open_team_store(cli_ctx: Any, named: TeamStore, access: Access) -> "PostgresStore":
    """Open it. Raises BadValue, OldDependency without the driver, StateError."""
    place = parse_place(named.url)
    password = None
    if named.auth == LOGIN:
        password = _token_for(cli_ctx, place)
    elif named.password_file is not None:
        secret = _read(named.password_file, named.password_source)
        password = lambda: secret  # noqa: E731
    return _driven().open(place, access, password)


def _token_for(cli_ctx: Any, place: "Place") -> Any:
    """Gives a token of az's login, anew for each connection. Raises BadValue."""
    from azext_iotjobs.cli.hub_access.az_login import az_login

    if not place.has_user:
        raise BadValue(
            "--store-auth login needs the role in the store's URL: the name of your Microsoft Entra user or group.",
            hint="For example: postgresql://server.postgres.database.azure.com/fleet?user=ann@example.com",
        )
    if not is_near(place, os.environ) and not is_verified(place, os.environ):
        raise BadValue(
            "--store-auth login sends a token, and only to a server whose certificate is verified.",
            hint="Leave sslmode out of the store's URL, and PGSSLMODE out of the environment: it is verify-full then.",
        )
    login = az_login(cli_ctx)
    return lambda: login.fetch(str(cli_ctx.cloud.endpoints.ossrdbms_resource_id)).text


def _read(file: str, source: str) -> str:
    """The password in a file. Raises BadValue, with the file's name only where it is one, for it may be the password.

    source: what names the file.
    """
    name = f"{source} {file}" if os.path.exists(file) else source
    try:
        first, *_ = Path(file).read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, ValueError) as err:
        why = err.strerror if isinstance(err, OSError) else "it is not text in UTF-8"
        if name != source:
            raise BadValue(f"{name} cannot be read: {why}.") from None
        raise BadValue(
            f"The file of {source} cannot be read: {why}. What was given is not repeated: it may be a password.",
            hint="Give the name of a file, without @: its first line is the password. Relative paths begin in "
            f"{Path.cwd()}.",
        ) from None
    warn_if_others_read(file, source)
    if not first:
        raise BadValue(f"{name} is empty: its first line is the password.")
    return first


def _configured(cli_ctx: Any, name: str) -> str | None:
    """What the environment, or else az's configuration says. Empty: nothing."""
    try:
        found = os.environ.get(_variable(name)) or cli_ctx.config.get(SECTION, name, fallback=None)
    except configparser.InterpolationError as err:
        raise BadValue(
            f"{SECTION}.{name} in az's configuration cannot be read: {err}.",
            hint="In that file write %% for a %; or name the role without one: postgresql://HOST/DATABASE?user=ROLE",
        ) from err
    return str(found).strip() or None if found else None


def _source(name: str) -> str:
    """Where `_configured` finds it, for people."""
    variable = _variable(name)
    return variable if os.environ.get(variable) else f"{SECTION}.{name} in az's configuration"


def _variable(name: str) -> str:
    return f"IOTJOBS_{name.upper()}"


def packages_folder() -> Path:
    """Where the driver can be, whatever becomes of the extension's folder: by Python's version, for it is compiled."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return running_hubs.state_folder().parent / PACKAGES / version


def _driven() -> "type[PostgresStore]":
    """What opens stores, with its driver. Raises OldDependency, with the line that installs it."""
    folder = packages_folder()
    if folder.is_dir() and str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore
    except ImportError as err:
        if not str(err.name or err).startswith(("psycopg", "no pq wrapper")):
            raise
        install = f'"{sys.executable}" -m pip install --upgrade --target "{folder}" "{REQUIREMENT}"'
        raise OldDependency(
            f"A team's store needs psycopg, the driver of PostgreSQL, which is not part of the extension ({err}).",
            hint=Text("Install it once for this Python: ", Shell(install)),
        ) from err
    return PostgresStore
