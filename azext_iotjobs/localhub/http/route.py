"""A row of the table of routes, who may call it, and the objects whose methods handle requests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.http import costs
from azext_iotjobs.localhub.http.bulk import BulkRoutes
from azext_iotjobs.localhub.http.certificates import CertificateRoutes
from azext_iotjobs.localhub.http.clock import ClockRoutes
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
from azext_iotjobs.localhub.http.own_request import OwnForm
from azext_iotjobs.localhub.http.public import PublicRoutes
from azext_iotjobs.localhub.http.queries import QueryRoutes
from azext_iotjobs.localhub.http.quotas import QuotaRoutes
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.http.seed import SeedRoutes
from azext_iotjobs.localhub.http.snapshots import SnapshotRoutes
from azext_iotjobs.localhub.http.twins import TwinRoutes
from azext_iotjobs.localhub.rules.quota import Throttle

MAX_BODY_BYTES = 1024 * 1024  # a job with a method payload of 128 KB and a full condition is far below


class Caller(Enum):
    """Callers that are allowed by something other than a policy's right."""

    DEVICE = "the device itself"  # or a policy that may connect devices
    # IoT Hub does not have the routes of these two, so that they take no api-version.
    OWNER = "iothubowner"  # by its own key
    ANYBODY = "anybody"  # without a key


@dataclass(frozen=True, kw_only=True)
class RouteHandlers:
    """The objects whose methods handle requests."""

    identities: IdentityRoutes
    bulk: BulkRoutes
    edge: EdgeRoutes
    configurations: ConfigurationRoutes
    twins: TwinRoutes
    digital_twins: DigitalTwinRoutes
    jobs: JobRoutes
    queries: QueryRoutes
    messages: MessageRoutes
    files: FileRoutes
    import_export: ImportExportRoutes
    certificates: CertificateRoutes
    control: ControlRoutes
    public: PublicRoutes
    local_messages: LocalMessageRoutes
    quotas: QuotaRoutes
    faults: FaultRoutes
    clock: ClockRoutes
    seed: SeedRoutes
    snapshots: SnapshotRoutes
    observations: ObservationRoutes


Find = Callable[[RouteHandlers], Callable[[HubRequest], Awaitable[HubResponse]]]
Cost = Callable[[HubRequest], int]


@dataclass(frozen=True)
class Route:
    """One row of the table."""

    verb: str
    path: str  # {name} is a part, which `path_ids` checks; the other parts match in any case
    caller: Right | Caller  # any one of these rights is enough
    throttle: Throttle | None  # of the hub's tier
    handler: Find
    what: str  # for people
    cost: Cost = costs.one  # counted by its throttle
    max_body_bytes: int = MAX_BODY_BYTES
    form: OwnForm | None = None  # of the hub's own routes: what a request may have

    def __post_init__(self) -> None:
        if self.is_own != (self.form is not None):
            raise ValueError(f"{self.verb} {self.path}: the hub's own routes have a form, and only they")

    @property
    def is_own(self) -> bool:
        """Whether IoT Hub does not have it: it takes no api-version, and faults do not concern it."""
        return self.caller in (Caller.OWNER, Caller.ANYBODY)


class Access(NamedTuple):
    """Who may call a route, and the throttle that counts its requests."""

    caller: Right | Caller
    throttle: Throttle | None
