"""Opens what the data folder holds: certificates, the policies' keys and the database.

Damaged files are never replaced: clients may trust or use them. The error says what to do instead.
"""

import asyncio
import shlex
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from azext_iotjobs.localhub.auth.policies import PoliciesUnusable, ensure_policies
from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.snapshots import RESTORING, parts_folder, remove_parts
from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.config import LocalHubConfig
from azext_iotjobs.localhub.process.folder import FolderUnusable
from azext_iotjobs.localhub.process.outages import Outages
from azext_iotjobs.localhub.process.private_files import write_private, write_public
from azext_iotjobs.localhub.rules.blob_sas import StorageAccount
from azext_iotjobs.localhub.rules.event import DEFAULT_PARTITIONS
from azext_iotjobs.localhub.store.clock_offset import ClockOffset
from azext_iotjobs.localhub.store.database import Database, NewerDatabase
from azext_iotjobs.localhub.store.events import MIGRATIONS as EVENT_MIGRATIONS
from azext_iotjobs.localhub.store.events import EventRows
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.integrity import FULL, QUICK, check_integrity
from azext_iotjobs.localhub.store.schema import MIGRATIONS
from azext_iotjobs.localhub.store.snapshot_file import HUB, PARTS, NotASnapshot, unpack
from azext_iotjobs.localhub.tls.certificates import (
    Certificates,
    CertificatesUnusable,
    all_files,
    ca_certificate,
    ensure_certificates,
    is_of_local_hub,
)
from azext_iotjobs.localhub.tls.context import HubContext

FULLY_CHECKED_BYTES = 128 * 1024**2  # of a database; checking a larger one, of many devices, takes seconds
UNUSABLE = (StoreUnavailable, StoreDamaged, sqlite3.Error, NewerDatabase, OSError)


class Keys(NamedTuple):
    """What the hub proves itself with, and what it checks tokens with."""

    certificates: Certificates
    tls: HubContext
    policies: dict[str, str]  # policy name -> key


def open_keys(config: LocalHubConfig, clock: HubClock, identities: Identities) -> Keys:
    """The certificates and the policies' keys, made when there are none. Raises FolderUnusable."""
    try:
        certificates = ensure_certificates(config.data_dir, config.bind, config.dns_names, clock.machine_now())
        tls = HubContext(certificates, wants_client_certificate=identities.any_with_certificate)
    except CertificatesUnusable as err:
        files = " ".join(shlex.quote(str(each)) for each in all_files(config.data_dir))
        raise FolderUnusable(
            f"The certificates in {config.data_dir} cannot be used: {err}. Restore them from a copy, or remove all of "
            f"them and new ones are made; clients then have to trust the new CA: rm -f {files}"
        ) from err
    except OSError as err:  # ssl.SSLError is one
        raise FolderUnusable(f"The certificates in {config.data_dir} cannot be read or written: {err}.") from err
    try:
        return Keys(certificates, tls, ensure_policies(config.data_dir))
    except PoliciesUnusable as err:
        raise FolderUnusable(str(err)) from err
    except OSError as err:
        raise FolderUnusable(f"{config.data_dir / 'policies.json'} cannot be written: {err.strerror}.") from err


def write_ca_copy(config: LocalHubConfig, keys: Keys) -> None:
    """Write the CA's certificate where it was asked for, for other users of this machine. Raises FolderUnusable."""
    path = config.ca_file
    if path is None:
        return
    try:
        if path.exists() and not is_of_local_hub(path):
            raise FolderUnusable(
                f"--ca-file {path}: this is there, and it is not the certificate of a local hub's CA. It would be "
                "replaced: give another name, or remove it."
            )
        write_public(path, ca_certificate(keys.certificates))
    except OSError as err:
        raise FolderUnusable(f"--ca-file {path} cannot be written: {err.strerror}.") from err


def open_storage(config: LocalHubConfig, account: StorageAccount) -> Storage:
    """The storage account's containers, made when there are none. Raises FolderUnusable."""
    try:
        return Storage(config.storage_dir, account, is_temporary=config.in_memory and config.upload_dir is None)
    except OSError as err:
        raise FolderUnusable(
            f"The folder {config.storage_dir}, which stands for a storage account, cannot be used: {err.strerror}."
        ) from err


def open_database(config: LocalHubConfig, outages: Outages) -> Database:
    """The database, made when there is none, and checked for damage. Raises FolderUnusable."""
    try:
        return _open_database(_database_file(config), outages, MIGRATIONS, FULL)
    except UNUSABLE as err:
        raise unusable_database(config, err) from err


def read_clock_offset(config: LocalHubConfig, database: Database) -> timedelta:
    """How far the clock of the last hub on the same data was ahead. Raises FolderUnusable."""
    try:
        return ClockOffset(database).load()
    except (StoreUnavailable, StoreDamaged) as err:
        raise unusable_database(config, err) from err


