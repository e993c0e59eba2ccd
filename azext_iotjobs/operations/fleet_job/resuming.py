"""When a resume leaves a run as it was: its hub refused, or was not reached, before anything was done. Pure.

Why the hub did not let us does not matter (no right, a wrong key, no such hub, too many requests, no connection), only
that nothing has changed: a device that was operated, or may have been, makes it a run that broke off.
"""

from azext_iotjobs.fleet_job.store.leased_contract import RunSnapshot
from azext_iotjobs.model.errors import IotJobsError, NotResumed
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_events import (
    BatchBegan,
    Event,
    Notice,
    Progressed,
    RunBegan,
    RunEnded,
    RunObserver,
    Waiting,
)
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.text import Text

# A run that is made, or whose process is gone, has no state to go back to that would say why nothing executes it.
RESUMABLE = (RunState.STOPPED, RunState.FAILED)


def is_untouched(before: RunSnapshot, after: RunSnapshot) -> bool:
    """Whether no device was operated in between, none may have been, and no hub job has ended or was sent."""
    return before.run.tally == after.run.tally


def not_resumed(run: Run, why: IotJobsError) -> NotResumed:
    """The error for whoever resumed a run, which is as it was. why: what its hub said, or why it was not reached."""
    text = Text(f"{run.name} stays {run.state.value}: it could not be resumed, and nothing was done. ", why.message)
    return NotResumed(text, hint=why.hint)


class UntilDone:
    """An observer that passes the begin of a batch on once something is done in it: a resume may still be undone."""

    def __init__(self, observer: RunObserver) -> None:
        self._observer = observer
        self._held: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Something has happened."""
        if isinstance(event, BatchBegan):
            self._held.append(event)
            return
        if not isinstance(event, (RunBegan, Notice, Progressed, Waiting)):
            held, self._held = self._held, []
            if not (isinstance(event, RunEnded) and event.is_as_before):
                for each in held:
                    self._observer.on_event(each)
        self._observer.on_event(event)
