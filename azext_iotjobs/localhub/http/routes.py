"""The table (verb, path, who may, throttle) -> handler. Adding a route is adding a row; the docs are made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.errors import NOT_IMPLEMENTED, HubError
from azext_iotjobs.localhub.http import costs
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
from azext_iotjobs.localhub.http.request import Answer, Asked
from azext_iotjobs.localhub.http.twins import TwinRoutes
from azext_iotjobs.localhub.rules.quota import Throttle


class Who(Enum):
    """Who may come in by something other than a policy's right."""

    DEVICE = "the device itself"  # or a policy that may connect devices
    OWNER = "iothubowner"  # by its own key, and without an api-version: these are not IoT Hub's


READ, WRITE, SERVICE = Right.REGISTRY_READ, Right.REGISTRY_WRITE, Right.SERVICE_CONNECT
# Which right jobs need is not confirmed by anyone: registry rights are documented, service connect is plausible.
JOBS = READ | WRITE | SERVICE


@dataclass(frozen=True, kw_only=True)
class Desks:
    """Where the handlers are."""

    identities: IdentityRoutes
    bulk: BulkRoutes
    edge: EdgeRoutes
    twins: TwinRoutes
    jobs: JobRoutes
    queries: QueryRoutes
    messages: MessageRoutes
    certificates: CertificateRoutes
    control: ControlRoutes
    traffic: TrafficRoutes
    quotas: QuotaRoutes


@dataclass(frozen=True)
class Route:
    """One row of the table."""

    verb: str
    path: str  # {name} is a part, which `path_ids` checks; the other parts are found in any case
    who: Right | Who  # any one of these rights will do
    throttle: Throttle | None  # of the hub's tier
    handler: Callable[[Desks], Callable[[Asked], Awaitable[Answer]]]
    what: str  # for people
    cost: Callable[[Asked], int] = costs.one  # of its throttle


