"""/_local/state, troubles, reset and stop: the hub itself. Only for callers with iothubowner's key."""

import os
from collections.abc import Callable

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.engine.clock_service import ClockService
from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.import_export import ImportExport
from azext_iotjobs.localhub.engine.job_runner import JobRunner
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.http.own_request import DONE, Answer, OwnForm
from azext_iotjobs.localhub.http.request import HubRequest, HubResponse
from azext_iotjobs.localhub.rules.own_document import Member
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.jobs import Jobs

STATE = OwnForm(
    answers={
        200: Answer(
            what="The hub's state.",
            document=Member(
                kind=dict,
                members={
                    "pid": Member(kind=int, is_required=True, what="its process id"),
                    "deviceCount": Member(kind=int, is_required=True),
                    "connectedDeviceCount": Member(kind=int, is_required=True),
                    "activeJobCount": Member(kind=int, is_required=True),
                },
            ),
        )
    }
)
TROUBLE = {
    "what": Member(kind=str, is_required=True, what="what does not work"),
    "reason": Member(kind=str, is_required=True),
    "since": Member(kind=str, is_required=True, text_format="date-time"),
}
TROUBLES = OwnForm(
    answers={
        200: Answer(
            what="What does not work, such as writing to a disk that is full; mostly nothing.",
            document=Member(kind=list, each=Member(kind=dict, members=TROUBLE)),
        )
    }
)
RESET = OwnForm(answers={204: DONE})
STOP = OwnForm(answers={204: Answer(what="The hub ends.")})


class ControlRoutes:
    """State, troubles, reset and stop."""

    def __init__(
        self,
        database: Database,
        identities: Identities,
        jobs: Jobs,
        events: EventLog,
        links: Links,
        runner: JobRunner,
        import_export: ImportExport,
        clock_service: ClockService,
        stop: Callable[[], None],
    ) -> None:
        self._database = database
        self._identities = identities
        self._jobs = jobs
        self._events = events
        self._links = links
        self._runner = runner
        self._import_export = import_export
        self._clock_service = clock_service
        self._stop = stop

    async def state(self, _request: HubRequest) -> HubResponse:
        """GET /_local/state"""
        total, _ = self._identities.count()
        return HubResponse(
            document={
                "pid": os.getpid(),
                "deviceCount": total,
                "connectedDeviceCount": self._links.count_devices(),
                "activeJobCount": len(self._jobs.active()),
            }
        )

    async def outages(self, _request: HubRequest) -> HubResponse:
        """GET /_local/troubles: what does not work at present. It does not read the store."""
        return HubResponse(
            document=[
                {"what": each.what, "reason": each.reason, "since": render(each.since)}
                for each in self._database.outages.current()
            ]
        )

    async def reset(self, _request: HubRequest) -> HubResponse:
        """POST /_local/reset: remove devices, twins, jobs, messages, CA certificates, events, faults and logs.

        The clock, which nothing needs ahead any more, is set back to the machine's time.
        """
        self._runner.forget([job.spec.job_id for job in self._jobs.active()])
        self._import_export.forget()
        self._links.faults.clear()
        self._events.clear()
        self._database.empty()
        self._links.drop_all()
        self._links.observations.clear()  # after that: the ends of connections are noted
        self._clock_service.reload()
        return HubResponse(status=204)

    async def stop(self, _request: HubRequest) -> HubResponse:
        """POST /_local/stop: end the hub once this response was sent."""
        self._stop()
        return HubResponse(status=204)
