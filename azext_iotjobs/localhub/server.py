"""The whole hub: opens the store, both listeners and the runner. The only room that knows them all."""

import asyncio
import contextlib
import json
import logging
import os
import shlex
import socket
import sqlite3
import ssl
import sys
from asyncio import sslproto
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from azext_iotjobs.localhub.assembly import Hub, assemble
from azext_iotjobs.localhub.auth.authenticator import Gate
from azext_iotjobs.localhub.auth.policies import OWNER, PoliciesUnusable, ensure_policies
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import StoreDamaged, StoreTrouble
from azext_iotjobs.localhub.http.connection_limits import make_runner
from azext_iotjobs.localhub.http.listener import make_application
from azext_iotjobs.localhub.http.websocket import WebSocketDoor
from azext_iotjobs.localhub.mqtt.connection import Connection
from azext_iotjobs.localhub.mqtt.disconnect_log import EndLog
from azext_iotjobs.localhub.process.config import DEFAULT_BIND, LocalHubConfig, host_name, with_port
from azext_iotjobs.localhub.process.folder import FolderLock
from azext_iotjobs.localhub.process.outages import Troubles
from azext_iotjobs.localhub.process.private_files import make_private_folder, remove_half_written, write_private
from azext_iotjobs.localhub.process.sockets import ACCEPTED_AT_ONCE, BACKLOG, listen
from azext_iotjobs.localhub.rules.host_names import HUB_NAME, HostNames, Side
from azext_iotjobs.localhub.rules.quota import Sku
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.database import Database, NewerDatabase
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.integrity import check_whole
from azext_iotjobs.localhub.store.twins import Twins
from azext_iotjobs.localhub.tls.certificates import Certificates, CertificatesUnusable, all_files, ensure_certificates
from azext_iotjobs.localhub.tls.context import HubContext

logger = logging.getLogger(__name__)

HANDSHAKE_LIMIT_S = 30.0
TLS_READ_BYTES = 4 * 1024
TLS_GOODBYE_LIMIT_S = 1.0  # how long a device that says nothing any more delays the hub's end


class FolderUnusable(Exception):
    """The data folder cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a running hub listens, and how to get in; `document` is its state file."""

    document: dict[str, Any]
    state_file: Path | None


async def serve(config: LocalHubConfig, on_ready: Callable[[Listening], None], stop: asyncio.Event) -> None:
    """Run a hub until `stop` is set.

    on_ready: called once, when clients are served.
    Raises PortTaken, FolderUnusable.
    """
    clock = HubClock()
    async with contextlib.AsyncExitStack() as at_end:
        _prepare_folder(config, at_end)
        troubles = Troubles(serves=False)
        database = _open_database(config, troubles)
        at_end.callback(database.close)
        identities = Identities(database, Twins(database))
        at_end.callback(identities.presence.write)
        certificates, tls, policy_keys = _open_keys(config, clock, identities)

        https_sockets = listen(config, config.https_port, "--https-port")
        mqtt_sockets = listen(config, config.mqtt_port, "--mqtt-port")
        https_port, mqtt_port = https_sockets[0].getsockname()[1], mqtt_sockets[0].getsockname()[1]

        gate = Gate(
            policy_keys,
            identities,
            Authorities(database),
            HostNames(config.bind, https_port, mqtt_port),
            clock,
        )
        hub = _assemble(config, database, identities, gate, clock, policy_keys[OWNER], stop)

        loop = asyncio.get_running_loop()
        ends = EndLog(loop.time)
        tls.on_failed_handshake = ends.note_failed_handshake

        def new_connection() -> Connection:
            return Connection(hub.devices, hub.links, clock, loop, ends)

        _bound_tls_buffers()
        application = make_application(hub.desks, gate, clock, WebSocketDoor(new_connection), hub.quotas)
        await _start_https(application, https_sockets, tls, at_end)
        await _start_mqtt(new_connection, mqtt_sockets, tls, at_end)
        at_end.push_async_callback(_say_goodbye, hub.links)
        for runs in (database.run(), hub.runner.run(), hub.mailbox.run(), identities.presence.run()):
            at_end.push_async_callback(_cancel, asyncio.create_task(runs))

        listening = _describe(config, certificates, policy_keys[OWNER], https_port, mqtt_port, clock)
        if listening.state_file is not None:
            _write_state(listening.state_file, listening.document)
            at_end.callback(_take_back, listening.state_file)
        troubles.serves = True
        logger.info("ready: HTTPS port %d, MQTT port %d, process %d", https_port, mqtt_port, os.getpid())
        on_ready(listening)
        await stop.wait()
        logger.info("ending")


