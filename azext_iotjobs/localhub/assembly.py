"""Creates the parts of a hub over one database and connects them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from azext_iotjobs.localhub.amqp.nodes.base import EventHubEndpoint, HubParts
from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.auth.policies import OWNER
from azext_iotjobs.localhub.blobs.storage import Storage
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.data_folder import Keys
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.clock_service import ClockService
from azext_iotjobs.localhub.engine.configuration_rounds import ConfigurationRounds
from azext_iotjobs.localhub.engine.configuration_targets import TargetEvaluator
from azext_iotjobs.localhub.engine.configurations import ConfigurationService
from azext_iotjobs.localhub.engine.device_service import DeviceService
from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.event_readers import EventReaders
from azext_iotjobs.localhub.engine.faults import Faults
from azext_iotjobs.localhub.engine.feedback_queue import FeedbackQueue
from azext_iotjobs.localhub.engine.file_notifications import FileNotifications
from azext_iotjobs.localhub.engine.file_uploads import FileUploadService
from azext_iotjobs.localhub.engine.import_export import ImportExport
from azext_iotjobs.localhub.engine.index_keeper import IndexKeeper
from azext_iotjobs.localhub.engine.job_runner import JobRunner
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.engine.paced_selector import PacedSelector
from azext_iotjobs.localhub.engine.quotas import Quotas, make_quotas
from azext_iotjobs.localhub.engine.registry import Registry
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.engine.snapshots import SnapshotParts, Snapshots
from azext_iotjobs.localhub.engine.transfer_runs import Codecs
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.http.bulk import BulkRoutes
from azext_iotjobs.localhub.http.certificates import CertificateRoutes
from azext_iotjobs.localhub.http.clock import ClockRoutes
from azext_iotjobs.localhub.http.configuration_lines import ConfigurationLines
from azext_iotjobs.localhub.http.configurations import ConfigurationRoutes
from azext_iotjobs.localhub.http.control import ControlRoutes
from azext_iotjobs.localhub.http.digital_twins import DigitalTwinRoutes
from azext_iotjobs.localhub.http.edge import EdgeRoutes
from azext_iotjobs.localhub.http.faults import FaultRoutes
from azext_iotjobs.localhub.http.files import FileRoutes
from azext_iotjobs.localhub.http.identities import IdentityRoutes
from azext_iotjobs.localhub.http.import_export import ImportExportRoutes
from azext_iotjobs.localhub.http.jobs import JobRoutes
from azext_iotjobs.localhub.http.local_messages import LocalMessageRoutes
from azext_iotjobs.localhub.http.messages import MessageRoutes
from azext_iotjobs.localhub.http.observations import ObservationRoutes
from azext_iotjobs.localhub.http.public import PublicRoutes
from azext_iotjobs.localhub.http.queries import QueryRoutes
from azext_iotjobs.localhub.http.quotas import QuotaRoutes
from azext_iotjobs.localhub.http.route import RouteHandlers
from azext_iotjobs.localhub.http.routes_with_faults import routes_with_faults
from azext_iotjobs.localhub.http.seed import SeedRoutes
from azext_iotjobs.localhub.http.seed_export import SeedExport
from azext_iotjobs.localhub.http.seed_import import SeedImport
from azext_iotjobs.localhub.http.snapshots import SnapshotRoutes
from azext_iotjobs.localhub.http.transfer_lines import TransferLines
from azext_iotjobs.localhub.http.twins import TwinRoutes
from azext_iotjobs.localhub.process.config import LocalHubConfig
from azext_iotjobs.localhub.rules.configuration import max_configurations
from azext_iotjobs.localhub.rules.host_names import HostNames
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.configurations import Configurations
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.file_uploads import FileUploads
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.jobs import Jobs
from azext_iotjobs.localhub.store.messages import Messages
from azext_iotjobs.localhub.store.path_index import PathIndex
from azext_iotjobs.localhub.store.sessions import Sessions
from azext_iotjobs.localhub.store.transfer_jobs import TransferJobs
from azext_iotjobs.localhub.store.twins import Twins
from azext_iotjobs.localhub.tls.certificates import ca_certificate


@dataclass(frozen=True, kw_only=True)
class Hub:
    """What the listeners serve, and what runs in the background."""

    quotas: Quotas | None  # None: nothing is limited
    handlers: RouteHandlers
    devices: DeviceService
    links: Links
    job_runner: JobRunner
    c2d_queue: C2dQueue
    event_log: EventLog
    consumer_groups: tuple[str, ...]  # of events, beside $Default
    file_notifications: FileNotifications
    import_export: ImportExport
    configuration_rounds: ConfigurationRounds
    clock_service: ClockService
    snapshots: Snapshots
    seed_import: SeedImport


class Stores(NamedTuple):
    """What the hub's data are in."""

    database: Database
    event_log: EventLog
    storage: Storage


