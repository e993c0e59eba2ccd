"""The rows of the hub's own routes, which IoT Hub does not have: each has a form, by which its requests are read."""

from azext_iotjobs.localhub.http import (
    certificates,
    clock,
    control,
    faults,
    local_messages,
    observations,
    public,
    quotas,
    seed,
    snapshots,
)
from azext_iotjobs.localhub.http.own_request import OwnForm
from azext_iotjobs.localhub.http.route import MAX_BODY_BYTES, Access, Caller, Find, Route
from azext_iotjobs.localhub.process.seed_file import MAX_BYTES as MAX_SEED_BYTES
from azext_iotjobs.localhub.rules.quota import Throttle

MAX_SNAPSHOT_BYTES = 1024 * 1024 * 1024  # events on disk may take half of it
CERTIFICATE = "/_local/certificates/{certificate}"
FAULT = "/_local/faults/{fault}"
LOCAL, LOCAL_SEND = Access(Caller.OWNER, None), Access(Caller.OWNER, Throttle.MESSAGE_SENDS)
PUBLIC = Access(Caller.ANYBODY, None)


def _own(
    target: str, access: Access, handler: Find, what: str, form: OwnForm, max_body_bytes: int = MAX_BODY_BYTES
) -> Route:
    verb, path = target.split()
    return Route(verb, path, *access, handler, what, max_body_bytes=max_body_bytes, form=form)


OWN_ROUTES = (
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
