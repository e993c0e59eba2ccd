from datetime import datetime, timezone
from typing import Any

import pytest

from azext_iotjobs.simulator import session as mind
from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule
from azext_iotjobs.simulator.events import (
    Action,
    Activity,
    ActivityKind,
    AnswerMethod,
    DesiredPatched,
    DeviceInfo,
    Due,
    Event,
    MessageArrived,
    MethodCalled,
    Moment,
    Offline,
    Online,
    Report,
    ReportAnswered,
    Subscribe,
    Subscribed,
    TwinFetched,
    Unreadable,
)
from azext_iotjobs.simulator.parts.context import ConnectionState
from azext_iotjobs.simulator.rng import Rng
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
    return [action for action in actions if not isinstance(action, Activity)]


class Session(mind.Session):
    """A session at one moment, without chance."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour, DeviceInfo(device_id="d"), Rng(""))

    def on(self, event: Event, now: Moment = NOW) -> list[Action]:
        return super().on(event, now)


def session_in(state: ConnectionState, behaviour: Behaviour | None = None) -> Session:
    session = Session(behaviour or Behaviour())
    ways: dict[ConnectionState, tuple[Event, ...]] = {
        ConnectionState.OFFLINE: (),
        ConnectionState.LISTENING: (Online(),),
        ConnectionState.READY: (Online(), Subscribed()),
    }
    for event in ways[state]:
        session.on(event)
    assert session.state is state
    return session


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        (ConnectionState.OFFLINE, Online(), ConnectionState.LISTENING),
        (ConnectionState.LISTENING, Online(), ConnectionState.LISTENING),
        (ConnectionState.READY, Online(), ConnectionState.LISTENING),
        (ConnectionState.OFFLINE, Subscribed(), ConnectionState.OFFLINE),
        (ConnectionState.LISTENING, Subscribed(), ConnectionState.READY),
        (ConnectionState.READY, Subscribed(), ConnectionState.READY),
        (ConnectionState.OFFLINE, Offline(), ConnectionState.OFFLINE),
        (ConnectionState.LISTENING, Offline(), ConnectionState.OFFLINE),
        (ConnectionState.READY, Offline(), ConnectionState.OFFLINE),
        *((state, event, state) for state in ConnectionState for event in TALK),
    ],
)
def test_every_state_and_event(state: ConnectionState, event: Event, after: ConnectionState) -> None:
    session = session_in(state)
    session.on(event)
    assert session.state is after


def test_a_connected_device_listens_first() -> None:
    assert Session(Behaviour()).on(Online()) == [Subscribe()]


def test_a_late_acknowledgement_does_nothing() -> None:
    assert session_in(ConnectionState.OFFLINE).on(Subscribed()) == []


def test_without_a_payload_the_response_echoes_the_call() -> None:
    (answer,) = doing(session_in(ConnectionState.READY).on(CALL))
    told = {"methodName": "reboot", "methodRequestId": "1", "methodRequestPayload": {"delay": 5}}
    assert answer == AnswerMethod(rid="1", status=200, payload=told)


@pytest.mark.parametrize("payload", [0, {}, False, [], None, ""])
def test_a_payload_given_is_the_answer_whatever_it_is(payload: Any) -> None:
    (answer,) = doing(
        session_in(ConnectionState.READY, Behaviour(any_method=MethodRule(status=0, payload=constant(payload)))).on(
            CALL
        )
    )
    assert answer == AnswerMethod(rid="1", status=0, payload=payload)


def test_the_call_is_shown_before_its_answer() -> None:
    activity = [action for action in session_in(ConnectionState.READY).on(CALL) if isinstance(action, Activity)]
    assert [each.kind for each in activity] == [ActivityKind.METHOD, ActivityKind.ANSWER]
    assert activity[0].details == {"rid": "1", "name": "reboot", "payload": {"delay": 5}}


def test_desired_changes_are_echoed_without_the_hubs_own_members() -> None:
    actions = session_in(ConnectionState.READY).on(
        DesiredPatched({"a": 1, "gone": None, "$version": 7, "$metadata": {}})
    )
    assert doing(actions) == [Report(rid="1", patch={"a": 1, "gone": None})]


def test_a_desired_change_of_nothing_is_not_echoed() -> None:
    assert session_in(ConnectionState.READY).on(DesiredPatched({"$version": 7})) == []


def test_initial_reported_properties_are_reported_once_an_empty_object_too() -> None:
    session = session_in(ConnectionState.LISTENING, Behaviour(first_reported=constant({})))
    assert doing(session.on(Subscribed())) == [Report(rid="1", patch={})]
    session.on(Offline())
    session.on(Online())
    assert doing(session.on(Subscribed())) == []


def test_each_report_has_a_request_id_of_its_own() -> None:
    session = session_in(ConnectionState.READY)
    rids = [doing(session.on(DesiredPatched({"a": n}))) for n in range(3)]
    assert len({report.rid for (report,) in rids if isinstance(report, Report)}) == 3


@pytest.mark.parametrize(
    ("status", "what"),
    [
        (200, ActivityKind.REPORT_ACCEPTED),
        (204, ActivityKind.REPORT_ACCEPTED),
        (400, ActivityKind.REPORT_REFUSED),
        (429, ActivityKind.REPORT_REFUSED),
    ],
)
def test_the_result_of_a_report_is_observed(status: int, what: ActivityKind) -> None:
    answer = ReportAnswered(rid="1", status=status)
    assert session_in(ConnectionState.READY).on(answer) == [Activity(kind=what, details={"rid": "1", "status": status})]


def test_a_message_is_shown_with_its_properties() -> None:
    (activity,) = session_in(ConnectionState.READY).on(MessageArrived(properties={"a": None}, body=b"\xff"))
    assert activity == Activity(kind=ActivityKind.MESSAGE, details={"properties": {"a": None}, "body": b"\xff"})