def _prepare_folder(config: LocalHubConfig, at_end: contextlib.AsyncExitStack) -> None:
    try:
        make_private_folder(config.data_dir)
        lock = FolderLock(config.data_dir)
        if lock.is_ours:
            remove_half_written(config.data_dir)
    except OSError as err:
        raise FolderUnusable(f"The data folder {config.data_dir} cannot be used: {err.strerror}.") from err
    if not lock.is_ours:
        raise FolderUnusable(
            f"The data folder {config.data_dir} is in use by another local hub: give another --data-dir."
        )
    at_end.callback(lock.release)


def _open_keys(
    config: LocalHubConfig, clock: HubClock, identities: Identities
) -> tuple[Certificates, HubContext, dict[str, str]]:
    try:
        certificates = ensure_certificates(config.data_dir, config.bind, clock.now())
        tls = HubContext(certificates, asks=identities.any_with_certificate)
    except CertificatesUnusable as err:
        files = " ".join(shlex.quote(str(each)) for each in all_files(config.data_dir))
        raise FolderUnusable(
            f"The certificates in {config.data_dir} cannot be used: {err}. Put back what was there, or remove all of "
            f"them, and they are made anew; clients then have to trust the new CA: rm -f {files}"
        ) from err
    except OSError as err:  # ssl.SSLError is one
        raise FolderUnusable(f"The certificates in {config.data_dir} cannot be read or written: {err}.") from err
    try:
        return certificates, tls, ensure_policies(config.data_dir)
    except PoliciesUnusable as err:
        raise FolderUnusable(str(err)) from err
    except OSError as err:
        raise FolderUnusable(f"{config.data_dir / 'policies.json'} cannot be written: {err.strerror}.") from err


def _open_database(config: LocalHubConfig, troubles: Troubles) -> Database:
    path = _database_file(config)
    try:
        if path is not None and not path.exists():
            write_private(path, b"")
        database = Database(path, troubles)
    except (StoreTrouble, StoreDamaged, sqlite3.Error, NewerDatabase, OSError) as err:
        raise _unusable_database(path, err) from err
    try:
        if path is not None:
            check_whole(database)
    except (StoreTrouble, StoreDamaged, sqlite3.Error) as err:
        database.close()
        raise _unusable_database(path, err) from err
    return database


def _database_file(config: LocalHubConfig) -> Path | None:
    return None if config.in_memory else config.data_dir / "hub.db"


def _unusable_database(path: Path | None, err: Exception) -> FolderUnusable:
    text = f"The database {path or 'in memory'} cannot be used: {str(err).rstrip('.')}."
    if not isinstance(err, (StoreTrouble, NewerDatabase, OSError)) and path is not None:
        text += (
            f" Its devices, twins, jobs and messages are lost unless you have a copy of it; policies.json and the "
            f"certificates beside it are not concerned. To set it aside and start without them: "
            f"az iot local-hub reset --data-dir {shlex.quote(str(path.parent))} --yes"
        )
    return FolderUnusable(text)


def _assemble(
    config: LocalHubConfig,
    database: Database,
    identities: Identities,
    gate: Gate,
    clock: HubClock,
    secret: str,
    stop: asyncio.Event,
) -> Hub:
    try:
        return assemble(config, database, identities, gate, clock, secret, stop.set)
    except (StoreTrouble, StoreDamaged) as err:
        raise _unusable_database(_database_file(config), err) from err


