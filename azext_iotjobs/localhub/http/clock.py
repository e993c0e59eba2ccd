"""/_local/clock: the time by which the hub's rules work. Only for who holds iothubowner's key."""

from typing import Any

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.clock_service import MAX_AHEAD, ClockService, TooFarAhead
from azext_iotjobs.localhub.errors import ARGUMENT_INVALID, HubError
from azext_iotjobs.localhub.http.own_request import Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.rules.duration import read_duration
from azext_iotjobs.localhub.rules.own_document import Member

CLOCK = Member(
    kind=dict,
    members={
        "now": Member(kind=str, is_required=True, text_format="date-time", what="the hub's time"),
        "offsetSeconds": Member(kind=float, is_required=True, what="how far it is ahead of the machine's"),
        "timeScale": Member(kind=float, is_required=True, what="seconds of the hub in one of the machine"),
    },
)
SHOW = OwnForm(answers={200: Answer(what="The clock.", document=CLOCK)})
ADVANCE = OwnForm(
    body={
        "advance": Member(
            kind=str, is_required=True, least=1, most=40, what="above 0, such as 30s, 5m, 2h or 7d", example="2h"
        )
    },
    example={"advance": "2h"},
    answers={200: Answer(what="The clock, as it is then.", document=CLOCK)},
)


class ClockRoutes:
    """Show the clock, and move it ahead."""

    def __init__(self, service: ClockService) -> None:
        self._service = service

    async def get(self, _request: HubRequest) -> HubResponse:
        """GET /_local/clock"""
        return HubResponse(document=_document(self._service.clock))

    async def advance(self, request: HubRequest) -> HubResponse:
        """POST /_local/clock: what is due by then is done now."""
        text = request.members["advance"]
        by = read_duration(text)
        if not by:
            raise HubError(
                ARGUMENT_INVALID,
                f"advance: {text!a} is not allowed. The clock only goes ahead: give a duration above 0 and at most "
                f'{MAX_AHEAD.days}d, such as "30s", "5m", "2h" or "7d".',
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
