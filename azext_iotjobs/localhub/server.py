"""The whole hub: opens the store, both listeners and the runner. The only room that knows them all."""

import asyncio
import contextlib
import json
import os
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

from azext_iotjobs.localhub.assembly import assemble
from azext_iotjobs.localhub.certs import Certificates, ensure_certificates
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.config import LocalHubConfig, accepted_hosts, host_name
from azext_iotjobs.localhub.engine.gate import Gate
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.files import make_private_folder, remove_half_written, write_private
from azext_iotjobs.localhub.http.bounds import make_runner
from azext_iotjobs.localhub.http.listener import make_application
from azext_iotjobs.localhub.http.websocket import WebSocketDoor
from azext_iotjobs.localhub.lock import FolderLock
from azext_iotjobs.localhub.mqtt.ends import EndLog
from azext_iotjobs.localhub.mqtt.listener import Connection
from azext_iotjobs.localhub.policies import OWNER, ensure_policies
from azext_iotjobs.localhub.rules.quota import Sku
from azext_iotjobs.localhub.sockets import ACCEPTED_AT_ONCE, BACKLOG, listen
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.database import Database, NewerDatabase
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.twins import Twins
from azext_iotjobs.localhub.tls import HubContext

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
        database = _open_database(config)
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
            accepted_hosts(config.bind, https_port, mqtt_port),
            clock,
        )
        hub = assemble(config, database, identities, gate, clock, stop.set)

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
        running = [
            asyncio.create_task(each) for each in (hub.runner.run(), hub.mailbox.run(), identities.presence.run())
        ]
        for task in running:
            at_end.push_async_callback(_cancel, task)

        listening = _describe(config, certificates, policy_keys[OWNER], https_port, mqtt_port, clock)
        if listening.state_file is not None:
            make_private_folder(listening.state_file.parent)
            write_private(listening.state_file, json.dumps(listening.document, indent=2).encode())
            at_end.callback(listening.state_file.unlink, missing_ok=True)
        on_ready(listening)
        await asyncio.wait({asyncio.create_task(stop.wait()), *running}, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                task.result()  # these never end by themselves: let the error be seen


def _prepare_folder(config: LocalHubConfig, at_end: contextlib.AsyncExitStack) -> None:
    try:
        make_private_folder(config.data_dir)
        lock = FolderLock(config.data_dir)
    except OSError as err:
        raise FolderUnusable(f"The data folder {config.data_dir} cannot be used: {err.strerror}.") from err
    if not lock.is_ours:
        raise FolderUnusable(
            f"The data folder {config.data_dir} is in use by another local hub: give another --data-dir."
        )
    at_end.callback(lock.release)
    remove_half_written(config.data_dir)


def _open_keys(
    config: LocalHubConfig, clock: HubClock, identities: Identities
) -> tuple[Certificates, HubContext, dict[str, str]]:
    try:
        certificates = ensure_certificates(config.data_dir, config.bind, clock.now())
        tls = HubContext(certificates, asks=identities.any_with_certificate)
        return certificates, tls, ensure_policies(config.data_dir)
    except (OSError, ValueError) as err:  # ssl.SSLError is an OSError
        raise FolderUnusable(
            f"The certificates in {config.data_dir} cannot be used ({err}): remove its .pem files and "
            "certificates.json, and they are made anew."
        ) from err


def _open_database(config: LocalHubConfig) -> Database:
    path = None if config.in_memory else config.data_dir / "hub.db"
    try:
        if path is not None and not path.exists():
            write_private(path, b"")
        return Database(path)
    except (sqlite3.Error, NewerDatabase, OSError) as err:
        raise FolderUnusable(f"The database {path} cannot be used: {err}.") from err


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


def _describe(
    config: LocalHubConfig, certificates: Certificates, key: str, https_port: int, mqtt_port: int, clock: HubClock
) -> Listening:
    name = host_name(config.bind, https_port)
    document = {
        "hostName": name,
        "httpsPort": https_port,
        "mqttPort": mqtt_port,
        "bind": config.bind,
        "connectionString": f"HostName={name};SharedAccessKeyName={OWNER};SharedAccessKey={key}",
        "caCertificatePath": str(certificates.ca_file),
        "caBundlePath": str(certificates.bundle_file),
        "dataDirectory": str(config.data_dir),
        "inMemory": config.in_memory,
        "sku": config.sku.value,
        "units": None if config.sku is Sku.UNLIMITED else config.units,
        "pid": os.getpid(),
        "startedAt": render(clock.now()),
    }
    state_file = None
    if config.state_dir is not None:
        prefix = "" if config.bind == LocalHubConfig.bind else f"{config.bind}_"
        state_file = config.state_dir / f"{prefix}{https_port}.json"
    return Listening(document=document, state_file=state_file)