def _write_state(path: Path, document: dict[str, Any]) -> None:
    try:
        make_private_folder(path.parent)
        write_private(path, json.dumps(document, indent=2).encode())
    except OSError as err:
        raise FolderUnusable(f"The file {path}, which says what runs, cannot be written: {err.strerror}.") from err


def _take_back(path: Path) -> None:
    """Remove our state file, unless another hub has put its own in its place."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if json.loads(path.read_bytes()).get("pid") == os.getpid():
            path.unlink(missing_ok=True)


async def _start_https(
    application: web.Application,
    sockets: list[socket.socket],
    tls: ssl.SSLContext,
    at_end: contextlib.AsyncExitStack,
) -> None:
    runner = make_runner(application)
    await runner.setup()
    at_end.push_async_callback(runner.cleanup)
    for sock in sockets:
        await web.SockSite(runner, sock, ssl_context=tls, backlog=ACCEPTED_AT_ONCE).start()
        sock.listen(BACKLOG)  # asyncio has set it to the other number


def _bound_tls_buffers() -> None:
    # asyncio keeps 256 KiB a TLS connection for reading. What devices send fits into this one; what is larger comes in
    # pieces, and OpenSSL puts its records together.
    if hasattr(sslproto.SSLProtocol, "max_size"):
        sslproto.SSLProtocol.max_size = TLS_READ_BYTES


async def _start_mqtt(
    new_connection: Callable[[], Connection],
    sockets: list[socket.socket],
    tls: ssl.SSLContext,
    at_end: contextlib.AsyncExitStack,
) -> None:
    loop = asyncio.get_running_loop()
    goodbye: Any = {"ssl_shutdown_timeout": TLS_GOODBYE_LIMIT_S} if sys.version_info >= (3, 11) else {}
    for sock in sockets:
        server = await loop.create_server(
            new_connection,
            sock=sock,
            ssl=tls,
            ssl_handshake_timeout=HANDSHAKE_LIMIT_S,
            backlog=ACCEPTED_AT_ONCE,
            **goodbye,
        )
        sock.listen(BACKLOG)
        at_end.callback(server.close)


async def _say_goodbye(links: Links) -> None:
    links.drop_all()
    await asyncio.sleep(0.05)  # let what was written go out


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _names_below_localhost(bind: str, https_port: int) -> dict[str, str | None]:
    """The names for devices and for services, where such names lead to the hub's address."""
    return {
        f"{side.value}HostName": with_port(f"{HUB_NAME}.{side.value}.localhost", https_port)
        if bind == DEFAULT_BIND
        else None
        for side in Side
    }


def _describe(
    config: LocalHubConfig, certificates: Certificates, key: str, https_port: int, mqtt_port: int, clock: HubClock
) -> Listening:
    name = host_name(config.bind, https_port)
    document = {
        "hostName": name,
        **_names_below_localhost(config.bind, https_port),
        "httpsPort": https_port,
        "mqttPort": mqtt_port,
        "bind": config.bind,
        "connectionString": f"HostName={name};SharedAccessKeyName={OWNER};SharedAccessKey={key}",
        "caCertificatePath": str(certificates.ca_file),
        "caBundlePath": str(certificates.bundle_file),
        "dataDirectory": str(config.data_dir),
        "logFile": None if config.log_file is None else str(config.log_file),
        "inMemory": config.in_memory,
        "sku": config.sku.value,
        "units": None if config.sku is Sku.UNLIMITED else config.units,
        "pid": os.getpid(),
        "startedAt": render(clock.now()),
    }
    state_file = None
    if config.state_dir is not None:
        # By its address too: hubs with one port and different addresses run side by side.
        state_file = config.state_dir / f"{config.bind}_{https_port}.json"
    return Listening(document=document, state_file=state_file)
