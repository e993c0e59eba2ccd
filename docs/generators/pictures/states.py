"""The states of runs, batches, hub jobs and devices, as a diagram.

A run's arrows are `TRANSITIONS` of `model/run_state.py`. Of the others there is no table but those below: a test lets
runs of all kinds go on a real store, and sees that each of these arrows is taken, and no other.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.fleet_job.hub_job import HubJobState
from azext_iotjobs.model.run_state import TRANSITIONS, BatchState, DeviceState, RunState
from pictures import svg
from pictures.graph import Arrow, Box, Point, css, graph
from pictures.palette import Palette

WAITS, WORKS, DONE, OPEN, BROKEN = 0, 2, 1, 3, 4  # fills

Arrows = Mapping[tuple[Enum, Enum], str]  # what is at each, by the states before and after

BATCHES: Arrows = {
    (BatchState.PENDING, BatchState.RUNNING): "begins",
    (BatchState.RUNNING, BatchState.COMPLETED): "its devices have ended",
    (BatchState.RUNNING, BatchState.GATED): "they have ended,\nand there are gates",
    (BatchState.GATED, BatchState.COMPLETED): "gates passed,\nor run canceled",
    (BatchState.RUNNING, BatchState.CANCELED): "run canceled",
    (BatchState.PENDING, BatchState.SKIPPED): "run canceled",
}
HUB_JOBS: Arrows = {
    (HubJobState.PLANNED, HubJobState.SUBMITTING): "to be sent",
    (HubJobState.SUBMITTING, HubJobState.PLANNED): "refused",
    (HubJobState.SUBMITTING, HubJobState.SUBMITTED): "the hub has it",
    (HubJobState.SUBMITTED, HubJobState.CLOSED): "results are read",
    (HubJobState.PLANNED, HubJobState.CLOSED): "run stopped before it was sent",
}
DEVICES: Arrows = {
    (DeviceState.PENDING, DeviceState.CALLING): "begins",
    (DeviceState.CALLING, DeviceState.PENDING): "tried again",
    (DeviceState.CALLING, DeviceState.COMPLETED): "succeeded",
    (DeviceState.CALLING, DeviceState.VERIFYING): "accepted",
    (DeviceState.CALLING, DeviceState.WAITING): "offline",
    (DeviceState.CALLING, DeviceState.FAILED): "failed",
    (DeviceState.CALLING, DeviceState.UNCERTAIN): "not known",
    (DeviceState.VERIFYING, DeviceState.COMPLETED): "reported",
    (DeviceState.VERIFYING, DeviceState.FAILED): "not in time",
    (DeviceState.VERIFYING, DeviceState.PENDING): "tried again",
    (DeviceState.VERIFYING, DeviceState.WAITING): "offline",
    (DeviceState.WAITING, DeviceState.VERIFYING): "connected",
    (DeviceState.WAITING, DeviceState.PENDING): "connected",
    (DeviceState.WAITING, DeviceState.FAILED): "not connected\nin time",
    (DeviceState.FAILED, DeviceState.PENDING): "tried again at the end",
    (DeviceState.COMPLETED, DeviceState.FAILED): "did not stay",
}


class Shape(NamedTuple):
    """How an arrow is drawn: see `Arrow`."""

    bend: float = 0.0
    at: float = 0.5


class Panel(NamedTuple):
    """One of the diagrams of the picture."""

    title: str
    text: str  # what it is that has these states
    places: Mapping[Enum, tuple[float, float, int]]  # center of its box, and which fill
    arrows: Arrows
    shapes: Mapping[tuple[Enum, Enum], Shape]
    height: float


def run_arrows() -> Arrows:
    """The events that take a run from one state to another, by these two."""
    events: dict[tuple[Enum, Enum], list[str]] = {}
    for (before, event), after in TRANSITIONS.items():
        events.setdefault((before, after), []).append(event.value)
    return {pair: ", ".join(words) for pair, words in events.items()}


RUN = Panel(
    "Run",
    "one execution of a fleet job; the fleet job has the state of its last run",
    {
        RunState.PENDING: (90, 150, WAITS),
        RunState.RUNNING: (330, 150, WORKS),
        RunState.COMPLETED: (330, 40, DONE),
        RunState.FAILED: (610, 40, OPEN),
        RunState.STOPPED: (610, 150, OPEN),
        RunState.CANCELED: (870, 150, BROKEN),
    },
    run_arrows(),
    {
        (RunState.RUNNING, RunState.STOPPED): Shape(-16),
        (RunState.STOPPED, RunState.RUNNING): Shape(-16),
        (RunState.RUNNING, RunState.FAILED): Shape(-14),
        (RunState.FAILED, RunState.RUNNING): Shape(-14),
        (RunState.PENDING, RunState.STOPPED): Shape(62, 0.35),
        (RunState.RUNNING, RunState.CANCELED): Shape(62, 0.65),
        (RunState.RUNNING, RunState.COMPLETED): Shape(0, 0.6),
        (RunState.PENDING, RunState.CANCELED): Shape(112),
    },
    290,
)
BATCH = Panel(
    "Batch",
    "some devices of a run, operated together; the next begins when it has ended",
    {
        BatchState.PENDING: (90, 40, WAITS),
        BatchState.RUNNING: (330, 40, WORKS),
        BatchState.GATED: (610, 120, WAITS),
        BatchState.COMPLETED: (870, 40, DONE),
        BatchState.CANCELED: (330, 150, BROKEN),
        BatchState.SKIPPED: (90, 150, BROKEN),
    },
    BATCHES,
    {},
    190,
)
HUB_JOB = Panel(
    "Hub job of a batch",
    "a job of the hub that operates devices of a batch, where the driver is jobs",
    {
        HubJobState.PLANNED: (90, 40, WAITS),
        HubJobState.SUBMITTING: (350, 40, WORKS),
        HubJobState.SUBMITTED: (610, 40, WORKS),
        HubJobState.CLOSED: (870, 40, DONE),
    },
    HUB_JOBS,
    {
        (HubJobState.PLANNED, HubJobState.SUBMITTING): Shape(-16),
        (HubJobState.SUBMITTING, HubJobState.PLANNED): Shape(-16),
        (HubJobState.PLANNED, HubJobState.CLOSED): Shape(62),
    },
    130,
)
DEVICE = Panel(
    "Device",
    "of a run; one that a hub job operates is in progress, too",
    {
        DeviceState.PENDING: (90, 150, WAITS),
        DeviceState.CALLING: (330, 150, WORKS),
        DeviceState.VERIFYING: (610, 150, WORKS),
        DeviceState.COMPLETED: (870, 150, DONE),
        DeviceState.UNCERTAIN: (90, 40, BROKEN),
        DeviceState.WAITING: (330, 270, WAITS),
        DeviceState.FAILED: (610, 270, BROKEN),
    },
    DEVICES,
    {
        (DeviceState.PENDING, DeviceState.CALLING): Shape(-16),
        (DeviceState.CALLING, DeviceState.PENDING): Shape(-16),
        (DeviceState.CALLING, DeviceState.COMPLETED): Shape(-90),
        (DeviceState.CALLING, DeviceState.FAILED): Shape(0, 0.28),
        (DeviceState.CALLING, DeviceState.UNCERTAIN): Shape(0, 0.62),
        (DeviceState.VERIFYING, DeviceState.PENDING): Shape(72, 0.42),
        (DeviceState.VERIFYING, DeviceState.WAITING): Shape(-13, 0.3),
        (DeviceState.WAITING, DeviceState.VERIFYING): Shape(-13, 0.3),
        (DeviceState.FAILED, DeviceState.PENDING): Shape(-118, 0.45),
    },
    350,
)
PANELS = (RUN, BATCH, HUB_JOB, DEVICE)  # from what holds to what is held

WIDTH, TITLE, EDGE = 960.0, 46.0, 20.0
NAMES: Mapping[Enum, str] = {DeviceState.CALLING: "in progress"}


def picture(palette: Palette) -> str:
    """All panels, one below the other."""
    parts: list[str] = []
    top = EDGE
    for panel in PANELS:
        parts += _panel(panel, top, palette)
        top += TITLE + panel.height
    page = svg.element("rect", x=0.5, y=0.5, width=WIDTH - 1, height=top - 1, rx=10, class_="page")
    return svg.document(
        [page, *parts],
        width=WIDTH,
        height=top,
        title="States of runs, batches, hub jobs and devices",
        description="\n".join(line for panel in PANELS for line in in_words(panel)),
        css=[*css(palette), ".title { font-size: 18px; font-weight: 700; text-anchor: start }", _note(palette)],
    )


def in_words(panel: Panel) -> Iterator[str]:
    """A panel as text: a line for each arrow."""
    yield f"{panel.title}: {panel.text}."
    for (before, after), label in panel.arrows.items():
        yield f"{name_of(before)} to {name_of(after)}: {' '.join(label.split())}."


def name_of(state: Enum) -> str:
    """What people call a state."""
    return NAMES.get(state, str(state.value))


def _note(palette: Palette) -> str:
    return f".note {{ text-anchor: start; fill: {palette.dim} }}"


def _panel(panel: Panel, top: float, palette: Palette) -> Iterator[str]:
    yield svg.text(panel.title, EDGE, top + 20, class_="title")
    yield svg.text(panel.text, EDGE, top + 42, class_="note")
    boxes = {
        state.name: Box(name_of(state), Point(x, top + TITLE + y), fill) for state, (x, y, fill) in panel.places.items()
    }
    arrows = [
        Arrow(before.name, after.name, label, *panel.shapes.get((before, after), Shape()))
        for (before, after), label in panel.arrows.items()
    ]
    yield from graph(boxes, arrows, palette)