ROUTES = (
    Route(
        "GET", "/devices", READ, Throttle.REGISTRY, lambda desks: desks.identities.list,
        "list devices, `top` 1 to 1,000",
    ),
    Route(
        "POST", "/devices", WRITE, Throttle.REGISTRY, lambda desks: desks.bulk.post,
        "bulk, at most 100 items, every `importMode`", costs.each_item,
    ),
    Route("GET", "/devices/{id}", READ, Throttle.REGISTRY, lambda desks: desks.identities.get, "show a device"),
    Route(
        "PUT", "/devices/{id}", WRITE, Throttle.REGISTRY, lambda desks: desks.identities.put,
        "create; with If-Match, update",
    ),
    Route(
        "DELETE", "/devices/{id}", WRITE, Throttle.REGISTRY, lambda desks: desks.identities.delete,
        "delete; needs If-Match",
    ),
    Route(
        "GET", "/devices/{id}/modules", READ, Throttle.REGISTRY, lambda desks: desks.identities.list_modules,
        "list modules",
    ),
    Route(
        "GET", "/devices/{id}/modules/{module}", READ, Throttle.REGISTRY, lambda desks: desks.identities.get_module,
        "show a module",
    ),
    Route(
        "PUT", "/devices/{id}/modules/{module}", WRITE, Throttle.REGISTRY, lambda desks: desks.identities.put_module,
        "create; with If-Match, update",
    ),
    Route(
        "DELETE", "/devices/{id}/modules/{module}", WRITE, Throttle.REGISTRY,
        lambda desks: desks.identities.delete_module, "delete; needs If-Match",
    ),
    Route(
        "POST", "/devices/keys/regenerate", WRITE, Throttle.REGISTRY, lambda desks: desks.bulk.renew_keys,
        "renew keys, up to 1,000", costs.each_device,
    ),
    Route(
        "POST", "/devices/{id}/applyConfigurationContent", WRITE, Throttle.CONFIGURATIONS,
        lambda desks: desks.edge.apply, "set the modules of an edge device",
    ),
    Route(
        "GET", "/statistics/devices", READ, Throttle.REGISTRY, lambda desks: desks.identities.device_statistics,
        "count devices",
    ),
    Route(
        "GET", "/statistics/service", SERVICE, Throttle.REGISTRY, lambda desks: desks.identities.service_statistics,
        "count connected devices",
    ),
    Route("GET", "/twins/{id}", SERVICE, Throttle.TWIN_READS, lambda desks: desks.twins.get, "show a twin"),
    Route(
        "PATCH", "/twins/{id}", SERVICE, Throttle.TWIN_UPDATES, lambda desks: desks.twins.patch,
        "merge tags and desired properties",
    ),
    Route(
        "PUT", "/twins/{id}", SERVICE, Throttle.TWIN_UPDATES, lambda desks: desks.twins.put,
        "replace tags and desired properties",
    ),
    Route(
        "GET", "/twins/{id}/modules/{module}", SERVICE, Throttle.TWIN_READS, lambda desks: desks.twins.get,
        "show a module's twin",
    ),
    Route(
        "PATCH", "/twins/{id}/modules/{module}", SERVICE, Throttle.TWIN_UPDATES, lambda desks: desks.twins.patch,
        "merge",
    ),
    Route(
        "PUT", "/twins/{id}/modules/{module}", SERVICE, Throttle.TWIN_UPDATES, lambda desks: desks.twins.put,
        "replace",
    ),
    Route(
        "POST", "/twins/{id}/methods", SERVICE, Throttle.METHODS, lambda desks: desks.twins.invoke,
        "call a device's method", costs.payload_blocks,
    ),
    Route(
        "POST", "/twins/{id}/modules/{module}/methods", SERVICE, Throttle.METHODS, lambda desks: desks.twins.invoke,
        "call a module's method", costs.payload_blocks,
    ),
    Route(
        "POST", "/devices/query", SERVICE, Throttle.QUERIES, lambda desks: desks.queries.post,
        "query twins and device jobs",
    ),
    Route(
        "GET", "/jobs/v2/query", JOBS, Throttle.JOBS, lambda desks: desks.jobs.list,
        "list jobs by `jobType`, `jobStatus`",
    ),
    Route("PUT", "/jobs/v2/{job}", JOBS, Throttle.JOBS, lambda desks: desks.jobs.put, "create a job"),
    Route(
        "GET", "/jobs/v2/{job}", JOBS, Throttle.JOBS, lambda desks: desks.jobs.get,
        "show a job; 200 `unknown` for one that is not",
    ),
    Route(
        "POST", "/jobs/v2/{job}/cancel", JOBS, Throttle.JOBS, lambda desks: desks.jobs.cancel,
        "cancel a job that has not begun",
    ),
    Route(
        "GET", "/jobs", WRITE, Throttle.JOBS, lambda desks: desks.jobs.list_v1,
        "import and export jobs: always none",
    ),
    Route("GET", "/jobs/{job}", WRITE, Throttle.JOBS, lambda desks: desks.jobs.refuse_v1, "404 JobNotFound"),
    Route("DELETE", "/jobs/{job}", WRITE, Throttle.JOBS, lambda desks: desks.jobs.refuse_v1, "404 JobNotFound"),
    Route(
        "DELETE", "/devices/{id}/commands", SERVICE, None, lambda desks: desks.messages.purge,
        "purge a device's messages",
    ),
    Route(
        "GET", "/messages/serviceBound/feedback", SERVICE, None, lambda desks: desks.messages.feedback,
        "feedback on messages, locked for 60 s",
    ),
    Route(
        "DELETE", "/messages/serviceBound/feedback/{token}", SERVICE, None,
        lambda desks: desks.messages.complete_feedback, "feedback has been read",
    ),
    Route(
        "POST", "/messages/serviceBound/feedback/{token}/abandon", SERVICE, None,
        lambda desks: desks.messages.abandon_feedback, "hand feedback out again",
    ),
    Route(
        "POST", "/devices/{id}/messages/events", Who.DEVICE, Throttle.SENDS, lambda desks: desks.messages.send_event,
        "telemetry", costs.each_message,
    ),
    Route(
        "GET", "/devices/{id}/messages/deviceBound", Who.DEVICE, Throttle.MESSAGE_RECEIVES,
        lambda desks: desks.messages.receive, "receive a message; 204 when there is none",
    ),
    Route(
        "DELETE", "/devices/{id}/messages/deviceBound/{token}", Who.DEVICE, None, lambda desks: desks.messages.settle,
        "complete, or `?reject`",
    ),
    Route(
        "POST", "/devices/{id}/messages/deviceBound/{token}/abandon", Who.DEVICE, None,
        lambda desks: desks.messages.abandon, "abandon",
    ),
    Route("GET", "/_local/health", Who.OWNER, None, lambda desks: desks.control.health, "what this hub says of itself"),
    Route("GET", "/_local/troubles", Who.OWNER, None, lambda desks: desks.control.troubles, "what does not work now"),
    Route("GET", "/_local/quotas", Who.OWNER, None, lambda desks: desks.quotas.get, "the tier's quotas and their use"),
    Route(
        "GET", "/_local/events", Who.OWNER, None, lambda desks: desks.traffic.events,
        "what devices sent, `after`, `wait`",
    ),
    Route(
        "POST", "/_local/devices/{id}/messages", Who.OWNER, Throttle.MESSAGE_SENDS, lambda desks: desks.traffic.send,
        "send a message",
    ),
    Route(
        "GET", "/_local/certificates", Who.OWNER, None, lambda desks: desks.certificates.list,
        "list CA certificates",
    ),
    Route(
        "PUT", "/_local/certificates/{certificate}", Who.OWNER, None, lambda desks: desks.certificates.put,
        "let a CA vouch for devices",
    ),
    Route(
        "DELETE", "/_local/certificates/{certificate}", Who.OWNER, None, lambda desks: desks.certificates.delete,
        "a CA vouches no more",
    ),
    Route("POST", "/_local/reset", Who.OWNER, None, lambda desks: desks.control.reset, "forget everything but keys"),
    Route("POST", "/_local/stop", Who.OWNER, None, lambda desks: desks.control.stop, "end"),
)  # fmt: skip


