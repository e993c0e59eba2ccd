"""The table (verb, path, right) -> handler. Adding a route is adding a row."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from azext_iotjobs.localhub.http.asked import Answer, Asked
from azext_iotjobs.localhub.http.control import ControlRoutes
from azext_iotjobs.localhub.http.identities import IdentityRoutes
from azext_iotjobs.localhub.http.jobs import JobRoutes
from azext_iotjobs.localhub.http.queries import QueryRoutes
from azext_iotjobs.localhub.http.twins import TwinRoutes
from azext_iotjobs.localhub.policies import Right

# Which right jobs need is not confirmed by anyone: registry rights are documented, service connect is plausible.
JOB_RIGHTS = Right.REGISTRY_READ | Right.REGISTRY_WRITE | Right.SERVICE_CONNECT


@dataclass(frozen=True)
class Route:
    """One row of the table."""

    verb: str
    path: str  # {name} is a part
    right: Right  # any one of these will do
    handler: Callable[[Asked], Awaitable[Answer]]
    owner_only: bool = False
    needs_api_version: bool = True


def routes(
    identities: IdentityRoutes, twins: TwinRoutes, jobs: JobRoutes, queries: QueryRoutes, control: ControlRoutes
) -> tuple[Route, ...]:
    """Every route of the hub."""
    read, write, service = Right.REGISTRY_READ, Right.REGISTRY_WRITE, Right.SERVICE_CONNECT
    return (
        Route("GET", "/devices", read, identities.list),
        Route("GET", "/devices/{id}", read, identities.get),
        Route("PUT", "/devices/{id}", write, identities.put),
        Route("DELETE", "/devices/{id}", write, identities.delete),
        Route("GET", "/statistics/devices", read, identities.statistics),
        Route("GET", "/twins/{id}", service, twins.get),
        Route("PATCH", "/twins/{id}", service, twins.patch),
        Route("PUT", "/twins/{id}", service, twins.put),
        Route("POST", "/twins/{id}/methods", service, twins.invoke),
        Route("GET", "/jobs/v2/query", JOB_RIGHTS, jobs.list),
        Route("PUT", "/jobs/v2/{id}", JOB_RIGHTS, jobs.put),
        Route("GET", "/jobs/v2/{id}", JOB_RIGHTS, jobs.get),
        Route("POST", "/jobs/v2/{id}/cancel", JOB_RIGHTS, jobs.cancel),
        Route("GET", "/jobs", write, jobs.list_v1),
        Route("GET", "/jobs/{id}", write, jobs.refuse_v1),
        Route("DELETE", "/jobs/{id}", write, jobs.refuse_v1),
        Route("POST", "/devices/query", service, queries.post),
        Route("GET", "/_local/health", write, control.health, owner_only=True, needs_api_version=False),
        Route("GET", "/_local/events", write, control.events, owner_only=True, needs_api_version=False),
        Route("POST", "/_local/reset", write, control.reset, owner_only=True, needs_api_version=False),
        Route("POST", "/_local/stop", write, control.stop, owner_only=True, needs_api_version=False),
    )
