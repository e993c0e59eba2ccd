"""The API's routes, and the topics that pages watch. To add one: a row here, and a function in `api/`.

Guards have looked at a request before it comes here: GET reads, and everything else may change something.
"""

from collections.abc import Mapping
from typing import NamedTuple

from azext_iotjobs.console.api import (
    device,
    device_calls,
    devices,
    fleet_job_actions,
    fleet_jobs,
    hub_jobs,
    job_forms,
    local_hub,
    local_hub_changes,
    session,
    simulations,
    telemetry,
)
from azext_iotjobs.console.parts import Handler, Topic


class Route(NamedTuple):
    """A method and a path of the API, and what answers."""

    method: str
    path: str
    handler: Handler


ROUTES = (
    Route("POST", "/api/session", session.sign_in),
    Route("GET", "/api/session", session.show),
    Route("GET", "/api/job-form", job_forms.show),
    Route("POST", "/api/job-form/check", job_forms.check),
    Route("POST", "/api/job-form/count", job_forms.count),
    Route("POST", "/api/job-form/review", job_forms.review),
    Route("POST", "/api/job-form/save", job_forms.save),
    Route("GET", "/api/fleet-jobs/{id}/devices", fleet_jobs.devices),
    Route("GET", "/api/fleet-jobs/{id}/results.csv", fleet_jobs.results),
    Route("POST", "/api/fleet-jobs/{id}/actions/{action}", fleet_job_actions.act),
    Route("GET", "/api/hub-jobs/{id}/devices", hub_jobs.devices),
    Route("POST", "/api/hub-jobs/{id}/actions/cancel", hub_jobs.cancel),
    Route("GET", "/api/devices", devices.query),
    Route("GET", "/api/devices/count", devices.count),
    Route("POST", "/api/devices", devices.create),
    Route("GET", "/api/devices/{id}/modules", device.modules),
    Route("POST", "/api/devices/{id}/modules", device.create_module),
    *(
        Route(method, f"/api/devices/{{id}}{of}/{verb}", handler)
        for of in ("", "/modules/{module}")
        for method, verb, handler in (
            ("GET", "twin", device.show_twin),
            ("POST", "twin", device.save_twin),
            ("POST", "keys", device.keys),
            ("POST", "method", device_calls.call_method),
            ("POST", "actions/{action}", device.act),
        )
    ),
    Route("POST", "/api/devices/{id}/message", device_calls.send_message),
    Route("POST", "/api/local-hub/strings", local_hub.connection_strings),
    Route("POST", "/api/local-hub/faults", local_hub_changes.add_fault),
    Route("POST", "/api/local-hub/faults/clear", local_hub_changes.clear_faults),
    Route("POST", "/api/local-hub/clock", local_hub_changes.advance_clock),
    Route("POST", "/api/local-hub/seed", local_hub_changes.seed),
    Route("POST", "/api/local-hub/snapshot", local_hub_changes.snapshot),
    Route("POST", "/api/local-hub/restore", local_hub_changes.restore),
    Route("POST", "/api/local-hub/reset", local_hub_changes.reset),
    Route("POST", "/api/simulations/{id}/actions/stop", simulations.stop),
)
TOPICS: Mapping[str, Topic] = {
    "fleet-jobs": Topic(fleet_jobs.read_list, interval_s=1),
    "fleet-job": Topic(fleet_jobs.read_one, interval_s=1),
    "hub-jobs": Topic(hub_jobs.read_list, interval_s=10),
    "hub-job": Topic(hub_jobs.read_one, interval_s=5),
    "simulations": Topic(simulations.read_list, interval_s=1),
    "simulation": Topic(simulations.read_one, interval_s=1),
    "twin": Topic(device.read_twin, interval_s=2),
    "local-hub": Topic(local_hub.read_state, interval_s=2),
    "local-hub-log": Topic(local_hub.read_log, interval_s=1),
    "telemetry": Topic(telemetry.read_newest, interval_s=1),
}
