"""When watching ends, and what was shown until then."""

import threading
from collections.abc import Iterator

import pytest

from azext_iotjobs.model.device_event import DeviceEvent, EventFilter
from azext_iotjobs.operations.events.watch import Ending, Limits, Watched, watch
from tests.helpers.clock_double import ClockDouble


def event(device: str) -> DeviceEvent:
    return DeviceEvent(
        partition="0",
        offset="0",
        sequence_number=0,
        device_id=device,
        module_id="",
        body=b"",
        system={},
        application={},
        annotations={},
    )


class Scene:
    """What has come, a device's id for each event and "" for a second without one."""

    def __init__(self, came: str) -> None:
        self.came = came.split(",")
        self.clock = ClockDouble()
        self.stop = threading.Event()
        self.shown: list[str] = []
        self.ready_at: list[float] = []
        self.is_read = True

    def events(self) -> Iterator[DeviceEvent | None]:
        for each in self.came:
            if not each:
                self.clock.passed_s += 1
            yield event(each) if each else None

    def show(self, shown: DeviceEvent) -> bool:
        self.shown.append(shown.device_id)
        return self.is_read

    def watch(self, limits: Limits, wanted: EventFilter | None = None) -> Watched:
        return watch(
            self.events(),
            wanted or EventFilter(),
            self.show,
            limits=limits,
            stop=self.stop,
            clock=self.clock,
            on_ready=lambda: self.ready_at.append(self.clock.passed_s),
        )


def test_it_ends_behind_the_last_event_that_is_wanted() -> None:
    scene = Scene(",a,b,a,a")
    watched = scene.watch(Limits(count=2), EventFilter(device="a"))
    assert watched == Watched(shown=2, passed_over=1, ending=Ending.COUNT)
    assert scene.shown == ["a", "a"]


def test_time_counts_from_the_moment_on_at_which_events_can_come_also_while_they_do() -> None:
    scene = Scene(",a,,a,,a,,a")
    watched = scene.watch(Limits(time_s=2))
    assert (watched.shown, watched.ending, scene.ready_at) == (2, Ending.TIME, [1.0])


def test_without_limits_it_ends_when_somebody_ends_it() -> None:
    scene = Scene(",a,,a")
    scene.stop.set()
    assert scene.watch(Limits()) == Watched(shown=0, passed_over=0, ending=Ending.STOPPED)


def test_it_ends_when_nobody_reads_any_more() -> None:
    scene = Scene(",a,a")
    scene.is_read = False
    assert scene.watch(Limits(count=5)).ending is Ending.STOPPED and scene.shown == ["a"]


@pytest.mark.parametrize("limits", [Limits(count=1), Limits(time_s=1)])
def test_events_that_are_not_wanted_are_counted_and_not_shown(limits: Limits) -> None:
    watched = Scene(",b,b,,").watch(limits, EventFilter(device="a"))
    assert (watched.shown, watched.passed_over) == (0, 2)
