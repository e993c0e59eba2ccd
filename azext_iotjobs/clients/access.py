"""What each request needs: a policy's right, or a data action of Microsoft Entra, and which limit it counts on. Pure.

Source: IoT Hub devguide "control access" and "quotas and throttling", Azure built-in roles for IoT. Jobs are in no list
of rights: the how-to guides use registry rights, and what a job does needs ServiceConnect.
"""

import re

from azext_iotjobs.model.late_dataclass import dataclass

REGISTRY_READ, REGISTRY_WRITE = "RegistryRead", "RegistryWrite"
SERVICE, DEVICE = "ServiceConnect", "DeviceConnect"

# The five policies that a hub is born with, those with the fewest rights first; their owner may have changed them.
POLICIES = {
    "registryRead": frozenset({REGISTRY_READ}),
    "registryReadWrite": frozenset({REGISTRY_READ, REGISTRY_WRITE}),
    "service": frozenset({SERVICE}),
    "device": frozenset({DEVICE}),
    "iothubowner": frozenset({REGISTRY_READ, REGISTRY_WRITE, SERVICE, DEVICE}),
}
ACTION_PREFIX = "Microsoft.Devices/IotHubs/"
DATA_READER, DATA_CONTRIBUTOR = "IoT Hub Data Reader", "IoT Hub Data Contributor"
NARROW_ROLES = {"devices": "IoT Hub Registry Contributor", "twins": "IoT Hub Twin Contributor"}


@dataclass(frozen=True)
class Throttle:
    """A limit that requests of one kind share."""

    what: str
    limit: str  # by tier; "per unit" grows with the hub's units


REGISTRY_OPERATIONS = Throttle("registry operations", "100 a minute per unit, 5,000 in S3")
QUERIES = Throttle("queries", "20 a minute per unit, 1,000 in S3")
METHODS = Throttle("direct methods", "160 KB a second per unit, 480 KB in S2, 24 MB in S3; a call counts 4 KB at least")
TWIN_READS = Throttle("twin reads", "100 a second; in S2 10 per unit where that is more; in S3 500 per unit")
TWIN_UPDATES = Throttle("twin updates", "50 a second; in S2 5 per unit where that is more; in S3 250 per unit")
JOB_OPERATIONS = Throttle("job operations", "100 a minute per unit, 5,000 in S3")
C2D_RECEIVES = Throttle("messages received over HTTPS", "16 a second per unit, 833 in S3")
SENDS = Throttle("messages sent by devices", "100 a second, or 12 per unit; 120 per unit in S2, 6,000 in S3")


@dataclass(frozen=True)
class Access:
    """What one kind of request needs."""

    method: str  # a regular expression; AMQP: a link, and its address is the path
    path: str  # a regular expression, of the whole path
    rights: tuple[str, ...]  # all of them
    action: str | None  # behind ACTION_PREFIX; None: Microsoft Entra does not open it
    throttle: Throttle | None

    def roles(self) -> list[str]:
        """The built-in roles of Microsoft Entra that contain the action, the narrowest first."""
        if self.action is None:
            return []
        reader = [DATA_READER] if self.action.endswith("/read") else []
        own = NARROW_ROLES.get(self.action.split("/")[0])
        return [*reader, *([own] if own else []), DATA_CONTRIBUTOR]

    def role_for(self, needed: frozenset[str]) -> str:
        """The narrowest role with the action that also has what the rest of a command needs.

        needed: rights, as policies have them. A command that changes the registry needs more than a role that only
        reads, and one that also calls or sends as a service does needs more than a role for the registry alone.
        """
        if {REGISTRY_WRITE, SERVICE} <= needed:
            return DATA_CONTRIBUTOR
        return next(each for each in self.roles() if each != DATA_READER or REGISTRY_WRITE not in needed)

    def policies(self, needed: frozenset[str] = frozenset()) -> list[str]:
        """The policies of a new hub that have the rights, those with the fewest others first.

        needed: more rights that they have to have.
        """
        return [name for name, rights in POLICIES.items() if rights.issuperset(needed | {*self.rights})]


# First match wins.
ACCESS = (
    Access("POST", "/devices/query", (SERVICE,), "twins/read", QUERIES),
    Access("POST", "/devices/[^/]+/messages/events", (DEVICE,), None, SENDS),
    Access("GET|DELETE|POST", "/devices/[^/]+/messages/deviceBound.*", (DEVICE,), None, C2D_RECEIVES),
    Access("DELETE", "/devices/[^/]+/commands", (SERVICE,), "cloudToDeviceMessages/queue/purge/action", None),
    Access(
        "POST",
        "/devices/[^/]+/applyConfigurationContent",
        (REGISTRY_WRITE,),
        "configurations/applyToEdgeDevice/action",
        REGISTRY_OPERATIONS,
    ),
    Access("GET", "/devices(/.*)?", (REGISTRY_READ,), "devices/read", REGISTRY_OPERATIONS),
    Access("DELETE", "/devices/.+", (REGISTRY_WRITE,), "devices/delete", REGISTRY_OPERATIONS),
    Access("PUT|POST", "/devices(/.*)?", (REGISTRY_WRITE,), "devices/write", REGISTRY_OPERATIONS),
    Access("POST", "/twins/.+/methods", (SERVICE,), "directMethods/invoke/action", METHODS),
    Access("GET", "/twins/.+", (SERVICE,), "twins/read", TWIN_READS),
    Access("PUT|PATCH", "/twins/.+", (SERVICE,), "twins/write", TWIN_UPDATES),
    Access("GET", "/jobs/v2/.+", (REGISTRY_READ, SERVICE), "jobs/read", JOB_OPERATIONS),
    Access("PUT", "/jobs/v2/.+", (REGISTRY_WRITE, SERVICE), "jobs/write", JOB_OPERATIONS),
    Access("POST", "/jobs/v2/.+/cancel", (REGISTRY_WRITE, SERVICE), "jobs/delete", JOB_OPERATIONS),
    Access("GET", "/jobs(/.*)?", (REGISTRY_WRITE,), "jobs/read", None),
    Access("POST", "/jobs/create", (REGISTRY_WRITE,), "jobs/write", None),
    Access("DELETE", "/jobs/.+", (REGISTRY_WRITE,), "jobs/delete", None),
    Access("GET", "/statistics/devices", (REGISTRY_READ,), "statistics/read", None),
    Access("GET", "/statistics/service", (SERVICE,), "statistics/read", None),
    Access("AMQP", "/messages/devicebound", (SERVICE,), "cloudToDeviceMessages/send/action", None),
    Access("AMQP", "/messages/servicebound/feedback", (SERVICE,), "cloudToDeviceMessages/feedback/action", None),
    Access("AMQP", "/messages/events", (SERVICE,), None, None),
)


def access_of(method: str, path: str) -> Access | None:
    """What a request needs; None where that is not known."""
    fitting = (each for each in ACCESS if re.fullmatch(each.method, method) and re.fullmatch(each.path, path))
    return next(fitting, None)
