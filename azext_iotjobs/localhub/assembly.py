"""The rooms of a hub, put together over one database."""

from collections.abc import Callable
from dataclasses import dataclass

from azext_iotjobs.localhub.auth.authenticator import Gate
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.c2d_queue import Mailbox
from azext_iotjobs.localhub.engine.device_service import DeviceDesk
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.quotas import Quotas, make_quotas
from azext_iotjobs.localhub.engine.registry import Registry
from azext_iotjobs.localhub.engine.runner import Runner
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.engine.twin_service import TwinDesk
from azext_iotjobs.localhub.http.bulk import BulkRoutes
from azext_iotjobs.localhub.http.certificates import CertificateRoutes
from azext_iotjobs.localhub.http.control import ControlRoutes
from azext_iotjobs.localhub.http.edge import EdgeRoutes
from azext_iotjobs.localhub.http.identities import IdentityRoutes
from azext_iotjobs.localhub.http.jobs import JobRoutes
from azext_iotjobs.localhub.http.local_messages import TrafficRoutes
from azext_iotjobs.localhub.http.messages import MessageRoutes
from azext_iotjobs.localhub.http.queries import QueryRoutes
from azext_iotjobs.localhub.http.quotas import QuotaRoutes
from azext_iotjobs.localhub.http.routes import Desks
from azext_iotjobs.localhub.http.twins import TwinRoutes
from azext_iotjobs.localhub.process.config import LocalHubConfig
from azext_iotjobs.localhub.store.authorities import Authorities
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import Events
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.jobs import Jobs
from azext_iotjobs.localhub.store.messages import Messages
from azext_iotjobs.localhub.store.sessions import Sessions
from azext_iotjobs.localhub.store.twins import Twins


@dataclass(frozen=True, kw_only=True)
class Hub:
    """What moves in a hub, and its doors."""

    quotas: Quotas | None  # None: nothing is limited
    desks: Desks
    devices: DeviceDesk
    links: Links
    runner: Runner
    mailbox: Mailbox


def assemble(
    config: LocalHubConfig,
    database: Database,
    identities: Identities,
    gate: Gate,
    clock: HubClock,
    secret: str,
    stop: Callable[[], None],
) -> Hub:
    """Put the rooms together over one database, as a hub before this one left it.

    secret: what this hub alone knows.  stop: ends the hub.
    """
    twin_rows, jobs, messages = Twins(database), Jobs(database), Messages(database)
    authorities, events, links = Authorities(database), Events(), Links()
    selector = Selector(database, identities.presence)
    twins = TwinDesk(twin_rows, links, clock)
    registry = Registry(database, identities, links, clock)
    mailbox = Mailbox(database, messages, identities, links, clock)
    quotas = make_quotas(config.sku, config.units, clock, config.time_scale)
    runner = Runner(database, jobs, selector, twins, links, clock, quotas)
    devices = DeviceDesk(gate, identities, Sessions(database), twins, mailbox, events, clock, quotas)
    identities.disconnect_all(render(clock.now()))
    mailbox.recover()
    desks = Desks(
        identities=IdentityRoutes(registry, identities, links),
        bulk=BulkRoutes(database, registry, identities, twins, clock),
        edge=EdgeRoutes(database, registry, identities, twins),
        twins=TwinRoutes(identities, twins, links),
        jobs=JobRoutes(jobs, runner, clock, config.job_slots, secret),
        queries=QueryRoutes(selector, secret),
        messages=MessageRoutes(devices, mailbox),
        certificates=CertificateRoutes(authorities, clock),
        control=ControlRoutes(database, identities, jobs, events, links, runner, stop),
        traffic=TrafficRoutes(events, mailbox, clock),
        quotas=QuotaRoutes(config, quotas, jobs),
    )
    return Hub(quotas=quotas, desks=desks, devices=devices, links=links, runner=runner, mailbox=mailbox)
