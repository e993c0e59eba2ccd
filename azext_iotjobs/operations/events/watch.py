"""Show events until enough of them have come, the time is over, or somebody ends it."""

from collections.abc import Callable, Iterator
from enum import Enum

from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.device_event import DeviceEvent, EventFilter
from azext_iotjobs.model.late_dataclass import dataclass


class Ending(Enum):
    """Why it ended."""

    COUNT = "count"  # enough events have come
    TIME = "time"  # the time is over
    STOPPED = "stopped"  # by a person, or because nobody reads any more


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When to end; None: not because of that."""

    count: int | None = None  # events that were shown, 1 or more
    time_s: float | None = None  # from the moment on at which events can come


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What it came to."""

    shown: int
    passed_over: int  # events that were not wanted
    ending: Ending


def watch(
    events: Iterator[DeviceEvent | None],
    wanted: EventFilter,
    show: Callable[[DeviceEvent], bool],
    *,
    limits: Limits,
    stop: StopFlag,
    clock: Clock,
    on_ready: Callable[[], None],
) -> Watched:
    """Show the events that are wanted.

    events: None where none has come; the first None says that they can come now.  show: gives whether to go on.
    stop: ends it.  clock: of the time limit.  on_ready: called when events can come.
    Raises what `events` raises.
    """
    shown = passed_over = 0
    ends_at: float | None = None
    for event in events:
        if event is None and ends_at is None:
            ends_at = float("inf") if limits.time_s is None else clock.monotonic() + limits.time_s
            on_ready()
        if event is not None and wanted.matches(event):
            shown += 1
            if not show(event):
                return Watched(shown=shown, passed_over=passed_over, ending=Ending.STOPPED)
            if shown == limits.count:
                return Watched(shown=shown, passed_over=passed_over, ending=Ending.COUNT)
        elif event is not None:
            passed_over += 1
        if stop.is_set():
            break
        if ends_at is not None and clock.monotonic() >= ends_at:
            return Watched(shown=shown, passed_over=passed_over, ending=Ending.TIME)
    return Watched(shown=shown, passed_over=passed_over, ending=Ending.STOPPED)
