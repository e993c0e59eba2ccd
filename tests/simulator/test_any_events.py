"""Whatever happens to a device with every kind of rule, in whatever order, some things hold."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.simulator.behaviour import (
    Acknowledge,
    Behaviour,
    ChanceStep,
    Failure,
    Flapping,
    MethodRule,
    OfflineStep,
    PresenceRule,
    ReportStep,
    SendStep,
    Step,
    TelemetryRule,
    TwinRule,
    TwinRules,
    WaitStep,
)
from azext_iotjobs.simulator.durations import Uniform
from azext_iotjobs.simulator.events import AnswerMethod, Connect, Disconnect, MethodCalled, Subscribe
from azext_iotjobs.simulator.generators import Counter as Counted
from azext_iotjobs.simulator.template import compiled
from tests.helpers.driven_session import DrivenSession

STEPS: tuple[Step, ...] = (
    ReportStep(patch=compiled({"s": "${progress}"}, ("progress",)), times=3, every=Uniform(0, 2)),
    WaitStep(Uniform(0, 3)),
    ChanceStep(rate=0.3, instead=(ReportStep(patch=compiled({"s": "failed"})),)),
    OfflineStep(Uniform(0, 5)),
    SendStep(payload=compiled({"at": "${now}"})),
    ReportStep(patch=compiled({"s": "done"})),
)
RULE = MethodRule(latency=Uniform(0, 4), failure=Failure(rate=0.2, then=STEPS[3:]), no_answer=0.1, then=STEPS)
EVERYTHING = Behaviour(
    methods={"a": RULE, "b": MethodRule(then=(OfflineStep(Uniform(1, 9)),))},
    first_reported=compiled({"id": "${device}"}),
    twin=TwinRules(
        paths={("p", "q"): TwinRule(acknowledge=Acknowledge.PNP, delay=Uniform(0, 2), reject=0.2, steps=3, then=STEPS)},
        otherwise=TwinRule(delay=Uniform(0, 1)),
    ),
    telemetry=(TelemetryRule(name="t", every=Uniform(0.5, 2), values={"n": Counted()}),),
    presence=PresenceRule(flapping=Flapping(on_s=20, off_s=4)),
)
HAPPENINGS = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(["a", "b", "other"])),
    st.tuples(st.just("desire"), st.integers(0, 3)),
    st.tuples(st.sampled_from(["lose", "link", "busy"]), st.none()),
    st.tuples(st.just("wait"), st.floats(0, 10)),
)


@settings(max_examples=80)
@given(st.lists(HAPPENINGS, max_size=40), st.text(max_size=2))
def test_no_order_of_events_makes_a_device_speak_when_it_is_not_ready(
    happenings: list[tuple[str, object]], seed: str
) -> None:
    """LivingSession itself sees to it that nothing is reported or sent but by a device that is ready."""
    one = DrivenSession(EVERYTHING, seed=seed)
    heard_on: dict[str, int] = {}
    connection = 0

    def note() -> None:
        nonlocal connection
        for _, action in one.done:
            match action:
                case Subscribe() | Disconnect():
                    connection += 1
                case AnswerMethod(rid=rid):
                    assert heard_on.pop(rid) == connection, "answered twice, or on another connection"
        one.done.clear()

    note()
    for what, how in happenings:
        match what:
            case "call" if one.is_ready:
                rid = str(one._rids + 1)
                heard_on[rid] = connection
                assert isinstance(how, str)
                one.call(how)
            case "desire":
                one.desire(p={"q": how}, r=how)
            case "lose":
                connection += 1
                one.lose_link()
            case "link" if one.session.state.value == "offline":
                one.link()
            case "busy":
                one.refuses = [429]
            case "wait":
                assert isinstance(how, float)
                one.run_for(how)
        note()
    # It comes to rest: no task is left behind but the next message, and what makes it come and go.
    one.refuses = []
    one.run_for(200)
    assert len(one.session._context.tasks._heap) <= 3
    note()


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["a", "b"]), max_size=10), st.text(max_size=2))
def test_the_same_seed_and_events_give_the_same_actions(calls: list[str], seed: str) -> None:
    def life() -> list[str]:
        one = DrivenSession(EVERYTHING, seed=seed)
        for name in calls:
            one.run_for(3)
            if one.is_ready:
                one.handle(MethodCalled(rid=name, name=name, payload=None))
        one.run_for(100)
        return [repr(each) for each in one.done]

    assert life() == life()


def test_it_connects_and_disconnects_in_turns() -> None:
    for number in range(20):
        one = DrivenSession(EVERYTHING, device_id=f"d-{number}")
        for _ in range(30):
            one.run_for(5)
            if one.is_ready:
                one.call("b")
        kinds = [type(action) for _, action in one.done if isinstance(action, Connect | Disconnect)]
        assert all(first is not second for first, second in zip(kinds, kinds[1:], strict=False))
        assert Counter(kinds)[Disconnect] > 3
