"""Verification for programs: rows as they are decided, and a callback for how far it is."""

import logging
from collections.abc import Callable, Iterator
from threading import Event

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.query_pace import query_pace
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.job.results import ResultQuery, read
from azext_iotjobs.operations.verification.results import ResultVerifier

logger = logging.getLogger("azext_iotjobs")

OnLook = Callable[[int], None]


def verified_rows(
    hub: HubClient, query: ResultQuery, verification: Verification, clock: Clock, on_look: OnLook | None
) -> Iterator[DeviceResult]:
    """The rows of a job that has ended, each once its device is verified, or not.

    query: for the rows.  on_look: called with how many devices are being verified.
    Raises HubAnswer, LinkError.
    """
    verifier = ResultVerifier(hub.queries, verification, query_pace(None), clock, Event(), _Watcher(on_look))
    yield from verifier.rows(row for page in read(hub, query) for row in page.rows)
    if verifier.trouble is not None:
        raise verifier.trouble


class _Watcher:
    """Hears what a verification tells."""

    def __init__(self, on_look: OnLook | None) -> None:
        self._on_look = on_look

    def verifying(self, count: int, left_s: float) -> None:
        if self._on_look is not None:
            self._on_look(count)

    def say(self, text: str) -> None:
        logger.warning("%s", text)
