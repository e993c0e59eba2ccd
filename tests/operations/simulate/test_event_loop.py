"""Simulated devices over links that are a script: every rule of the loop, in no real time."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from azext_iotjobs.model.device_credentials import DeviceCertificate, DeviceKey
from azext_iotjobs.model.errors import BadValue, CannotConnect, Unauthorized
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.simulate.event_loop import SimulatedDevice, Summary, run_over
from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule
from azext_iotjobs.simulator.events import Activity, ActivityKind
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.simulator.template import constant
from azext_iotjobs.transport.mqtt_events import Arrived, Connected, Event, Failed, Lost, Refused
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import LinksDouble, arriving

TARGET = HubTarget(host="localhost", https_port=8443, mqtt_port=18883)
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
METHOD = arriving("d", "$iothub/methods/POST/reboot/?$rid=1", {"delay": 5})


def device(name: str = "d", *, count: int = 3, interval_s: float = 10, **more: Any) -> SimulatedDevice:
    return SimulatedDevice(
        device_id=name,
        credential=more.pop("credential", DeviceKey(device_id=name, key=KEY)),
        behaviour=more.pop("behaviour", Behaviour()),
        plan=TelemetryPlan(text="ping", count=count, interval_s=interval_s),
        **more,
    )


class Simulation:
    """One run over scripted links, and what came of it."""

    def __init__(self, *devices: SimulatedDevice, stop_at: ActivityKind | None = None, **script: Any) -> None:
        self.devices = devices or (device(),)
        self.links = LinksDouble(ClockDouble(), **script)
        self.stop = threading.Event()
        self.seen: list[tuple[str, Activity]] = []
        self._stop_at = stop_at

    def run(self) -> Summary:
        return run_over(self.links, TARGET, self.devices, self._report, self.links.clock, self.stop)

    def kinds(self) -> list[ActivityKind]:
        return [activity.kind for _, activity in self.seen]

    def _report(self, name: str, activity: Activity) -> None:
        self.seen.append((name, activity))
        if activity.kind is self._stop_at:
            self.stop.set()


def test_messages_are_sent_at_their_times_and_an_interval_after_the_last_the_device_leaves() -> None:
    simulation = Simulation()
    summary = simulation.run()
    assert [at for at, _ in simulation.links.sent("messages/events")] == [0.0, 10.0, 20.0]
    assert simulation.links.dropped == [(30.0, "d")]
    assert (summary.sent_count, summary.acknowledged_count, summary.was_stopped) == (3, 3, False)
    assert summary.failures == {}


def test_a_waiting_device_costs_no_turns() -> None:
    simulation = Simulation(device(count=2, interval_s=100))
    simulation.run()
    assert simulation.links.turns < 2 * 100 / 0.5 + 20


def test_a_device_with_a_certificate_sends_no_password_and_never_has_to_renew_one() -> None:
    own = DeviceCertificate(certificate_file="c.pem", key_file="k.pem")
    simulation = Simulation(device(count=3, interval_s=7200, credential=own))
    assert simulation.run().acknowledged_count == 3
    ((_, login),) = simulation.links.logins
    assert (login.password, login.certificate) == (None, own)


def test_a_device_says_who_it_is_without_any_port() -> None:
    simulation = Simulation(device(count=1, model_id="dtmi:com:example:Pump;1"))
    simulation.run()
    ((_, login),) = simulation.links.logins
    assert login.client_id == "d"
    assert login.username == "localhost/d/?api-version=2021-04-12&model-id=dtmi%3Acom%3Aexample%3APump%3B1"
    assert login.password is not None
    assert login.password.startswith("SharedAccessSignature sr=localhost%2Fdevices%2Fd&sig=")
    assert login.password not in repr(login)
    assert KEY not in repr(simulation.devices)


@pytest.mark.parametrize("payload", [0, {}, False, [], None, "", {"result": "ok"}])
def test_a_method_is_answered_with_the_payload_given_whatever_it_is(payload: Any) -> None:
    simulation = Simulation(
        device(behaviour=Behaviour(any_method=MethodRule(status=0, payload=constant(payload)))), happens=[(5.0, METHOD)]
    )
    simulation.run()
    assert simulation.links.sent("$iothub/methods/res/0/?$rid=1") == [(5.0, json.dumps(payload).encode())]
    assert [kind for kind in simulation.kinds() if kind in (ActivityKind.METHOD, ActivityKind.ANSWER)] == [
        ActivityKind.METHOD,
        ActivityKind.ANSWER,
    ]


def test_a_call_is_told_before_it_is_answered_and_the_answer_after_it_has_left() -> None:
    answers_when_told: list[tuple[ActivityKind, int]] = []
    simulation = Simulation(happens=[(5.0, METHOD)])

    def report(_: str, activity: Activity) -> None:
        if activity.kind in (ActivityKind.METHOD, ActivityKind.ANSWER):
            answers_when_told.append((activity.kind, len(simulation.links.sent("$iothub/methods/res/"))))

    run_over(simulation.links, TARGET, simulation.devices, report, simulation.links.clock, simulation.stop)
    assert answers_when_told == [(ActivityKind.METHOD, 0), (ActivityKind.ANSWER, 1)]


def test_calls_that_arrive_together_were_all_read_at_the_same_time() -> None:
    other = arriving("d", "$iothub/methods/POST/reboot/?$rid=2", None)
    simulation = Simulation(happens=[(5.0, METHOD), (5.0, other)])
    simulation.run()
    assert [activity.arrived_at for _, activity in simulation.seen if activity.kind is ActivityKind.METHOD] == [
        5.0,
        5.0,
    ]


def test_desired_properties_are_echoed_without_what_the_hub_adds() -> None:
    patch = arriving("d", "$iothub/twin/PATCH/properties/desired/?$version=2", {"BuildingNo": 45, "$version": 2})
    simulation = Simulation(happens=[(5.0, patch)])
    simulation.run()
    assert simulation.links.sent("properties/reported") == [(5.0, b'{"BuildingNo": 45}')]


def test_a_lost_connection_comes_back_and_late_messages_are_not_sent_in_a_burst() -> None:
    simulation = Simulation(happens=[(5.0, Lost("d"))], on_connect=lambda name, before: [Connected(name)])
    summary = simulation.run()
    assert len(simulation.links.logins) == 2
    assert 5.5 <= simulation.links.logins[1][0] <= 6.0
    assert [at for at, _ in simulation.links.sent("messages/events")] == [0.0, 10.0, 20.0]
    assert ActivityKind.LOST in simulation.kinds()
    assert summary.acknowledged_count == 3


def test_while_the_hub_is_away_nothing_is_sent_and_the_pauses_grow() -> None:
    def away(name: str, before: int) -> list[Event]:
        return [Connected(name)] if before == 0 or before > 5 else [Failed(name, CannotConnect("away"))]

    simulation = Simulation(happens=[(5.0, Lost("d"))], on_connect=away)
    simulation.run()
    tries = [at for at, _ in simulation.links.logins]
    pauses = [later - earlier for earlier, later in zip(tries[1:], tries[2:], strict=False)]
    assert len(tries) == 7
    for pause, longest in zip(pauses, [2, 4, 8, 16, 32], strict=True):
        assert longest / 2 <= pause <= longest
    sent = [at for at, _ in simulation.links.sent("messages/events")]
    assert sent[1] == tries[-1], "the message that was due meanwhile goes at once"
    assert sent[2] - sent[1] == pytest.approx(10.0)
    assert simulation.links.turns < 400, "an overdue message of an absent device must not spin the loop"


def test_a_hub_that_was_never_reached_is_an_error_after_three_tries() -> None:
    simulation = Simulation(on_connect=lambda name, before: [Failed(name, CannotConnect("no such host"))])
    with pytest.raises(CannotConnect, match="no such host"):
        simulation.run()
    assert len(simulation.links.logins) == 3
    assert simulation.links.published == []


def test_a_hub_that_was_never_reached_is_not_tried_with_every_device() -> None:
    devices = [device(f"d{number}") for number in range(5000)]
    simulation = Simulation(*devices, on_connect=lambda name, before: [Failed(name, CannotConnect("no such host"))])
    with pytest.raises(CannotConnect, match="no such host"):
        simulation.run()
    assert len(simulation.links.logins) < 1500, "what the ramp begins in the seconds of three tries"


def test_a_device_keeps_trying_a_hub_that_others_have_reached() -> None:
    def slow_for_b(name: str, before: int) -> list[Event]:
        return [Failed(name, CannotConnect("no answer"))] if name == "b" and before < 6 else [Connected(name)]

    simulation = Simulation(device("a"), device("b"), on_connect=slow_for_b)
    summary = simulation.run()
    assert (summary.acknowledged_count, dict(summary.failures)) == (6, {})


def test_a_refused_device_gives_up_at_once_and_says_why() -> None:
    simulation = Simulation(on_connect=lambda name, before: [Refused(name, 5), Lost(name)])
    with pytest.raises(Unauthorized, match="refused d") as raised:
        simulation.run()
    assert len(simulation.links.logins) == 1
    assert simulation.links.published == []
    assert KEY not in str(raised.value)


def test_one_refused_device_does_not_end_the_others() -> None:
    def only_b(name: str, before: int) -> list[Event]:
        return [Connected(name)] if name == "b" else [Refused(name, 5)]

    simulation = Simulation(device("a"), device("b"), on_connect=only_b)
    summary = simulation.run()
    assert set(summary.failures) == {"a"}
    assert (summary.sent_count, summary.acknowledged_count) == (3, 3)


def test_a_stop_ends_it_between_messages() -> None:
    simulation = Simulation(device(count=100), stop_at=ActivityKind.SENT)
    summary = simulation.run()
    assert summary.was_stopped
    assert summary.sent_count == 1


def test_the_token_is_renewed_before_it_ends_by_coming_back() -> None:
    simulation = Simulation(device(count=2, interval_s=4000))
    simulation.run()
    first, second = simulation.links.logins[:2]
    assert second[0] == pytest.approx(0.85 * 3600)
    assert first[1].password != second[1].password
    assert simulation.links.dropped[0] == (second[0], "d")
    assert [at for at, _ in simulation.links.sent("messages/events")] == [0.0, 4000.0]


def test_messages_without_acknowledgement_are_waited_for_and_then_counted() -> None:
    simulation = Simulation(device(count=1), acknowledges=False)
    summary = simulation.run()
    assert simulation.links.dropped == [(40.0, "d")]
    assert (summary.sent_count, summary.acknowledged_count) == (1, 0)


def test_initial_reported_properties_are_reported_once_even_over_a_reconnect() -> None:
    behaviour = Behaviour(first_reported=constant({"a": 1}))
    simulation = Simulation(device(behaviour=behaviour), happens=[(5.0, Lost("d"))])
    simulation.run()
    assert [payload for _, payload in simulation.links.sent("properties/reported")] == [b'{"a": 1}']


def test_an_unreadable_message_is_reported_and_ends_nothing() -> None:
    simulation = Simulation(happens=[(5.0, Arrived("d", "$iothub/methods/POST/x/?$rid=1", b"{broken"))])
    assert simulation.run().sent_count == 3
    assert ActivityKind.UNREADABLE in simulation.kinds()


def test_a_thousand_devices_share_one_loop() -> None:
    simulation = Simulation(*(device(f"d{number}", count=2) for number in range(1000)))
    assert simulation.run().acknowledged_count == 2000
    assert len(simulation.links.dropped) == 1000


def refused(code: int, times: int) -> Callable[[str, int], list[Event]]:
    """The first `times` connects are refused, the others are not."""
    return lambda name, before: [Refused(name, code), Lost(name)] if before < times else [Connected(name)]


def test_a_busy_hub_is_backed_off_from_and_never_given_up() -> None:
    simulation = Simulation(on_connect=refused(3, 6))
    assert simulation.run().acknowledged_count == 3
    tries = [at for at, _ in simulation.links.logins]
    pauses = [later - earlier for earlier, later in zip(tries, tries[1:], strict=False)]
    assert len(pauses) == 6
    assert all(pause >= 10 for pause in pauses)
    assert pauses[-1] > 15, "they grow"


def test_a_device_that_was_connected_and_is_refused_tries_once_more_with_a_new_token() -> None:
    def expired_once(name: str, before: int) -> list[Event]:
        return [Refused(name, 5)] if before == 1 else [Connected(name)]

    simulation = Simulation(happens=[(5.0, Lost("d"))], on_connect=expired_once)
    assert simulation.run().acknowledged_count == 3
    tokens = [login.password for _, login in simulation.links.logins]
    assert len(tokens) == 3 and tokens[1] != tokens[2]


def test_a_device_that_was_connected_and_is_refused_twice_gives_up_and_the_others_continue() -> None:
    def no_longer_a(name: str, before: int) -> list[Event]:
        return [Refused(name, 5)] if name == "a" and before else [Connected(name)]

    simulation = Simulation(device("a"), device("b"), happens=[(5.0, Lost("a"))], on_connect=no_longer_a)
    summary = simulation.run()
    assert list(summary.failures) == ["a"]
    assert sum(login.client_id == "a" for _, login in simulation.links.logins) == 3
    assert [name for name, activity in simulation.seen if activity.kind is ActivityKind.REFUSED] == ["a"]


def test_two_clients_of_one_id_end_each_other_ever_more_slowly_and_it_is_reported() -> None:
    losses = [(float(at), Lost("d")) for at in range(1, 200, 2)]
    simulation = Simulation(device(count=2, interval_s=200), happens=losses)
    simulation.run()
    lost = [activity for _, activity in simulation.seen if activity.kind is ActivityKind.LOST]
    assert ["reason" in activity.details for activity in lost[:4]] == [False, False, True, True]
    assert "another client" in lost[2].details["reason"]
    assert len(lost) < 15, "never faster than the pauses"


def test_devices_reconnect_at_the_ramp_after_their_hub_was_gone() -> None:
    names = [f"d{number}" for number in range(1000)]
    simulation = Simulation(
        *(device(name, count=2, interval_s=60) for name in names), happens=[(10.0, Lost(name)) for name in names]
    )
    assert simulation.run().acknowledged_count == 2000
    logins = [at for at, _ in simulation.links.logins]
    assert len(logins) == 2000
    for instants in (logins[:1000], logins[1000:]):
        seconds = Counter(int(at - instants[0]) for at in instants)
        assert max(seconds.values()) <= 225, "the ramp, and what a late turn makes up for"
        assert instants[-1] - instants[0] < 6


def test_devices_that_connected_together_do_not_renew_together() -> None:
    devices = [device(f"d{number}", count=2, interval_s=3400) for number in range(400)]
    simulation = Simulation(*devices)
    simulation.run()
    first_renewals = simulation.links.logins[400:800]
    assert len({login.client_id for _, login in first_renewals}) == 400
    renewals = [at for at, _ in first_renewals]
    assert 0.7 * 0.85 * 3600 - 1 <= min(renewals) and max(renewals) <= 0.85 * 3600 + 3
    assert max(Counter(int(at / 10) for at in renewals).values()) < 15, "ten seconds have about five of them"


def test_what_an_overfull_outbox_does_not_take_is_counted_and_reported() -> None:
    simulation = Simulation(device(count=5, interval_s=10), acknowledges=False, outbox=2)
    summary = simulation.run()
    assert (summary.sent_count, summary.acknowledged_count, summary.dropped_count) == (5, 0, 3)
    assert simulation.kinds().count(ActivityKind.DROPPED) == 3
    assert simulation.kinds().count(ActivityKind.SENT) == 2


def test_a_certificate_that_cannot_be_used_ends_its_device_alone() -> None:
    simulation = Simulation(device("a"), device("b"), unusable=frozenset({"a"}))
    summary = simulation.run()
    assert (list(summary.failures), summary.acknowledged_count) == (["a"], 3)


@pytest.mark.parametrize("odd", ["a+b", "a#b", "#", "+", "a/b", "a\0b", "a\ud800"])
def test_an_id_that_mqtt_cannot_carry_fails_alone_before_it_connects(odd: str) -> None:
    simulation = Simulation(device(odd), device("good"))
    summary = simulation.run()
    assert list(summary.failures) == [odd]
    assert "MQTT cannot carry the device id" in str(summary.failures[odd])
    assert {login.client_id for _, login in simulation.links.logins} == {"good"}
    assert [activity.kind for name, activity in simulation.seen if name == odd] == [ActivityKind.REFUSED]
    assert summary.acknowledged_count == 3


@pytest.mark.parametrize("fine", ["a*b", "a(b)", "$a", "a%2Fb", "a;b=c,d", "a'b", "a?b", "a:b@c!"])
def test_every_other_id_of_a_device_is_carried(fine: str) -> None:
    assert Simulation(device(fine)).run().failures == {}


def test_one_device_alone_that_mqtt_cannot_carry_is_the_error() -> None:
    simulation = Simulation(device("a+b"))
    with pytest.raises(BadValue, match=r"cannot contain \+"):
        simulation.run()
    assert simulation.links.logins == []


def test_a_message_that_mqtt_cannot_carry_ends_its_device_and_no_other() -> None:
    simulation = Simulation(device("odd"), device("good"), uncarried=frozenset({"odd"}))
    summary = simulation.run()
    assert {name: str(error) for name, error in summary.failures.items()} == {"odd": "no topic"}
    assert "odd" in [name for _, name in simulation.links.dropped], "its connection is ended"
    assert summary.acknowledged_count == 3


def test_an_answer_without_utf_8_form_is_sent_as_json_writes_it() -> None:
    behaviour = Behaviour(any_method=MethodRule(payload=constant({"x\udfff": "\ud800"})))
    simulation = Simulation(device(behaviour=behaviour), happens=[(5.0, METHOD)])
    assert simulation.run().failures == {}
    ((_, payload),) = simulation.links.sent("$iothub/methods/res/")
    assert json.loads(payload) == {"x\udfff": "\ud800"}
