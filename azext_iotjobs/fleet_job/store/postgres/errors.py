"""Errors of a team's store: from PostgreSQL and from the way to it, in our words. No secret is in them."""

import re

import psycopg
from psycopg import errors

from azext_iotjobs.fleet_job.store.postgres.place import Place
from azext_iotjobs.model.errors import (
    BadValue,
    IotJobsError,
    StateBusy,
    StateDamaged,
    StateFull,
    StateNotAllowed,
    StateUnreachable,
    StateUnusable,
)
from azext_iotjobs.model.text import Text, command

BUSY_S = 10  # how long to wait for a lock
SHOWN_CHARACTERS = 200
FATAL = "FATAL:"  # said by a server that was reached
LIBPQ_PREFIX = re.compile(rf"^(connection failed: )?(connection to server .*? failed: )?({FATAL} *|fe_sendauth: )?")
NO_PASSWORD = "no password supplied"  # said by libpq, of a server that asked for one
NO_DATABASE = re.compile(r'^database "(.+)" does not exist')
NOT_DECIDED = "Nothing of what was being recorded is stored; "
IS_LOST = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    errors.IdleSessionTimeout,
)
WAYS_TO_SIGN_IN = Text.of(
    "Give the password in the environment (PGPASSWORD), in a file ({store_password_file}, or ~/.pgpass), or sign in "
    "with az's login ({store_auth} login)."
)


def store_error(err: Exception, place: Place, *, is_lost: bool, was_committing: bool = False) -> IotJobsError:
    """An error of psycopg, as one of ours.

    is_lost: the connection is.  was_committing: it is not known whether a transaction was stored.
    """
    if is_lost or isinstance(err, IS_LOST):
        return lost(place, err, was_committing=was_committing)
    if isinstance(err, errors.LockNotAvailable | errors.DeadlockDetected | errors.SerializationFailure):
        return StateBusy(
            f"The store {place.shown} has been locked by another process for more than {BUSY_S} seconds.",
            hint=f"{NOT_DECIDED}try again. Who has the lock: SELECT * FROM pg_locks WHERE locktype = 'advisory'",
        )
    if isinstance(err, errors.DiskFull):
        return StateFull(f"The server of the store {place.shown} has no room.", hint=f"{NOT_DECIDED}make room there.")
    if isinstance(err, errors.InsufficientPrivilege):
        return StateNotAllowed(
            f"The store {place.shown} does not let this role do that: {_said(err)}.",
            hint="Have its owner grant a role that may: docs/how-to/team-store.md has the SQL.",
        )
    if isinstance(err, errors.ReadOnlySqlTransaction):
        return StateUnusable(
            f"The store {place.shown} may only be read: {_said(err)}.",
            hint="Name the server that takes changes; of several hosts in the URL, target_session_attrs=read-write "
            "finds it.",
        )
    if isinstance(err, psycopg.DataError):
        return BadValue(f"The store takes no such value: {_said(err)}.")
    if isinstance(err, errors.UndefinedTable) and '"chosen"' in str(err):
        return lost(place, err)
    if isinstance(err, psycopg.OperationalError | psycopg.InternalError):
        return StateUnusable(f"The store {place.shown} cannot be used: {_said(err)}.")
    return damaged(place, _said(err))


def lost(place: Place, err: Exception, *, was_committing: bool = False) -> StateUnreachable:
    """The error for a connection that has gone in the middle of something."""
    what = (
        "It is not known whether the last change was stored: look before you repeat it: "
        if was_committing
        else f"{NOT_DECIDED}what was stored before is. See where things stand, and resume: "
    )
    return StateUnreachable(
        f"The connection to the store {place.shown} was lost: {_said(err)}.",
        hint=Text(what, command("iot hub fleet-job list")),
    )


def not_reached(place: Place, err: Exception) -> IotJobsError:
    """The error for a connection that could not be made."""
    said = str(err).lower()
    no_database = NO_DATABASE.search(_said(err))
    if no_database is not None:
        return StateUnusable(
            f"There is no database {no_database[1]} at the server of the store {place.shown}.",
            hint=f"Make it there: CREATE DATABASE \"{no_database[1]}\" ENCODING 'UTF8' TEMPLATE template0; or name one "
            "that is there.",
        )
    if "password" in said or "authentication" in said or "pg_hba" in said:
        hint: str = WAYS_TO_SIGN_IN
    elif "does not support ssl" in said:
        hint = (
            "Turn TLS on at the server: ssl = on, with its certificate and key in ssl_cert_file and ssl_key_file. "
            "Only where nobody can listen on the way: sslmode=disable in the URL."
        )
    elif "certificate" in said or "ssl" in said:
        hint = (
            "The server's certificate must be of its name, and of an authority that is known here; "
            "sslrootcert=FILE in the URL names another authority's."
        )
    elif "does not exist" in said:
        hint = "Name a role that is there: postgresql://ROLE@HOST/DATABASE"
    else:
        hint = "See whether the server runs, and whether the network and its rules lead there."
    first = str(err).partition("\n")[0]
    what = "cannot be opened" if FATAL in first or NO_PASSWORD in first else "cannot be reached"
    return StateUnreachable(f"The store {place.shown} {what}: {_said(err)}.", hint=hint)


def damaged(place: Place, what: str) -> StateDamaged:
    """The error for tables or rows that we did not make so."""
    return StateDamaged(
        f"The store {place.shown} is not as this extension has made it: {what}. It was left as it is.",
        hint="Restore it from a backup, or name another store.",
    )


def _said(err: Exception) -> str:
    """The first line of what PostgreSQL says, without what libpq puts before it: which server it is, is known."""
    lines = [each.strip() for each in str(err).splitlines() if each.strip()] or [type(err).__name__]
    text = "".join(each if each.isprintable() else "?" for each in lines[0])
    return LIBPQ_PREFIX.sub("", text)[:SHOWN_CHARACTERS].rstrip(".")