def assemble(
    config: LocalHubConfig,
    stores: Stores,
    identities: Identities,
    authenticator: Authenticator,
    clock: HubClock,
    keys: Keys,
    faults: Faults,
    stop: Callable[[], None],
) -> Hub:
    """A hub over one database, in the state in which the last hub on it ended.

    keys: of the policies; the owner's signs continuation tokens too.  faults: what is to go wrong.  stop: ends the hub.
    Raises StoreUnavailable, StoreDamaged.
    """
    database, event_log, storage = stores
    twin_rows, jobs, messages = Twins(database), Jobs(database), Messages(database)
    authorities, links = Authorities(database), Links(faults, Observations(clock))
    selector = Selector(database, identities.presence)
    twins = TwinService(twin_rows, links, clock)
    registry = Registry(database, identities, links, clock)
    c2d_queue = C2dQueue(database, messages, identities, links, clock)
    quotas = make_quotas(config.sku, config.units, clock)
    paced = PacedSelector(selector, IndexKeeper(PathIndex(database), identities.presence))
    job_runner = JobRunner(database, jobs, selector, twins, links, clock, quotas, paced)
    evaluator = TargetEvaluator(database, Configurations(database), twin_rows, twins, registry)
    rounds, configurations = _configurations(config, database, selector, evaluator, clock)
    devices = DeviceService(authenticator, identities, Sessions(database), twins, c2d_queue, event_log, clock, quotas)
    file_notifications = FileNotifications(database, FileUploads(database), clock)
    uploads = FileUploadService(database, FileUploads(database), file_notifications, storage, clock)
    bulk = BulkRoutes(database, registry, identities, twins, clock)
    codecs = Codecs(devices=TransferLines(bulk, twin_rows), configurations=ConfigurationLines(configurations))
    import_export = ImportExport(database, TransferJobs(database), identities, storage, codecs, clock)
    clock_service = ClockService(database, clock)
    forget = (
        identities.presence.forget_all,
        clock_service.reload,
        c2d_queue.forget,
        rounds.restart,
        import_export.restart,
        faults.clear,
        links.observations.clear,
    )
    snapshot_parts = SnapshotParts(database, event_log, identities, links, job_runner, forget)
    snapshots = Snapshots(snapshot_parts, clock, config.data_dir, is_on_disk=not config.in_memory, stop=stop)
    identities.disconnect_all(render(clock.now()))
    c2d_queue.recover()
    certificates = CertificateRoutes(authorities, clock)
    seed_import = SeedImport(database, registry, identities, certificates, configurations, clock)
    handlers = RouteHandlers(
        identities=IdentityRoutes(registry, identities, links),
        bulk=bulk,
        edge=EdgeRoutes(database, registry, identities, twins),
        configurations=ConfigurationRoutes(configurations),
        twins=TwinRoutes(identities, twins, links),
        digital_twins=DigitalTwinRoutes(identities, twins, links),
        jobs=JobRoutes(jobs, job_runner, clock, config.job_slots, keys.policies[OWNER]),
        queries=QueryRoutes(paced, keys.policies[OWNER]),
        messages=MessageRoutes(devices, c2d_queue),
        files=FileRoutes(uploads, file_notifications, storage.account.port_suffix),
        import_export=ImportExportRoutes(import_export, storage, authenticator.is_own_host, clock),
        certificates=certificates,
        control=ControlRoutes(
            database, identities, jobs, event_log, links, job_runner, import_export, clock_service, stop
        ),
        public=PublicRoutes(database.outages, ca_certificate(keys.certificates)),
        local_messages=LocalMessageRoutes(event_log, c2d_queue, clock),
        quotas=QuotaRoutes(config, quotas, jobs),
        clock=ClockRoutes(clock_service),
        faults=FaultRoutes(faults, routes_with_faults()),
        seed=SeedRoutes(seed_import, SeedExport(identities, twin_rows, authorities, configurations)),
        snapshots=SnapshotRoutes(snapshots),
        observations=ObservationRoutes(links.observations),
    )
    return Hub(
        quotas=quotas,
        handlers=handlers,
        devices=devices,
        links=links,
        job_runner=job_runner,
        c2d_queue=c2d_queue,
        event_log=event_log,
        consumer_groups=config.consumer_groups,
        file_notifications=file_notifications,
        import_export=import_export,
        configuration_rounds=rounds,
        clock_service=clock_service,
        snapshots=snapshots,
        seed_import=seed_import,
    )


def _configurations(
    config: LocalHubConfig, database: Database, selector: Selector, evaluator: TargetEvaluator, clock: HubClock
) -> tuple[ConfigurationRounds, ConfigurationService]:
    rows = Configurations(database)
    rounds = ConfigurationRounds(database, rows, selector, evaluator, clock)
    return rounds, ConfigurationService(database, rows, clock, max_configurations(config.sku), rounds.wake)


def amqp_parts(
    hub: Hub, event_hub: EventHubEndpoint, host_names: HostNames, clock: HubClock, loop: asyncio.AbstractEventLoop
) -> HubParts:
    """What the nodes of AMQP links use of a hub."""
    return HubParts(
        devices=hub.devices,
        links=hub.links,
        c2d_queue=hub.c2d_queue,
        feedback=FeedbackQueue(hub.c2d_queue),
        file_notifications=hub.file_notifications,
        event_hub=event_hub,
        event_log=hub.event_log,
        event_readers=EventReaders(hub.consumer_groups),
        host_names=host_names,
        quotas=hub.quotas,
        clock=clock,
        loop=loop,
    )
