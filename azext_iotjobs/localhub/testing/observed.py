"""What a hub has noted of devices, as tests see it: connections, method calls, reported properties. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azext_iotjobs.localhub.testing.received import shown

CALLING, RESPONDED = "calling", "responded"
CONNECTED, REFUSED, ENDED = "connected", "refused", "ended"

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ConnectionChange:
    """A device has connected, was refused, or its connection has ended."""

    number: int  # counts the hub's entries of connections up
    time: str  # ISO 8601, UTC
    change: str  # "connected", "refused" or "ended"
    protocol: str  # such as "MQTT" or "AMQP over WebSocket"; "TLS": the handshake failed, nothing else is known
    device_id: str | None  # None: the client did not say
    module_id: str | None  # None: the device itself
    client: str | None  # what it calls itself, such as MQTT's client id
    reason: str | None  # None of one that has connected

    def __str__(self) -> str:
        who = _name(self.device_id, self.module_id) or self.client or "somebody"
        return f"{self.number} {who} {self.change} over {self.protocol}{f': {self.reason}' if self.reason else ''}"


@dataclass(frozen=True, kw_only=True)
class MethodCall:
    """A call of a device's method, as far as it has come."""

    number: int  # counts the hub's entries of calls up; a call has a later one once it has ended
    call_id: int  # the same in all entries of a call
    time: str  # ISO 8601, UTC: of this entry
    device_id: str
    module_id: str | None  # None: the device itself
    method: str  # its name
    payload: Any  # of the call
    job_id: str | None  # the job that called; None: an HTTPS request
    state: str  # "calling", "responded", "timedOut", "failed" or "cancelled"
    status: int | None  # of the response
    response: Any  # its payload
    duration_s: float | None  # None while it is calling
    error_code: str | None  # of one that has failed, such as DeviceNotOnline
    reason: str | None  # why it has

    @property
    def has_ended(self) -> bool:
        """Whether there is a response, or will be none."""
        return self.state != CALLING

    @property
    def is_timed_out(self) -> bool:
        """Whether there was no response in time."""
        return self.state == "timedOut"

    def __str__(self) -> str:
        outcome = f"{self.status} {shown(self.response)}" if self.state == RESPONDED else self.state
        reason = "" if self.error_code is None else f": {self.error_code}, {self.reason}"
        who = _name(self.device_id, self.module_id)
        return f"{self.number} {who} {self.method}({shown(self.payload)}) -> {outcome}{reason}"


@dataclass(frozen=True, kw_only=True)
class ReportedChange:
    """A device has changed its reported properties."""

    number: int  # counts the hub's entries of such changes up
    time: str  # ISO 8601, UTC
    device_id: str
    module_id: str | None  # None: the device itself
    patch: Mapping[str, Any]  # what it sent
    reported: Mapping[str, Any] = field(repr=False)  # all of them after that, with $version and $metadata

    def __str__(self) -> str:
        return f"{self.number} {_name(self.device_id, self.module_id)} reported {shown(self.patch)}"


def connection_change(document: Document) -> ConnectionChange:
    """Read an entry of `/_local/connections`."""
    return ConnectionChange(
        number=document["number"],
        time=document["time"],
        change=document["change"],
        protocol=document["protocol"],
        device_id=document.get("deviceId"),
        module_id=document.get("moduleId"),
        client=document.get("client"),
        reason=document.get("reason"),
    )


def method_call(document: Document) -> MethodCall:
    """Read an entry of `/_local/calls`."""
    return MethodCall(
        number=document["number"],
        call_id=document["callId"],
        time=document["time"],
        device_id=document["deviceId"],
        module_id=document.get("moduleId"),
        method=document["methodName"],
        payload=document["payload"],
        job_id=document.get("jobId"),
        state=document["state"],
        status=document.get("status"),
        response=document.get("response"),
        duration_s=document.get("durationSeconds"),
        error_code=document.get("errorCode"),
        reason=document.get("reason"),
    )


def reported_change(document: Document) -> ReportedChange:
    """Read an entry of `/_local/reported`."""
    return ReportedChange(
        number=document["number"],
        time=document["time"],
        device_id=document["deviceId"],
        module_id=document.get("moduleId"),
        patch=document["patch"],
        reported=document["reported"],
    )


def latest(entries: Iterable[MethodCall]) -> list[MethodCall]:
    """Each call once, as far as it has come, in the order in which they began."""
    found = {each.call_id: each for each in entries}
    return [found[call_id] for call_id in sorted(found)]


def _name(device_id: str | None, module_id: str | None) -> str:
    return "/".join(filter(None, (device_id, module_id)))
