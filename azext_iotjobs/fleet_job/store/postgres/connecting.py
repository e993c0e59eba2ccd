"""A connection to a team's store: how it is secured, who signs in, and what holds for its session."""

import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo

from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.fleet_job.store.postgres.errors import BUSY_S, not_reached
from azext_iotjobs.fleet_job.store.postgres.place import Place, is_near
from azext_iotjobs.model.errors import BadValue, StateUnusable

Password = Callable[[], str]  # asked for at each connection: a token lives about an hour
CONNECT_S = 10
SILENT_S = 15  # after which the way to a server counts as lost
IN_TRANSACTION_S = 60  # a process that is suspended within a transaction holds others up no longer than this
OLDEST_SERVER = 130000  # PostgreSQL 13: pg_current_snapshot
FOUND_AT = (  # where systems have the certificates of authorities: the driver's own OpenSSL looks elsewhere
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def connect(place: Place, password: Password | None) -> "psycopg.Connection[Any]":
    """Open a connection. Raises StateUnreachable, StateUnusable, BadValue for a URL that libpq does not take.

    password: None: libpq finds it, in PGPASSWORD or a password file.
    """
    try:
        given = conninfo.conninfo_to_dict(place.url)
    except psycopg.ProgrammingError as err:
        raise BadValue(f"The store's URL {place.shown} cannot be read: {str(err).strip()}.") from err
    options = {**defaults(place, given), **given}
    if password is not None:
        options["password"] = password()
    try:
        connection = psycopg.connect(**options, autocommit=True, cursor_factory=psycopg.RawCursor)
    except psycopg.Error as err:
        raise not_reached(place, err) from None  # what it holds names what was given
    try:
        _check_server(place, connection)
        _set_up(place, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def defaults(place: Place, given: Mapping[str, Any]) -> dict[str, Any]:
    """What libpq is told where neither the URL nor its variables say otherwise. given: what the URL says."""
    found: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "application_name": f"iotjobs {current_user()} {os.getpid()}"[:63],
        "keepalives_idle": SILENT_S,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 1000 * SILENT_S,
        "client_encoding": "UTF8",
    }
    if "sslmode" not in given and "PGSSLMODE" not in os.environ and not is_near(place, os.environ):
        found["sslmode"] = "verify-full"
    verifies = str(given.get("sslmode", found.get("sslmode", ""))).startswith("verify")
    if verifies and "sslrootcert" not in given and "PGSSLROOTCERT" not in os.environ:
        found["sslrootcert"] = _authorities()
    return found


def _authorities() -> str:
    """The file of authorities that this system trusts."""
    own = ssl.get_default_verify_paths().cafile
    for each in (own, *FOUND_AT):
        if each is not None and Path(each).is_file():
            return each
    try:
        import certifi  # az brings it
    except ImportError:
        return "system"
    return str(certifi.where())


def _check_server(place: Place, connection: "psycopg.Connection[Any]") -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise StateUnusable(
            f"The store {place.shown} is PostgreSQL {version // 10000}; 13 or newer is needed.",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StateUnusable(
            f"The database of the store {place.shown} has the encoding {encoding}; it must be UTF8.",
            hint="Make one: CREATE DATABASE fleet ENCODING 'UTF8' TEMPLATE template0",
        )


def _set_up(place: Place, connection: "psycopg.Connection[Any]") -> None:
    """What holds for the session. An intent that was committed is there after a crash of the server.

    Temporary tables are looked for last; unnamed they come first, and one called as a table of ours would be taken for
    it, in functions that others call as well.
    """
    connection.execute(
        f"SET search_path TO \"{place.schema}\", pg_temp; SET lock_timeout = '{BUSY_S}s'; "
        f"SET idle_in_transaction_session_timeout = '{IN_TRANSACTION_S}s'; SET statement_timeout = 0; "
        "SET client_min_messages = warning; SET extra_float_digits = 1; "
        "SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off; "
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
