"""Faults on request: what goes wrong, where and how often, for those who test what they do about it. Pure.

A fault has one kind and concerns one operation. It can be narrowed to devices, to a route of the REST API or to a
method, and limited: to a number of times, to a share, to a time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from azext_iotjobs.localhub import errors
from azext_iotjobs.localhub.rules.own_document import DocumentMistake, Member

MAX_DELAY_S = 3600.0
MAX_SKEW_S = 366 * 86_400.0  # a year
MAX_DURATION_S = 366 * 86_400.0
DEFERRED, NOT_AUTHORISED = 3, 5  # of CONNACK
STATUSES = {
    429: errors.THROTTLING_BACKLOG_TIMEOUT,
    500: errors.SERVER_ERROR,
    502: errors.BAD_GATEWAY,
    503: errors.SERVICE_UNAVAILABLE,
    504: errors.GATEWAY_TIMEOUT,
}
REASON = "a fault was requested for it"  # what logs and errors say


class Kind(Enum):
    """What goes wrong; the value is for documents."""

    LATENCY = "latency"  # it takes longer
    STATUS = "status"  # it is refused with a status, and not done
    DROP = "drop"  # the connection ends, and it is not done
    CONNACK = "connack"  # a device is not let in
    NO_ACK = "no-ack"  # a device's message is stored, and not acknowledged
    NO_ANSWER = "no-answer"  # a device is called, or asks for its twin, and there is never a response
    CLOCK_SKEW = "clock-skew"  # tokens are judged by a clock that is wrong


class Operation(Enum):
    """Where it goes wrong; the value is for documents."""

    REQUEST = "request"  # of the REST API or for a blob; a WebSocket handshake
    CONNECT = "connect"  # of a device, over MQTT or AMQP
    TELEMETRY = "telemetry"  # of a device, over MQTT or AMQP
    TWIN = "twin"  # a device reads its twin or reports, over MQTT or AMQP
    METHOD = "method"  # a device is called, directly or by a job
    TOKEN = "token"  # a token is judged


# The first operation of a kind is meant where none is named.
OPERATIONS = {
    Kind.LATENCY: (Operation.REQUEST, Operation.CONNECT, Operation.TELEMETRY, Operation.TWIN, Operation.METHOD),
    Kind.STATUS: (Operation.REQUEST, Operation.TWIN, Operation.METHOD),
    Kind.DROP: (Operation.REQUEST, Operation.CONNECT, Operation.TELEMETRY, Operation.TWIN, Operation.METHOD),
    Kind.CONNACK: (Operation.CONNECT,),
    Kind.NO_ACK: (Operation.TELEMETRY,),
    Kind.NO_ANSWER: (Operation.METHOD, Operation.TWIN),
    Kind.CLOCK_SKEW: (Operation.TOKEN,),
}
MEMBERS = {
    "kind": Member(kind=str, is_required=True, one_of=tuple(each.value for each in Kind), what="what goes wrong"),
    "operation": Member(
        kind=str, one_of=tuple(each.value for each in Operation), what="where; the first that the kind has"
    ),
    "device": Member(
        kind=str, least=1, most=128, what="an id, or pump-* for all that begin so; modules too", example="pump-1"
    ),
    "route": Member(
        kind=str,
        least=1,
        most=500,
        what="of requests, such as GET /twins/{id}; without a verb: any",
        example="GET /twins/{id}",
    ),
    "method": Member(kind=str, least=1, most=128, what="of calls, the method's name", example="reboot"),
    "times": Member(kind=int, least=1, most=1_000_000, what="only the first so many", example=3),
    "percent": Member(kind=float, least=0.001, most=100, what="only this share, drawn at random", example=12.5),
    "seed": Member(
        kind=int, least=0, most=2**53, what="of the numbers that are drawn; 0 where it is absent", example=7
    ),
    "forSeconds": Member(kind=float, least=0.001, most=MAX_DURATION_S, what="only so long, in seconds", example=60),
    "delaySeconds": Member(
        kind=float, least=0.001, most=MAX_DELAY_S, what="of latency, which needs it: seconds", example=2.5
    ),
    "status": Member(kind=int, one_of=tuple(STATUSES), what="of status, which needs it"),
    "retryAfterSeconds": Member(
        kind=int, least=0, most=3600, what="of status, to a request: a header, in seconds", example=10
    ),
    "code": Member(kind=int, one_of=(DEFERRED, NOT_AUTHORISED), what="of connack; 3 where it is absent"),
    "skewSeconds": Member(
        kind=float,
        least=-MAX_SKEW_S,
        most=MAX_SKEW_S,
        what="of clock-skew, which needs it: seconds by which the hub's clock is ahead; below 0: behind",
        example=-600,
    ),
}
EXAMPLE = {"kind": "status", "status": 503, "times": 1}  # a whole document
# Members that belong to one kind, and whether that kind needs them.
KIND_MEMBERS = {
    "delaySeconds": (Kind.LATENCY, True),
    "status": (Kind.STATUS, True),
    "retryAfterSeconds": (Kind.STATUS, False),
    "code": (Kind.CONNACK, False),
    "skewSeconds": (Kind.CLOCK_SKEW, True),
}
SELECTORS = {"route": Operation.REQUEST, "method": Operation.METHOD}  # members that belong to one operation
ROUTE = re.compile(r"(?:(?P<verb>[A-Za-z]+) +)?(?P<path>/\S*)")


@dataclass(frozen=True, kw_only=True)
class InjectedFault:
    """What goes wrong, where and how often; None: not limited by that."""

    kind: Kind
    operation: Operation
    device: str | None = None  # an id, or the beginning of ids and a *; their modules too
    route: str | None = None  # "GET /twins/{id}"; without a verb: any
    method: str | None = None
    times: int | None = None  # of those that are drawn, the first
    percent: float | None = None  # which share of the operations is drawn
    seed: int = 0  # of the numbers that are drawn
    for_s: float | None = None  # since it was requested
    delay_s: float = 0.0  # of LATENCY
    status: int = 503  # of STATUS
    retry_after_s: int | None = None  # a header of STATUS
    code: int = DEFERRED  # of CONNACK
    skew_s: float = 0.0  # of CLOCK_SKEW; above 0: the hub's clock is ahead

    def concerns(self, operation: Operation, device: str | None, name: str | None) -> bool:
        """Whether an operation is one of those that go wrong.

        device: its id; None where the operation is of none.  name: of a request, its verb and path; of a call, the
        method; None of others.
        """
        if operation is not self.operation or not self._has_device(device):
            return False
        if self.route is not None:
            return name is not None and _route_pattern(self.route).fullmatch(name) is not None
        return self.method is None or self.method == name

    def is_drawn(self, number: float) -> bool:
        """Whether an operation belongs to the share. number: 0 <= number < 1."""
        return self.percent is None or number * 100 < self.percent

    def _has_device(self, device: str | None) -> bool:
        if self.device is None:
            return True
        if device is None:
            return False
        if self.device.endswith("*"):
            return device.startswith(self.device[:-1])
        return device == self.device

    def refusal(self) -> errors.HubError:
        """The error of STATUS, as the service has it."""
        text = f"The hub refuses this request: {REASON}."
        info: dict[str, str] | None = {} if self.operation is Operation.METHOD else None
        return errors.HubError(STATUSES[self.status], text, info=info, retry_after_s=self.retry_after_s)


def read_fault(found: Mapping[str, Any]) -> InjectedFault:
    """What a document requests. found: its members, each allowed by MEMBERS.  Raises DocumentMistake."""
    kind = Kind(found["kind"])
    _check_kind_members(kind, found)
    operation = _operation(kind, found)
    if found.get("seed") is not None and found.get("percent") is None:
        raise DocumentMistake("seed", "Numbers are drawn for a share only: give percent too.")
    if kind is Kind.CLOCK_SKEW and not found["skewSeconds"]:
        raise DocumentMistake("skewSeconds", "0 is no skew. Above 0 the hub's clock is ahead, below 0 behind.")
    if "route" in found and not ROUTE.fullmatch(found["route"]):
        raise DocumentMistake("route", "It is a path, with a verb before it or none, such as GET /twins/{id}.")
    optional = {
        "seed": "seed",
        "delaySeconds": "delay_s",
        "status": "status",
        "retryAfterSeconds": "retry_after_s",
        "code": "code",
        "skewSeconds": "skew_s",
        "forSeconds": "for_s",
        **{name: name for name in ("device", "route", "method", "times", "percent")},
    }
    return InjectedFault(
        kind=kind, operation=operation, **{ours: found[name] for name, ours in optional.items() if name in found}
    )


def _check_kind_members(kind: Kind, found: Mapping[str, Any]) -> None:
    for name, (owner, is_needed) in KIND_MEMBERS.items():
        if name in found and kind is not owner:
            raise DocumentMistake(name, f"It belongs to faults of the kind {owner.value}, and this is {kind.value}.")
        if is_needed and kind is owner and name not in found:
            raise DocumentMistake(name, f"A fault of the kind {kind.value} needs it: {MEMBERS[name].advice}.")


def _operation(kind: Kind, found: Mapping[str, Any]) -> Operation:
    """The operation that is named, or follows from what it is narrowed to. Raises DocumentMistake."""
    allowed = OPERATIONS[kind]
    implied = [operation for name, operation in SELECTORS.items() if name in found]
    operation = Operation(found["operation"]) if "operation" in found else (implied or allowed)[0]
    if operation not in allowed:
        path = "operation" if "operation" in found else next(name for name in SELECTORS if name in found)
        listed = ", ".join(each.value for each in allowed)
        raise DocumentMistake(
            path, f"A fault of the kind {kind.value} does not happen to a {operation.value}, only to: {listed}."
        )
    for name, owner in SELECTORS.items():
        if name in found and operation is not owner:
            raise DocumentMistake(name, f"It belongs to the operation {owner.value}, and this is {operation.value}.")
    if "retryAfterSeconds" in found and operation is not Operation.REQUEST:
        raise DocumentMistake("retryAfterSeconds", "It is a header, which only responses to a request have.")
    return operation


def may_concern(route: str, verb: str, template: str) -> bool:
    """Whether a fault's route means requests of a row of the hub's table.

    template: its path, with {name} for variable parts, and ** at the end for one or more of them.
    """
    parts = ROUTE.fullmatch(route)
    assert parts is not None  # it was read
    if parts["verb"] is not None and parts["verb"].upper() != verb:
        return False
    asked, known = _segments(parts["path"]), _segments(template)
    if known[-1] == "**":
        known = [*known[:-1], *["{any}"] * max(1, len(asked) - len(known) + 1)]
    if asked[-1:] == ["**"]:
        asked = asked[:-1]
        known = known[: len(asked)]
    return len(asked) == len(known) and all(
        fixed.startswith("{") or re.fullmatch(_segment(each), fixed, re.IGNORECASE)
        for each, fixed in zip(asked, known, strict=True)
    )


@lru_cache(maxsize=256)
def _route_pattern(route: str) -> re.Pattern[str]:
    """What matches the verb and the path of a request."""
    parts = ROUTE.fullmatch(route)
    assert parts is not None
    segments = _segments(parts["path"])
    rest = "(?:/.*)?" if segments[-1:] == ["**"] else "/?"
    path = "".join(f"/{_segment(each)}" for each in segments if each != "**")
    return re.compile(f"{parts['verb'] or '[A-Za-z]+'} {path}{rest}", re.IGNORECASE)


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/")


def _segment(text: str) -> str:
    """The pattern of one part of a path: {name} is any, * any characters."""
    if text.startswith("{") and text.endswith("}"):
        return "[^/]+"
    return re.escape(text).replace(r"\*", "[^/]*")
