"""Devices of every kind that a run can meet, by the beginnings of their ids: what they do when `update` is called.

Each accepts it at once but for slow ones, and reports what it was called with a little later: under `done`, or
`failed`.
"""

from collections.abc import Mapping

from azext_iotjobs.simulator.behaviour import (
    METHOD_NAMES,
    Behaviour,
    Flapping,
    MethodRule,
    PresenceRule,
    ReportStep,
    Step,
    WaitStep,
)
from azext_iotjobs.simulator.durations import AT_ONCE, Duration, Fixed, Uniform
from azext_iotjobs.simulator.template import compiled

SOON = Uniform(0.05, 0.6)
COMES_AND_GOES = PresenceRule(flapping=Flapping(on_s=1.5, off_s=1.2))


def _reports(member: str, value: str = "${request}", after: Duration = SOON) -> tuple[Step, ...]:
    return WaitStep(after), ReportStep(patch=compiled({member: value}, METHOD_NAMES))


def _when_called(*then: Step, latency: Duration = AT_ONCE, presence: PresenceRule | None = None) -> Behaviour:
    update = MethodRule(status=202, latency=latency, then=then)
    return Behaviour(methods={"update": update}, presence=presence or PresenceRule())


BEHAVIOURS: Mapping[str, Behaviour] = {
    "good": _when_called(*_reports("done")),
    "slow": _when_called(*_reports("done"), latency=Uniform(0.2, 0.6)),
    "bad": _when_called(*_reports("failed")),
    "late": _when_called(*_reports("done", after=Fixed(12))),
    "silent": _when_called(),
    "fickle": _when_called(*_reports("done"), *_reports("done", "no more", after=Fixed(0.7))),
    "flaps": _when_called(*_reports("done"), presence=COMES_AND_GOES),
    "drops": _when_called(*_reports("done"), latency=Fixed(0.8), presence=COMES_AND_GOES),  # some calls unanswered
    "away": Behaviour(presence=PresenceRule(offline_share=1.0)),
}
OFFLINE = ("flaps", "drops", "away")  # now and then, or always


def kind_of(device: str) -> str:
    """The beginning of a device's id."""
    return device.partition("-")[0]


def ids_of(count: int) -> tuple[str, ...]:
    """The ids of so many devices of each kind."""
    return tuple(f"{kind}-{number:02}" for kind in BEHAVIOURS for number in range(count))
