"""The table of routes: verb, path, caller, throttle -> handler. A new route is a new row; the docs are made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.http import (
    certificates,
    clock,
    control,
    costs,
    faults,
    local_messages,
    observations,
    public,
    quotas,
    seed,
    snapshots,
)
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
from azext_iotjobs.localhub.process.seed_file import MAX_BYTES as MAX_SEED_BYTES
from azext_iotjobs.localhub.rules.quota import Throttle

MAX_BODY_BYTES = 1024 * 1024  # a job with a method payload of 128 KB and a full condition is far below
MAX_SNAPSHOT_BYTES = 1024 * 1024 * 1024  # events on disk may take half of it


class Caller(Enum):
    """Callers that are allowed by something other than a policy's right."""

    DEVICE = "the device itself"  # or a policy that may connect devices
    # IoT Hub does not have the routes of these two, so that they take no api-version.
    OWNER = "iothubowner"  # by its own key
    ANYBODY = "anybody"  # without a key


READ, WRITE, SERVICE = Right.REGISTRY_READ, Right.REGISTRY_WRITE, Right.SERVICE_CONNECT
# Which right jobs need is not confirmed: registry rights are documented, service connect is plausible.
JOBS = READ | WRITE | SERVICE


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

CALL_METHOD = "/twins/{id}/methods"  # what clients do most
MODULE = "/devices/{id}/modules/{module}"
EDGE = "/devices/{id}/applyConfigurationContent"
ONE_CONFIGURATION = "/configurations/{configuration}"
COMPONENT = "/digitaltwins/{id}/components/{component}"
FEEDBACK = "/messages/serviceBound/feedback"
FILES, FILE_NOTIFICATIONS = "/devices/{id}/files", "/messages/serviceBound/filenotifications"
EVENTS, BOUND = "/devices/{id}/messages/events", "/devices/{id}/messages/deviceBound"
CERTIFICATE = "/_local/certificates/{certificate}"
FAULT = "/_local/faults/{fault}"


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


REGISTRY_READ, REGISTRY_WRITE = Access(READ, Throttle.REGISTRY), Access(WRITE, Throttle.REGISTRY)
STATISTICS = Access(SERVICE, Throttle.REGISTRY)
CONFIGURATION, CONFIGURATION_READ = Access(WRITE, Throttle.CONFIGURATIONS), Access(READ, Throttle.CONFIGURATIONS)
TWIN_READ, TWIN_UPDATE = Access(SERVICE, Throttle.TWIN_READS), Access(SERVICE, Throttle.TWIN_UPDATES)
METHOD, QUERY = Access(SERVICE, Throttle.METHODS), Access(SERVICE, Throttle.QUERIES)
JOB, OLD_JOB = Access(JOBS, Throttle.JOBS), Access(WRITE, Throttle.JOBS)
MESSAGES = Access(SERVICE, None)
DEVICE_SEND, DEVICE_RECEIVE = Access(Caller.DEVICE, Throttle.SENDS), Access(Caller.DEVICE, Throttle.MESSAGE_RECEIVES)
DEVICE_SETTLE, DEVICE_UPLOAD = Access(Caller.DEVICE, None), Access(Caller.DEVICE, Throttle.FILE_UPLOADS)
LOCAL, LOCAL_SEND = Access(Caller.OWNER, None), Access(Caller.OWNER, Throttle.MESSAGE_SENDS)
PUBLIC = Access(Caller.ANYBODY, None)


