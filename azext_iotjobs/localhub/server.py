"""The whole hub: opens its data, starts the listeners and the background tasks, and ends them in order."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

from azext_iotjobs.localhub.amqp.listener import AmqpListener
from azext_iotjobs.localhub.amqp.nodes.base import EventHubEndpoint, HubParts
from azext_iotjobs.localhub.assembly import Hub, Stores, amqp_parts, assemble
from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.auth.policies import OWNER
from azext_iotjobs.localhub.blobs.storage import REGISTRY, Storage
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.data_folder import (
    Keys,
    complete_restore,
    open_database,
    open_event_log,
    open_keys,
    open_storage,
    read_clock_offset,
    unusable_database,
    write_ca_copy,
)
from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.http.blobs import BlobEndpoint
from azext_iotjobs.localhub.http.connection_limits import make_runner
from azext_iotjobs.localhub.http.listener import make_application
from azext_iotjobs.localhub.http.websocket import WebSocketEndpoint
from azext_iotjobs.localhub.mqtt.listener import MqttListener
from azext_iotjobs.localhub.process.config import BadConfig, LocalHubConfig
from azext_iotjobs.localhub.process.folder import claim_folder
from azext_iotjobs.localhub.process.listeners import abort_rest, device_limits, limit_tls_buffers, start
from azext_iotjobs.localhub.process.outages import Outages
from azext_iotjobs.localhub.process.ready_file import remove_old_ready_file, write_ready_file
from azext_iotjobs.localhub.process.sockets import HubSockets, Ports, listen_for_all
from azext_iotjobs.localhub.process.state_file import (
    SERVICE,
    Credentials,
    Listening,
    describe,
    remove_state_file,
    write_state_file,
)
from azext_iotjobs.localhub.rules.blob_sas import StorageAccount, account_key
from azext_iotjobs.localhub.rules.host_names import ALL_ADDRESSES, EVENT_HUB_NAME, HostNames, host_name, with_port
from azext_iotjobs.localhub.rules.seed import SeedMistake
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.twins import Twins
from azext_iotjobs.localhub.tls.context import HubContext

logger = logging.getLogger(__name__)

URI_LIFE = timedelta(days=20 * 365)  # of the signature that is shown: longer than the clock may be moved


async def serve(config: LocalHubConfig, on_ready: Callable[[Listening], None], stop: asyncio.Event) -> None:
    """Run a hub until `stop` is set.

    on_ready: called once, when clients are served.
    Raises PortTaken, FolderUnusable.
    """
    clock, loop = HubClock(scale=config.time_scale), asyncio.get_running_loop()
    faults = Faults(clock)
    async with contextlib.AsyncExitStack() as at_end:
        at_end.callback(claim_folder(config.data_dir).release)
        if config.ready_file is not None:
            remove_old_ready_file(config.ready_file)
        outages = Outages(is_serving=False)
        complete_restore(config)
        database = open_database(config, outages)
        at_end.callback(database.close)
        clock.resume(read_clock_offset(config, database))
        event_database, event_log = open_event_log(config, outages, loop, clock.now())
        if event_database is not None:
            at_end.callback(event_database.close)
        at_end.callback(event_log.store)
        identities = Identities(database, Twins(database))
        at_end.callback(identities.presence.write)
        keys = open_keys(config, clock, identities)
        write_ca_copy(config, keys)

        sockets = listen_for_all(config)
        ports = sockets.ports

        host_names = HostNames(config.bind, *filter(None, ports), dns_names=config.dns_names)
        authenticator = Authenticator(
            keys.policies, identities, Authorities(database), host_names, clock, faults.clock_skew
        )
        account = StorageAccount(_blob_host(config, ports), account_key(keys.policies[OWNER]))
        storage = open_storage(config, account)
        at_end.callback(storage.close)
        stores = Stores(database, event_log, storage)
        hub = _assemble(config, stores, identities, authenticator, clock, keys, faults, stop)
        at_end.callback(hub.clock_service.end)
        if not await _apply_seed(hub, config, stop):
            return

        endpoint = EventHubEndpoint(port=ports.amqp, name=EVENT_HUB_NAME)
        parts = amqp_parts(hub, endpoint, host_names, clock, loop)
        await _serve_clients(hub, parts, authenticator, storage, sockets, keys.tls, at_end)
        _run_in_background(
            at_end,
            *(each.run() for each in (database, event_database) if each is not None),
            hub.job_runner.run(),
            hub.c2d_queue.run(),
            hub.file_notifications.run(),
            hub.import_export.run(),
            hub.configuration_rounds.run(),
            hub.clock_service.run(),
            identities.presence.run(),
            event_log.run(clock, outages),
        )

        listening = _announce(config, keys, storage, ports, clock, at_end)
        outages.is_serving = True
        if not stop.is_set():
            on_ready(listening)
        await stop.wait()
        logger.info("ending")


def _announce(
    config: LocalHubConfig,
    keys: Keys,
    storage: Storage,
    ports: Ports,
    clock: HubClock,
    at_end: contextlib.AsyncExitStack,
) -> Listening:
    """Say where the hub is, in its files and in its log; gives what it says."""
    container_uri = storage.signed_uri(REGISTRY, clock.now() + URI_LIFE)
    listening = describe(config, ports, _credentials(keys, container_uri), started_at=render(clock.now()))
    if listening.state_file is not None:
        write_state_file(listening.state_file, listening.document)
        at_end.callback(remove_state_file, listening.state_file)
    if config.ready_file is not None:
        at_end.callback(write_ready_file(config.ready_file, listening.document))
    logger.info(
        "ready: HTTPS port %d, MQTT port %d, AMQP port %d, process %d",
        *(ports.https, ports.mqtt, ports.amqp, os.getpid()),
    )
    if not config.is_local:
        _say_who_reaches_it(config, ports)
    return listening


def _assemble(
    config: LocalHubConfig,
    stores: Stores,
    identities: Identities,
    authenticator: Authenticator,
    clock: HubClock,
    keys: Keys,
    faults: Faults,
    stop: asyncio.Event,
) -> Hub:
    try:
        return assemble(config, stores, identities, authenticator, clock, keys, faults, stop.set)
    except (StoreUnavailable, StoreDamaged) as err:
        raise unusable_database(config, err) from err


async def _apply_seed(hub: Hub, config: LocalHubConfig, stop: asyncio.Event) -> bool:
    """Create what the hub is to begin with; gives whether it is to go on. Raises BadConfig, FolderUnusable."""
    if config.seed is None:
        return True
    work, stopped = asyncio.create_task(hub.seed_import.apply(config.seed)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            return False
        created, existing = work.result()
    except SeedMistake as err:
        raise BadConfig(f"--seed {config.seed_file or 'of this hub'}: {err}") from err
    except (StoreUnavailable, StoreDamaged) as err:
        raise unusable_database(config, err) from err
    finally:
        work.cancel()
        stopped.cancel()
    logger.info("seed: created %s; there already: %s", created, existing)
    return True


async def _serve_clients(
    hub: Hub,
    parts: HubParts,
    authenticator: Authenticator,
    storage: Storage,
    sockets: HubSockets,
    tls: HubContext,
    at_end: contextlib.AsyncExitStack,
) -> None:
    """Start every listener."""
    clock, loop = parts.clock, parts.loop
    tls.on_failed_handshake = hub.links.observations.connections.note_failed_handshake
    amqp = AmqpListener(parts, authenticator)
    hub.snapshots.close_more = partial(amqp.close_connections, "The hub is brought back to a snapshot.")

    mqtt = MqttListener(hub.devices, hub.links, clock, loop)
    limit_tls_buffers()
    endpoints = (
        WebSocketEndpoint(mqtt.new_connection, amqp.new_connection, hub.links.faults),
        BlobEndpoint(storage, clock, hub.links.faults),
    )
    application = make_application(hub.handlers, authenticator, clock, endpoints, hub.quotas, hub.links)
    servers: list[asyncio.Server] = []
    at_end.push_async_callback(abort_rest, servers)
    runner = make_runner(application)
    await runner.setup()
    at_end.push_async_callback(runner.cleanup)
    assert runner.server is not None  # since it is set up
    limits = device_limits()
    servers += await start(runner.server, sockets.https, tls, at_end, {})
    servers += await start(mqtt.new_connection, sockets.mqtt, tls, at_end, limits)
    servers += await start(amqp.new_connection, sockets.amqp, tls, at_end, limits)
    servers += await start(amqp.new_connection, sockets.amqp_plain, None, at_end, {})
    at_end.push_async_callback(_close_connections, hub.links, mqtt, amqp)
    at_end.callback(hub.links.observations.close)
    at_end.callback(parts.event_log.shown.waits.close)


def _run_in_background(at_end: contextlib.AsyncExitStack, *work: Coroutine[Any, Any, None]) -> None:
    """Run these until the hub ends."""
    for each in work:
        at_end.push_async_callback(_cancel, asyncio.create_task(each))


def _say_who_reaches_it(config: LocalHubConfig, ports: Ports) -> None:
    """For a hub that others than this machine reach."""
    where = "every address of this machine" if config.bind == ALL_ADDRESSES else config.bind
    logger.warning(
        "the hub listens at %s, ports %d, %d and %d: its keys, in %s, are all that keeps others out",
        *(where, ports.https, ports.mqtt, ports.amqp, config.data_dir / "policies.json"),
    )


def _blob_host(config: LocalHubConfig, ports: Ports) -> str:
    """The host of blobs' URIs. Who reads them may be elsewhere, where the hub has a name for that."""
    names = config.dns_names
    return with_port(names[0], ports.https) if names else host_name(config.bind, ports.https)


def _credentials(keys: Keys, container_uri: str) -> Credentials:
    return Credentials(
        policy=OWNER,
        key=keys.policies[OWNER],
        service_key=keys.policies[SERVICE],
        ca_file=keys.certificates.ca_file,
        bundle_file=keys.certificates.bundle_file,
        container_uri=container_uri,
    )


async def _close_connections(links: Links, mqtt: MqttListener, amqp: AmqpListener) -> None:
    links.drop_all()
    mqtt.close_connections()
    amqp.close_connections()
    await asyncio.sleep(0.05)  # let what was written go out


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
