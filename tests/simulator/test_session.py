from datetime import datetime, timezone
from typing import Any

import pytest

from azext_iotjobs.simulator import session as mind
from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule
from azext_iotjobs.simulator.events import (
    Action,
    AnswerMethod,
    DesiredPatched,
    Due,
    Event,
    Listen,
    MessageArrived,
    MethodCalled,
    Moment,
    Offline,
    Online,
    Report,
    ReportAnswered,
    Seen,
    Subscribed,
    TwinFetched,
    Unreadable,
    What,
    Who,
)
from azext_iotjobs.simulator.parts.context import State
from azext_iotjobs.simulator.rng import Dice
from azext_iotjobs.simulator.template import constant

NOW = Moment(5.0, datetime(2026, 11, 21, tzinfo=timezone.utc))
CALL = MethodCalled(rid="1", name="reboot", payload={"delay": 5})
TALK: tuple[Event, ...] = (  # what is said over a connection; it never changes the state
    CALL,
    DesiredPatched({"a": 1}),
    MessageArrived(properties={}, body=b""),
    ReportAnswered(rid="1", status=204),
    TwinFetched(rid="get1", desired={"$version": 1}, reported={"$version": 1}),
    Unreadable("x"),
    Due(),
)


def doing(actions: list[Action]) -> list[Action]:
    return [action for action in actions if not isinstance(action, Seen)]


class Session(mind.Session):
    """A session at one moment, without chance."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour, Who(device_id="d"), Dice(""))

    def on(self, event: Event, now: Moment = NOW) -> list[Action]:
        return super().on(event, now)


def session_in(state: State, behaviour: Behaviour | None = None) -> Session:
    session = Session(behaviour or Behaviour())
    ways: dict[State, tuple[Event, ...]] = {
        State.OFFLINE: (),
        State.LISTENING: (Online(),),
        State.READY: (Online(), Subscribed()),
    }
    for event in ways[state]:
        session.on(event)
    assert session.state is state
    return session


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (State.OFFLINE, Online(), State.LISTENING),
        (State.LISTENING, Online(), State.LISTENING),
        (State.READY, Online(), State.LISTENING),
        (State.OFFLINE, Subscribed(), State.OFFLINE),
        (State.LISTENING, Subscribed(), State.READY),
        (State.READY, Subscribed(), State.READY),
        (State.OFFLINE, Offline(), State.OFFLINE),
        (State.LISTENING, Offline(), State.OFFLINE),
        (State.READY, Offline(), State.OFFLINE),
        *((state, event, state) for state in State for event in TALK),
    ],
)  # fmt: skip
def test_every_state_and_event(state: State, event: Event, after: State) -> None:
    session = session_in(state)
    session.on(event)
    assert session.state is after


def test_a_connected_device_listens_first() -> None:
    assert Session(Behaviour()).on(Online()) == [Listen()]


def test_a_late_acknowledgement_does_nothing() -> None:
    assert session_in(State.OFFLINE).on(Subscribed()) == []


def test_without_a_payload_given_the_answer_tells_what_was_called() -> None:
    (answer,) = doing(session_in(State.READY).on(CALL))
    told = {"methodName": "reboot", "methodRequestId": "1", "methodRequestPayload": {"delay": 5}}
    assert answer == AnswerMethod(rid="1", status=200, payload=told)


@pytest.mark.parametrize("payload", [0, {}, False, [], None, ""])
def test_a_payload_given_is_the_answer_whatever_it_is(payload: Any) -> None:
    (answer,) = doing(
        session_in(State.READY, Behaviour(any_method=MethodRule(status=0, payload=constant(payload)))).on(CALL)
    )
    assert answer == AnswerMethod(rid="1", status=0, payload=payload)


def test_the_call_is_shown_before_its_answer() -> None:
    seen = [action for action in session_in(State.READY).on(CALL) if isinstance(action, Seen)]
    assert [each.what for each in seen] == [What.METHOD, What.ANSWER]
    assert seen[0].details == {"rid": "1", "name": "reboot", "payload": {"delay": 5}}


def test_desired_changes_are_echoed_without_the_hubs_own_members() -> None:
    actions = session_in(State.READY).on(DesiredPatched({"a": 1, "gone": None, "$version": 7, "$metadata": {}}))
    assert doing(actions) == [Report(rid="1", patch={"a": 1, "gone": None})]


def test_a_desired_change_of_nothing_is_not_echoed() -> None:
    assert session_in(State.READY).on(DesiredPatched({"$version": 7})) == []


def test_initial_reported_properties_are_reported_once_an_empty_object_too() -> None:
    session = session_in(State.LISTENING, Behaviour(first_reported=constant({})))
    assert doing(session.on(Subscribed())) == [Report(rid="1", patch={})]
    session.on(Offline())
    session.on(Online())
    assert doing(session.on(Subscribed())) == []


def test_each_report_has_a_request_id_of_its_own() -> None:
    session = session_in(State.READY)
    rids = [doing(session.on(DesiredPatched({"a": n}))) for n in range(3)]
    assert len({report.rid for (report,) in rids if isinstance(report, Report)}) == 3


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (200, What.REPORT_ACCEPTED),
        (204, What.REPORT_ACCEPTED),
        (400, What.REPORT_REFUSED),
        (429, What.REPORT_REFUSED),
    ],
)
def test_what_became_of_a_report_is_told(status: int, what: What) -> None:
    answer = ReportAnswered(rid="1", status=status)
    assert session_in(State.READY).on(answer) == [Seen(what=what, details={"rid": "1", "status": status})]


def test_a_message_is_shown_with_its_properties() -> None:
    (seen,) = session_in(State.READY).on(MessageArrived(properties={"a": None}, body=b"\xff"))
    assert seen == Seen(what=What.MESSAGE, details={"properties": {"a": None}, "body": b"\xff"})