@dataclass(frozen=True)
class NotServed:
    """One row of the table of what IoT Hub has and this hub has not: it is answered with 501, which says so."""

    verbs: tuple[str, ...]
    path: str
    who: Right | Who
    feature: str  # the local hub has no ...
    why: str  # or what to do instead

    @property
    def routes(self) -> tuple[Route, ...]:
        """Its routes; who may not come in is not told even this."""

        async def refuse(_asked: Asked) -> Answer:
            raise HubError(NOT_IMPLEMENTED, f"The local hub has no {self.feature}: {self.why}.")

        return tuple(Route(verb, self.path, self.who, None, lambda _desks: refuse, self.why) for verb in self.verbs)


CONFIGURATIONS = "configurations (automatic device management and edge deployments)", "set twins by a job instead"
DIGITAL_TWINS = "digital twins", "models are kept as their ids and not read; /twins has the same properties"
COMMANDS = "commands of digital twins", "call the method by its name, or component*name, at /twins/{id}/methods"
FILES = "file upload", "there is no blob storage to upload to"
NOT_SERVED = (
    NotServed(("GET",), "/configurations", READ, *CONFIGURATIONS),
    NotServed(("GET",), "/configurations/{configuration}", READ, *CONFIGURATIONS),
    NotServed(("PUT", "DELETE"), "/configurations/{configuration}", WRITE, *CONFIGURATIONS),
    NotServed(("POST",), "/configurations/testQueries", WRITE, *CONFIGURATIONS),
    NotServed(("GET", "PATCH"), "/digitaltwins/{id}", SERVICE, *DIGITAL_TWINS),
    NotServed(("POST",), "/digitaltwins/{id}/commands/{name}", SERVICE, *COMMANDS),
    NotServed(("POST",), "/digitaltwins/{id}/components/{component}/commands/{name}", SERVICE, *COMMANDS),
    NotServed(("POST",), "/jobs/create", WRITE, "import and export jobs", "there is no blob storage to read or write"),
    NotServed(("POST",), "/devices/{id}/files", Who.DEVICE, *FILES),
    NotServed(("POST",), "/devices/{id}/files/notifications", Who.DEVICE, *FILES),
    NotServed(("POST",), "/devices/{id}/files/notifications/{correlation}", Who.DEVICE, *FILES),
    NotServed(("GET",), "/messages/serviceBound/filenotifications", SERVICE, *FILES),
    NotServed(("DELETE",), "/messages/serviceBound/filenotifications/{token}", SERVICE, *FILES),
    NotServed(("POST",), "/messages/serviceBound/filenotifications/{token}/abandon", SERVICE, *FILES),
)
