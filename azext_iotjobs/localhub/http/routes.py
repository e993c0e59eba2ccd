"""The table of routes: verb, path, caller, throttle -> handler. A new route is a new row; the docs are made from it."""

from azext_iotjobs.localhub.auth.policies import Right
from azext_iotjobs.localhub.http import costs
from azext_iotjobs.localhub.http.own_routes import OWN_ROUTES
from azext_iotjobs.localhub.http.route import Access, Caller, Cost, Find, Route
from azext_iotjobs.localhub.rules.quota import Throttle

READ, WRITE, SERVICE = Right.REGISTRY_READ, Right.REGISTRY_WRITE, Right.SERVICE_CONNECT
# Which right jobs need is not confirmed: registry rights are documented, service connect is plausible.
JOBS = READ | WRITE | SERVICE

CALL_METHOD = "/twins/{id}/methods"  # what clients do most
MODULE = "/devices/{id}/modules/{module}"
EDGE = "/devices/{id}/applyConfigurationContent"
ONE_CONFIGURATION = "/configurations/{configuration}"
COMPONENT = "/digitaltwins/{id}/components/{component}"
FEEDBACK = "/messages/serviceBound/feedback"
FILES, FILE_NOTIFICATIONS = "/devices/{id}/files", "/messages/serviceBound/filenotifications"
EVENTS, BOUND = "/devices/{id}/messages/events", "/devices/{id}/messages/deviceBound"

REGISTRY_READ, REGISTRY_WRITE = Access(READ, Throttle.REGISTRY), Access(WRITE, Throttle.REGISTRY)
STATISTICS = Access(SERVICE, Throttle.REGISTRY)
CONFIGURATION, CONFIGURATION_READ = Access(WRITE, Throttle.CONFIGURATIONS), Access(READ, Throttle.CONFIGURATIONS)
TWIN_READ, TWIN_UPDATE = Access(SERVICE, Throttle.TWIN_READS), Access(SERVICE, Throttle.TWIN_UPDATES)
METHOD, QUERY = Access(SERVICE, Throttle.METHODS), Access(SERVICE, Throttle.QUERIES)
JOB, OLD_JOB = Access(JOBS, Throttle.JOBS), Access(WRITE, Throttle.JOBS)
MESSAGES = Access(SERVICE, None)
DEVICE_SEND, DEVICE_RECEIVE = Access(Caller.DEVICE, Throttle.SENDS), Access(Caller.DEVICE, Throttle.MESSAGE_RECEIVES)
DEVICE_SETTLE, DEVICE_UPLOAD = Access(Caller.DEVICE, None), Access(Caller.DEVICE, Throttle.FILE_UPLOADS)


def _route(target: str, access: Access, handler: Find, what: str, cost: Cost = costs.one) -> Route:
    verb, path = target.split()
    return Route(verb, path, *access, handler, what, cost)


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
    *OWN_ROUTES,
)
