"""/_local/faults: what is to go wrong, for those who test what they do about it. Only with iothubowner's key."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.engine.faults import MAX_LISTED, Faults, ListedFault, TooManyFaults
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, NOT_FOUND, HubError
from azext_iotjobs.localhub.http.own_request import DONE, Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.rules.fault import EXAMPLE, MEMBERS, InjectedFault, Kind, Operation, may_concern, read_fault
from azext_iotjobs.localhub.rules.own_document import DocumentMistake, Member

FAULT = Member(
    kind=dict,
    title="Fault",
    members={
        "id": Member(kind=str, is_required=True),
        **{name: replace(member, is_required=name in ("kind", "operation")) for name, member in MEMBERS.items()},
        "createdTime": Member(kind=str, is_required=True, text_format="date-time"),
        "appliedCount": Member(kind=int, is_required=True, what="how often it has happened"),
        "active": Member(kind=bool, is_required=True, what="whether it can happen still"),
    },
)
NO_SUCH = Answer(what="There is no such fault, or it was cleared.")
ADD = OwnForm(body=MEMBERS, example=EXAMPLE, answers={201: Answer(what="The fault, as it is listed.", document=FAULT)})
LIST = OwnForm(
    answers={
        200: Answer(
            what="The faults, the oldest first; those that are over too.", document=Member(kind=list, each=FAULT)
        )
    }
)
GET = OwnForm(answers={200: Answer(what="The fault.", document=FAULT), 404: NO_SUCH})
CLEAR = OwnForm(answers={204: DONE})
CLEAR_ONE = OwnForm(answers={204: DONE, 404: NO_SUCH})


class FaultRoutes:
    """Add, list and clear faults."""

    def __init__(self, faults: Faults, routes: Sequence[tuple[str, str]]) -> None:
        """routes: verb and path of every row whose requests can go wrong."""
        self._faults = faults
        self._routes = routes

    async def add(self, request: HubRequest) -> HubResponse:
        """POST /_local/faults"""
        try:
            fault = read_fault(request.members)
            self._check_route(fault)
        except DocumentMistake as err:
            raise HubError(ARGUMENT_INVALID, str(err)) from err
        try:
            listed = self._faults.add(fault)
        except TooManyFaults:
            raise HubError(ARGUMENT_INVALID, f"There are {MAX_LISTED:,} faults already: clear some.") from None
        return HubResponse(document=fault_document(listed, is_active=True), status=201)

    async def list(self, _request: HubRequest) -> HubResponse:
        """GET /_local/faults"""
        active = self._faults.current()
        return HubResponse(document=[fault_document(each, is_active=each in active) for each in self._faults.all()])

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /_local/faults/{fault}"""
        listed = self._find(request)
        return HubResponse(document=fault_document(listed, is_active=listed in self._faults.current()))

    async def clear(self, _request: HubRequest) -> HubResponse:
        """DELETE /_local/faults"""
        self._faults.clear()
        return HubResponse(status=204)

    async def clear_one(self, request: HubRequest) -> HubResponse:
        """DELETE /_local/faults/{fault}"""
        self._faults.clear(self._find(request).fault_id)
        return HubResponse(status=204)

    def _find(self, request: HubRequest) -> ListedFault:
        fault_id = request.path["fault"]
        listed = self._faults.get(fault_id)
        if listed is None:
            raise HubError(NOT_FOUND, f"There is no fault {fault_id[:40]!a}: it was cleared, or never requested.")
        return listed

    def _check_route(self, fault: InjectedFault) -> None:
        if fault.route is None or any(may_concern(fault.route, *each) for each in self._routes):
            return
        raise DocumentMistake(
            "route",
            f"{fault.route[:80]!a} is none of the hub's routes that can go wrong. A route is a verb or none, and a "
            "path, such as GET /twins/{id}: {id} is any part, * any characters of one, ** at the end all that follows.",
        )


def fault_document(listed: ListedFault, *, is_active: bool) -> dict[str, Any]:
    """A fault with what was requested, and what has become of it."""
    fault = listed.fault
    limits = {
        "device": fault.device,
        "route": fault.route,
        "method": fault.method,
        "times": fault.times,
        "percent": fault.percent,
        "seed": None if fault.percent is None else fault.seed,
        "forSeconds": fault.for_s,
    }
    return {
        "id": listed.fault_id,
        "kind": fault.kind.value,
        "operation": fault.operation.value,
        **_details(fault),
        **{name: value for name, value in limits.items() if value is not None},
        "createdTime": render(listed.created_at),
        "appliedCount": listed.applied,
        "active": is_active,
    }


def _details(fault: InjectedFault) -> dict[str, Any]:
    """What belongs to its kind."""
    match fault.kind:
        case Kind.LATENCY:
            return {"delaySeconds": fault.delay_s}
        case Kind.STATUS:
            has_header = fault.operation is Operation.REQUEST and fault.retry_after_s is not None
            return {"status": fault.status, **({"retryAfterSeconds": fault.retry_after_s} if has_header else {})}
        case Kind.CONNACK:
            return {"code": fault.code}
        case Kind.CLOCK_SKEW:
            return {"skewSeconds": fault.skew_s}
    return {}