def _route(
    target: str,
    access: Access,
    handler: Find,
    what: str,
    cost: Cost = costs.one,
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Route:
    verb, path = target.split()
    return Route(verb, path, access.caller, access.throttle, handler, what, cost, max_body_bytes)


def _own(
    target: str, access: Access, handler: Find, what: str, form: OwnForm, max_body_bytes: int = MAX_BODY_BYTES
) -> Route:
    verb, path = target.split()
    return Route(verb, path, *access, handler, what, max_body_bytes=max_body_bytes, form=form)


ROUTES = (
    _route("GET /devices", REGISTRY_READ, lambda h: h.identities.list, "list devices, `top` 1 to 1,000"),
    _route(
        "POST /devices",
        REGISTRY_WRITE,
        lambda h: h.bulk.post,
        "bulk, at most 100 items, every `importMode`",
        costs.each_item,
    ),
    _route("GET /devices/{id}", REGISTRY_READ, lambda h: h.identities.get, "show a device"),
    _route("PUT /devices/{id}", REGISTRY_WRITE, lambda h: h.identities.put, "create; with If-Match, update"),
    _route("DELETE /devices/{id}", REGISTRY_WRITE, lambda h: h.identities.delete, "delete; needs If-Match"),
    _route("GET /devices/{id}/modules", REGISTRY_READ, lambda h: h.identities.list_modules, "list modules"),
    _route(f"GET {MODULE}", REGISTRY_READ, lambda h: h.identities.get_module, "show a module"),
    _route(f"PUT {MODULE}", REGISTRY_WRITE, lambda h: h.identities.put_module, "create; with If-Match, update"),
    _route(f"DELETE {MODULE}", REGISTRY_WRITE, lambda h: h.identities.delete_module, "delete; needs If-Match"),
    _route(
        "POST /devices/keys/regenerate",
        REGISTRY_WRITE,
        lambda h: h.bulk.renew_keys,
        "renew up to 1,000 keys",
        costs.each_device,
    ),
    _route(f"POST {EDGE}", CONFIGURATION, lambda h: h.edge.apply, "set the modules of an edge device"),
    _route("GET /configurations", CONFIGURATION_READ, lambda h: h.configurations.list, "list configurations"),
    _route(f"GET {ONE_CONFIGURATION}", CONFIGURATION_READ, lambda h: h.configurations.get, "show a configuration"),
    _route(f"PUT {ONE_CONFIGURATION}", CONFIGURATION, lambda h: h.configurations.put, "create; with If-Match, update"),
    _route(f"DELETE {ONE_CONFIGURATION}", CONFIGURATION, lambda h: h.configurations.delete, "delete"),
    _route(
        "POST /configurations/testQueries",
        CONFIGURATION,
        lambda h: h.configurations.test_queries,
        "test a target condition and metric queries",
    ),
    _route("GET /statistics/devices", REGISTRY_READ, lambda h: h.identities.device_statistics, "count devices"),
    _route("GET /statistics/service", STATISTICS, lambda h: h.identities.service_statistics, "count connected devices"),
    _route("GET /twins/{id}", TWIN_READ, lambda h: h.twins.get, "show a twin"),
    _route("PATCH /twins/{id}", TWIN_UPDATE, lambda h: h.twins.patch, "merge tags and desired properties"),
    _route("PUT /twins/{id}", TWIN_UPDATE, lambda h: h.twins.put, "replace tags and desired properties"),
    _route("GET /twins/{id}/modules/{module}", TWIN_READ, lambda h: h.twins.get, "show a module's twin"),
    _route("PATCH /twins/{id}/modules/{module}", TWIN_UPDATE, lambda h: h.twins.patch, "merge"),
    _route("PUT /twins/{id}/modules/{module}", TWIN_UPDATE, lambda h: h.twins.put, "replace"),
    _route(f"POST {CALL_METHOD}", METHOD, lambda h: h.twins.invoke, "call a device's method", costs.payload_blocks),
    _route(
        "POST /twins/{id}/modules/{module}/methods",
        METHOD,
        lambda h: h.twins.invoke,
        "call a module's method",
        costs.payload_blocks,
    ),
    _route("GET /digitaltwins/{id}", TWIN_READ, lambda h: h.digital_twins.get, "show a digital twin"),
    _route(
        "PATCH /digitaltwins/{id}", TWIN_UPDATE, lambda h: h.digital_twins.patch, "change desired values by JSON Patch"
    ),
    _route(
        "POST /digitaltwins/{id}/commands/{command}",
        METHOD,
        lambda h: h.digital_twins.invoke,
        "call a command",
        costs.body_blocks,
    ),
    _route(
        f"POST {COMPONENT}/commands/{{command}}",
        METHOD,
        lambda h: h.digital_twins.invoke,
        "call a component's command",
        costs.body_blocks,
    ),
    _route("POST /devices/query", QUERY, lambda h: h.queries.post, "query twins and device jobs"),
    _route("GET /jobs/v2/query", JOB, lambda h: h.jobs.list, "list jobs by `jobType`, `jobStatus`"),
    _route("PUT /jobs/v2/{job}", JOB, lambda h: h.jobs.put, "create a job"),
    _route("GET /jobs/v2/{job}", JOB, lambda h: h.jobs.get, "show a job; 200 `unknown` for one that does not exist"),
    _route("POST /jobs/v2/{job}/cancel", JOB, lambda h: h.jobs.cancel, "cancel a job that has not begun"),
    _route("GET /jobs", OLD_JOB, lambda h: h.import_export.list, "import and export jobs"),
    _route(
        "POST /jobs/create",
        OLD_JOB,
        lambda h: h.import_export.create,
        "import or export devices, with this hub's blobs",
    ),
    _route("GET /jobs/{job}", OLD_JOB, lambda h: h.import_export.get, "show an import or export job"),
    _route("DELETE /jobs/{job}", OLD_JOB, lambda h: h.import_export.cancel, "cancel an import or export job"),
    _route("DELETE /devices/{id}/commands", MESSAGES, lambda h: h.messages.purge, "purge a device's messages"),
    _route(f"GET {FEEDBACK}", MESSAGES, lambda h: h.messages.feedback, "feedback on messages, locked for 60 s"),
    _route(f"DELETE {FEEDBACK}/{{token}}", MESSAGES, lambda h: h.messages.complete_feedback, "complete feedback"),
    _route(f"POST {FEEDBACK}/{{token}}/abandon", MESSAGES, lambda h: h.messages.abandon_feedback, "abandon feedback"),
    _route(f"POST {EVENTS}", DEVICE_SEND, lambda h: h.messages.send_event, "telemetry", costs.each_message),
    _route(f"GET {BOUND}", DEVICE_RECEIVE, lambda h: h.messages.receive, "receive a message; 204 when there is none"),
    _route(f"DELETE {BOUND}/{{token}}", DEVICE_SETTLE, lambda h: h.messages.settle, "complete, or `?reject`"),
    _route(f"POST {BOUND}/{{token}}/abandon", DEVICE_SETTLE, lambda h: h.messages.abandon, "abandon"),
    _route(f"POST {FILES}", DEVICE_UPLOAD, lambda h: h.files.begin, "begin a file upload"),
    _route(f"POST {FILES}/notifications", DEVICE_SETTLE, lambda h: h.files.end, "end a file upload"),
    _route(f"POST {FILES}/notifications/{{correlation}}", DEVICE_SETTLE, lambda h: h.files.end, "end a file upload"),
    _route(
        f"GET {FILE_NOTIFICATIONS}",
        MESSAGES,
        lambda h: h.files.notification,
        "a notification of an uploaded file, locked for 60 s",
    ),
    _route(f"DELETE {FILE_NOTIFICATIONS}/{{token}}", MESSAGES, lambda h: h.files.complete, "complete a notification"),
    _route(
        f"POST {FILE_NOTIFICATIONS}/{{token}}/abandon", MESSAGES, lambda h: h.files.abandon, "abandon a notification"
    ),
    _own(
        "GET /_local/health",
        PUBLIC,
        lambda h: h.public.health,
        "200 `up`; 503 `trouble` while something does not work",
        public.HEALTH,
    ),
    _own("HEAD /_local/health", PUBLIC, lambda h: h.public.health, "the same without the body", public.HEALTH),
    _own("GET /_local/ca.pem", PUBLIC, lambda h: h.public.ca_certificate, "the hub's CA certificate", public.CA),
    _own("HEAD /_local/ca.pem", PUBLIC, lambda h: h.public.ca_certificate, "the same without the body", public.CA),
    _own(
        "GET /_local/state",
        LOCAL,
        lambda h: h.control.state,
        "process id; numbers of devices and active jobs",
        control.STATE,
    ),
    _own("GET /_local/troubles", LOCAL, lambda h: h.control.outages, "what does not work at present", control.TROUBLES),
    _own("GET /_local/quotas", LOCAL, lambda h: h.quotas.get, "the tier's quotas and their use", quotas.SHOW),
    _own(
        "GET /_local/events",
        LOCAL,
        lambda h: h.local_messages.events,
        "what devices sent",
        local_messages.EVENTS,
    ),
    _own(
        "POST /_local/devices/{id}/messages",
        LOCAL_SEND,
        lambda h: h.local_messages.send,
        "send a message",
        local_messages.SEND,
    ),
    _own("GET /_local/certificates", LOCAL, lambda h: h.certificates.list, "list CA certificates", certificates.LIST),
    _own(
        f"PUT {CERTIFICATE}",
        LOCAL,
        lambda h: h.certificates.put,
        "add a CA that signs devices' certificates",
        certificates.PUT,
    ),
    _own(f"DELETE {CERTIFICATE}", LOCAL, lambda h: h.certificates.delete, "remove a CA", certificates.DELETE),
    _own("GET /_local/seed", LOCAL, lambda h: h.seed.get, "what the hub holds, as a seed", seed.GET),
    _own(
        "POST /_local/seed",
        LOCAL,
        lambda h: h.seed.post,
        "create what a seed (YAML or JSON) has and the hub has not",
        seed.POST,
        max_body_bytes=MAX_SEED_BYTES,
    ),
    _own("GET /_local/snapshot", LOCAL, lambda h: h.snapshots.get, "all that the hub holds, as a file", snapshots.GET),
    _own(
        "PUT /_local/snapshot",
        LOCAL,
        lambda h: h.snapshots.put,
        "bring the hub back to such a file",
        snapshots.PUT,
        max_body_bytes=MAX_SNAPSHOT_BYTES,
    ),
    _own(
        "GET /_local/connections",
        LOCAL,
        lambda h: h.observations.connections,
        "connections that were made, refused and ended",
        observations.CONNECTIONS,
    ),
    _own("GET /_local/calls", LOCAL, lambda h: h.observations.calls, "method calls", observations.CALLS),
    _own(
        "GET /_local/reported",
        LOCAL,
        lambda h: h.observations.reported,
        "changes of reported properties",
        observations.REPORTED,
    ),
    _own(
        "GET /_local/requests",
        LOCAL,
        lambda h: h.observations.requests,
        "HTTPS requests, but those to `/_local`",
        observations.REQUESTS,
    ),
    _own("GET /_local/faults", LOCAL, lambda h: h.faults.list, "list the faults that were requested", faults.LIST),
    _own("POST /_local/faults", LOCAL, lambda h: h.faults.add, "request a fault", faults.ADD),
    _own("DELETE /_local/faults", LOCAL, lambda h: h.faults.clear, "clear all faults", faults.CLEAR),
    _own(f"GET {FAULT}", LOCAL, lambda h: h.faults.get, "show a fault, and how often it has happened", faults.GET),
    _own(f"DELETE {FAULT}", LOCAL, lambda h: h.faults.clear_one, "clear a fault", faults.CLEAR_ONE),
    _own("GET /_local/clock", LOCAL, lambda h: h.clock.get, "the hub's time, and how far it is ahead", clock.SHOW),
    _own("POST /_local/clock", LOCAL, lambda h: h.clock.advance, "move the clock ahead by a duration", clock.ADVANCE),
    _own("POST /_local/reset", LOCAL, lambda h: h.control.reset, "remove everything but the keys", control.RESET),
    _own("POST /_local/stop", LOCAL, lambda h: h.control.stop, "stop the hub", control.STOP),
)
