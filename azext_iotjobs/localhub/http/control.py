"""/_local/health, troubles, reset and stop: the hub itself. Only for who holds iothubowner's key."""

import os
from collections.abc import Callable

from azext_iotjobs.localhub.clock import render
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.runner import Runner
from azext_iotjobs.localhub.http.request import Answer, Asked
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import Events
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.jobs import Jobs


class ControlRoutes:
    """Health, reset and stop."""

    def __init__(
        self,
        database: Database,
        identities: Identities,
        jobs: Jobs,
        events: Events,
        links: Links,
        runner: Runner,
        stop: Callable[[], None],
    ) -> None:
        self._database = database
        self._identities = identities
        self._jobs = jobs
        self._events = events
        self._links = links
        self._runner = runner
        self._stop = stop

    async def health(self, _asked: Asked) -> Answer:
        """GET /_local/health"""
        total, _ = self._identities.count()
        return Answer(
            document={
                "pid": os.getpid(),
                "deviceCount": total,
                "connectedDeviceCount": self._links.count_devices(),
                "activeJobCount": len(self._jobs.active()),
            }
        )

    async def troubles(self, _asked: Asked) -> Answer:
        """GET /_local/troubles: what does not work now. Asks nothing of the store."""
        return Answer(
            document=[
                {"what": each.what, "reason": each.reason, "since": render(each.since)}
                for each in self._database.troubles.current()
            ]
        )

    async def reset(self, _asked: Asked) -> Answer:
        """POST /_local/reset: remove devices, twins, jobs, messages, CA certificates and what devices sent."""
        self._runner.forget([job.spec.job_id for job in self._jobs.active()])
        self._database.empty()
        self._events.clear()
        self._links.drop_all()
        return Answer(status=204)

    async def stop(self, _asked: Asked) -> Answer:
        """POST /_local/stop: end, when this answer is out."""
        self._stop()
        return Answer(status=204)
