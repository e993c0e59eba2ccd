"""/_local/clock: the time by which the hub's rules work. Only for who holds iothubowner's key."""

from typing import Any

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.clock_service import MAX_AHEAD, ClockService, TooFarAhead
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.faults import check_query
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.rules.duration import read_duration
from azext_iotjobs.localhub.rules.own_document import DocumentMistake, Member, read_members

MEMBERS = {"advance": Member(kind=str, is_required=True, least=1, most=40)}


class ClockRoutes:
    """Show the clock, and move it ahead."""

    def __init__(self, service: ClockService) -> None:
        self._service = service

    async def get(self, request: HubRequest) -> HubResponse:
        """GET /_local/clock"""
        check_query(request)
        return HubResponse(document=_document(self._service.clock))

    async def advance(self, request: HubRequest) -> HubResponse:
        """POST /_local/clock: the response is the clock as it is then."""
        check_query(request)
        try:
            text = read_members(request.value(), MEMBERS)["advance"]
        except DocumentMistake as err:
            raise HubError(ARGUMENT_INVALID, str(err)) from err
        by = read_duration(text)
        if not by:
            raise HubError(
                ARGUMENT_INVALID,
                f"advance: {text!a} is not allowed. The clock only goes ahead: give a duration above 0, such as 30s, "
                "5m, 2h or 7d.",
            )
        try:
            self._service.advance(by)
        except TooFarAhead:
            raise HubError(
                ARGUMENT_INVALID,
                f"advance: The clock may be {MAX_AHEAD.days:,}d ahead of the machine's at most, and is "
                f"{self._service.clock.offset.total_seconds():.0f}s ahead.",
            ) from None
        return HubResponse(document=_document(self._service.clock))


def _document(clock: HubClock) -> dict[str, Any]:
    return {
        "now": render(clock.now()),
        "offsetSeconds": round(clock.offset.total_seconds(), 3),
        "timeScale": clock.scale,
    }
