"""States of runs, batches and devices; which event takes a run from one state to another. Pure.

pending --start--> running --finish--> completed
                    |  ^ \\---break---> failed ---+
              stop  |  |                  | stop | resume
                    v  +--- resume -------+------+
                   stopped <--------------+
cancel and exceed (a threshold whose action is cancel) end all but completed and canceled runs: canceled.
"""

from collections.abc import Mapping
from enum import Enum


class RunState(Enum):
    """Where a run stands; the words are those of IoT Central."""

    PENDING = "pending"  # its devices are fixed, none was operated yet
    RUNNING = "running"
    COMPLETED = "completed"  # it ran on all devices; some may have failed
    FAILED = "failed"  # it broke off; it can be resumed
    STOPPED = "stopped"  # by someone, or by a threshold whose action is stop; it can be resumed
    CANCELED = "canceled"  # by someone, or by its threshold; it has ended

    @property
    def has_ended(self) -> bool:
        """Whether it is final."""
        return self in (RunState.COMPLETED, RunState.CANCELED)


class RunEvent(Enum):
    """What moves a run."""

    START = "start"
    FINISH = "finish"  # all devices have ended
    BREAK = "break"  # every device would fail alike: access refused, the hub away for long
    STOP = "stop"
    CANCEL = "cancel"
    RESUME = "resume"


TRANSITIONS: Mapping[tuple[RunState, RunEvent], RunState] = {
    (RunState.PENDING, RunEvent.START): RunState.RUNNING,
    (RunState.PENDING, RunEvent.RESUME): RunState.RUNNING,
    (RunState.PENDING, RunEvent.STOP): RunState.STOPPED,
    (RunState.PENDING, RunEvent.CANCEL): RunState.CANCELED,
    (RunState.RUNNING, RunEvent.RESUME): RunState.RUNNING,  # the process that executed it is gone
    (RunState.RUNNING, RunEvent.FINISH): RunState.COMPLETED,
    (RunState.RUNNING, RunEvent.BREAK): RunState.FAILED,
    (RunState.RUNNING, RunEvent.STOP): RunState.STOPPED,
    (RunState.RUNNING, RunEvent.CANCEL): RunState.CANCELED,
    (RunState.STOPPED, RunEvent.RESUME): RunState.RUNNING,
    (RunState.STOPPED, RunEvent.CANCEL): RunState.CANCELED,
    (RunState.FAILED, RunEvent.RESUME): RunState.RUNNING,
    (RunState.FAILED, RunEvent.STOP): RunState.STOPPED,  # else its schedule would resume it again and again
    (RunState.FAILED, RunEvent.CANCEL): RunState.CANCELED,
}

USER_EVENTS = (RunEvent.STOP, RunEvent.CANCEL, RunEvent.RESUME)  # what somebody can request of a run


class BatchState(Enum):
    """Where a batch stands."""

    PENDING = "pending"
    RUNNING = "running"
    GATED = "gated"  # all its devices have ended; the gates before the next batch are not passed yet
    COMPLETED = "completed"  # all its devices have ended
    CANCELED = "canceled"  # its run was canceled while it ran
    SKIPPED = "skipped"  # its run ended before it began


class DeviceState(Enum):
    """Where a device of a run stands."""

    PENDING = "pending"  # not operated yet, or to be tried again
    CALLING = "calling"  # a call was begun and has not ended; shown as in progress
    VERIFYING = "verifying"  # it was operated; it is not seen yet that it reports so
    WAITING = "waiting"  # it was offline; it is operated, or verified, once it connects
    COMPLETED = "completed"
    FAILED = "failed"
    UNCERTAIN = "uncertain"  # whether it was operated cannot be known

    @property
    def has_ended(self) -> bool:
        """Whether its run has nothing left to do with it."""
        return self in (DeviceState.COMPLETED, DeviceState.FAILED, DeviceState.UNCERTAIN)

    @property
    def was_operated(self) -> bool:
        """Whether its last attempt has ended; it may be verified after that."""
        return self.has_ended or self is DeviceState.VERIFYING