def complete_restore(config: LocalHubConfig) -> None:
    """Bring the hub back to a snapshot, if the last hub was killed while it did that. Raises FolderUnusable."""
    remove_parts(config.data_dir)
    path = config.data_dir / RESTORING
    if config.in_memory or not path.exists():
        return
    try:
        with parts_folder(config.data_dir) as folder:
            unpack(path.read_bytes(), folder)
            for name, migrations in PARTS.items():
                if name == HUB or config.keep_events_days is not None or (config.data_dir / name).exists():
                    with closing(_opened(config.data_dir / name, Outages(), migrations)) as database:
                        database.replace_by(folder / name)
        path.unlink()
    except (StoreUnavailable, OSError) as err:  # the snapshot is whole: it is not what has to go
        raise FolderUnusable(
            f"{_half_restored(path, err)} Start the hub again once that is mended, such as a full disk that has room."
        ) from err
    except (*UNUSABLE, NotASnapshot) as err:
        raise FolderUnusable(
            f"{_half_restored(path, err)} To start without it: rm -f {shlex.quote(str(path))}"
        ) from err


def _half_restored(path: Path, err: Exception) -> str:
    return (
        f"The last hub ended while it was brought back to a snapshot, {path}, and that cannot be completed: "
        f"{str(err).rstrip('.')}."
    )


def open_event_log(
    config: LocalHubConfig, outages: Outages, loop: asyncio.AbstractEventLoop, started_at: datetime
) -> tuple[Database | None, EventLog]:
    """The log of events, and its database when they are kept there. Raises FolderUnusable."""
    if config.keep_events_days is None:
        return None, EventLog(loop, config.partitions or DEFAULT_PARTITIONS, created_at=started_at)
    path = config.data_dir / "events.db"
    try:
        # A full check of a file as large as it may be would take longer than a start may.
        database = _open_database(path, outages, EVENT_MIGRATIONS, QUICK)
    except UNUSABLE as err:
        raise _unusable_events(path, err) from err
    try:
        rows = EventRows(database)
        found = rows.prepare(config.partitions or DEFAULT_PARTITIONS)
        if config.partitions in (None, found):
            retention = timedelta(days=config.keep_events_days)
            return database, EventLog(loop, found, rows, retention, started_at)
    except UNUSABLE as err:
        database.close()
        raise _unusable_events(path, err) from err
    database.close()
    raise FolderUnusable(
        f"The events in {path} are in {found} partitions, whose number cannot be changed to --partitions "
        f"{config.partitions}. Start with {found} or without the option, or remove the events: {_how_to_remove(path)}"
    )


def _how_to_remove(path: Path) -> str:
    return f"rm -f {' '.join(shlex.quote(f'{path}{end}') for end in ('', '-wal', '-shm'))}"


def _open_database(path: Path | None, outages: Outages, migrations: Sequence[Sequence[str]], pragma: str) -> Database:
    if path is None:
        return Database(None, outages, migrations)
    database = _opened(path, outages, migrations)
    try:
        check_integrity(database, QUICK if path.stat().st_size > FULLY_CHECKED_BYTES else pragma)
    except BaseException:
        database.close()
        raise
    return database


def _opened(path: Path, outages: Outages, migrations: Sequence[Sequence[str]]) -> Database:
    if not path.exists():
        write_private(path, b"")
    return Database(path, outages, migrations)


def unusable_database(config: LocalHubConfig, err: Exception) -> FolderUnusable:
    """What to tell the user about a database that cannot be opened or read because of `err`."""
    path = _database_file(config)
    text = f"The database {path or 'in memory'} cannot be used: {str(err).rstrip('.')}."
    if not isinstance(err, (StoreUnavailable, NewerDatabase, OSError)) and path is not None:
        text += (
            f" Its devices, twins, jobs and messages are lost unless you have a copy of it; policies.json and the "
            f"certificates beside it are not affected. To set it aside and start without them: "
            f"az iot local-hub reset --data-dir {shlex.quote(str(path.parent))} --yes"
        )
    return FolderUnusable(text)


def _unusable_events(path: Path, err: Exception) -> FolderUnusable:
    text = f"The events in {path} cannot be used: {str(err).rstrip('.')}."
    if not isinstance(err, (StoreUnavailable, NewerDatabase, OSError)):
        text += (
            " Devices, twins, jobs and messages are in another file and are not affected. To start without the events: "
            f"{_how_to_remove(path)}"
        )
    return FolderUnusable(text)


def _database_file(config: LocalHubConfig) -> Path | None:
    return None if config.in_memory else config.data_dir / "hub.db"
