"""/_local: what this hub offers beyond IoT Hub's API. Only for who holds iothubowner's key."""

import base64
import os
from collections.abc import Callable

from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.engine.runner import Runner
from azext_iotjobs.localhub.http.asked import Answer, Asked
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import Events
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.jobs import Jobs

MAX_EVENTS = 100


class ControlRoutes:
    """Health, reset, stop, and what devices sent."""

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
                "connectedDeviceCount": self._links.count(),
                "activeJobCount": len(self._jobs.active()),
            }
        )

    async def reset(self, _asked: Asked) -> Answer:
        """POST /_local/reset: remove devices, twins, jobs and what devices sent."""
        self._runner.forget([job.spec.job_id for job in self._jobs.active()])
        with self._database.transaction():
            self._jobs.delete_all()
            self._identities.delete_all()
        self._events.clear()
        self._links.drop_all()
        return Answer(status=204)

    async def stop(self, _asked: Asked) -> Answer:
        """POST /_local/stop: end, when this answer is out."""
        self._stop()
        return Answer(status=204)

    async def events(self, asked: Asked) -> Answer:
        """GET /_local/events?after=: what devices sent, oldest first."""
        text = asked.query.get("after", "0")
        after = int(text) if text.isascii() and text.isdecimal() else 0
        return Answer(
            document=[
                {
                    "number": event.number,
                    "deviceId": event.address.device_id,
                    "properties": dict(event.properties),
                    "body": base64.b64encode(event.body).decode(),
                    "receivedAt": event.received_at,
                }
                for event in self._events.after(after, MAX_EVENTS)
            ]
        )
