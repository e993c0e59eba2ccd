from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.simulator.behaviour import (
    Behaviour,
    ChanceStep,
    Failure,
    MethodRule,
    OfflineStep,
    ReportStep,
    SendStep,
    Step,
    WaitStep,
)
from azext_iotjobs.simulator.durations import Fixed, Uniform
from azext_iotjobs.simulator.events import ActivityKind, Disconnect
from azext_iotjobs.simulator.template import Template, compiled
from tests.helpers.driven_session import DrivenSession

NAMES = ("request", "method", "count", "progress")


def device(rule: MethodRule, name: str = "m", **more: Any) -> DrivenSession:
    return DrivenSession(Behaviour(methods={name: rule}), **more)


def template(value: Any) -> Template:
    return compiled(value, NAMES)


def test_a_rule_answers_its_method_and_the_rest_is_answered_as_ever() -> None:
    rule = MethodRule(status=201, payload=template({"id": "${device}", "got": "${request.a}", "times": "${count}"}))
    one = device(rule)
    one.call("m", {"a": [1]})
    one.call("other")
    one.call("m")
    answers = [(each.status, each.payload) for _, each in one.answers]
    assert answers[0] == (201, {"id": "pump-1", "got": [1], "times": 1})
    assert answers[1][0] == 200
    assert answers[1][1]["methodName"] == "other"
    assert answers[2] == (201, {"id": "pump-1", "got": None, "times": 2})


@given(st.floats(0.01, 100), st.floats(0, 100), st.text(max_size=3))
def test_an_answer_comes_within_the_latency(least: float, more: float, seed: str) -> None:
    one = device(MethodRule(latency=Uniform(least, least + more)), seed=seed)
    one.run_until(10)
    rid = one.call("m")
    assert one.answers == []
    one.run_until(10 + least + more + 1e-6)
    ((at, answer),) = one.answers
    assert answer.rid == rid
    assert least - 1e-6 <= at - 10 <= least + more + 1e-6


def test_calls_overtake_each_other_and_each_gets_its_own_answer() -> None:
    one = device(MethodRule(latency=Uniform(0, 10), payload=template("${request}")))
    sent = {one.call("m", number): number for number in range(50)}
    one.run_until(11)
    assert {each.rid: each.payload for _, each in one.answers} == sent
    assert [each.payload for _, each in one.answers] != list(range(50))


def test_a_response_is_never_sent_on_another_connection_but_the_steps_run() -> None:
    rule = MethodRule(latency=Fixed(5), then=(ReportStep(patch=template({"done": True})),))
    one = device(rule)
    one.call("m")
    one.run_until(2)
    one.lose_link()
    one.link()
    one.run_until(10)
    assert one.answers == []
    (told,) = one.activities(ActivityKind.UNANSWERED)
    assert told.details["reason"] == "its connection is gone"
    assert one.reports == [(5, {"done": True})]


def test_no_answer_means_that_nothing_happens() -> None:
    one = device(MethodRule(no_answer=1, then=(ReportStep(patch=template({"done": True})),)))
    one.call("m")
    one.run_until(1000)
    assert one.answers == []
    assert one.reports == []
    assert len(one.activities(ActivityKind.UNANSWERED)) == 1


def test_a_failed_call_has_a_status_payload_and_steps_of_its_own() -> None:
    failure = Failure(rate=1, status=503, payload=template("broken"), then=(ReportStep(patch=template({"ok": False})),))
    one = device(MethodRule(failure=failure, then=(ReportStep(patch=template({"ok": True})),)))
    one.call("m")
    assert [(each.status, each.payload) for _, each in one.answers] == [(503, "broken")]
    assert one.reports == [(0, {"ok": False})]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_a_rate_is_kept_over_many_calls_and_over_many_devices(rate: float) -> None:
    rule = MethodRule(failure=Failure(rate=rate))
    one = device(rule)
    for _ in range(1000):
        one.call("m")
    devices = [device(rule, device_id=f"pump-{number}") for number in range(1000)]
    for each in devices:
        each.call("m")
    for answers in ([a for _, a in one.answers], [a for each in devices for _, a in each.answers]):
        failed = sum(answer.status == 500 for answer in answers)
        assert failed == pytest.approx(1000 * rate, abs=50)


def test_the_same_seed_gives_the_same_run_whatever_else_happens_meanwhile() -> None:
    rule = MethodRule(
        latency=Uniform(0, 5), failure=Failure(rate=0.5), no_answer=0.2, payload=template("${random.int(1, 1000)}")
    )

    def outcome(seed: str, *, disturbed: bool) -> list[Any]:
        one = DrivenSession(Behaviour(methods={"m": rule, "x": rule}), seed=seed)
        for _ in range(30):
            one.call("m")
            if disturbed:
                one.call("x")
                one.run_for(0.5)
        one.run_for(100)
        return sorted((int(each.rid), each.status, each.payload) for _, each in one.answers if each.payload is not None)

    def without_rids(rows: list[Any]) -> list[Any]:
        return [row[1:] for row in rows if isinstance(row[2], int)]

    calm = without_rids(outcome("7", disturbed=False))
    both = [row for row in outcome("7", disturbed=True) if row[0] % 2 == 1]  # x has the even ones
    assert without_rids(both) == calm
    assert without_rids(outcome("8", disturbed=False)) != calm


def test_a_reboot_answers_first_leaves_and_reports_when_it_is_back() -> None:
    steps = (OfflineStep(Fixed(30)), ReportStep(patch=template({"lastReboot": "${now}"})))
    one = device(MethodRule(status=200, latency=Fixed(1), then=steps), "reboot")
    one.run_until(10)
    one.call("reboot")
    one.run_until(100)
    assert [at for at, _ in one.answers] == [11]
    assert one.connection_changes() == [(0, "come"), (11, "leave"), (41, "come")]
    assert one.reports == [(41, {"lastReboot": "2026-11-21T08:00:41.000Z"})]


def test_a_second_reboot_makes_the_first_longer() -> None:
    one = device(MethodRule(latency=Fixed(1), then=(OfflineStep(Fixed(30)),)), "reboot")
    one.call("reboot")
    one.run_until(0.5)
    one.call("reboot")
    one.run_until(100)
    # It had left before the second answer was due: that one is lost, its steps are not.
    assert len(one.answers) == 1
    assert one.connection_changes() == [(0, "come"), (1, "leave"), (31.5, "come")]


def test_while_it_is_off_line_on_purpose_it_accepts_no_connection() -> None:
    one = device(MethodRule(then=(OfflineStep(Fixed(30)),)), "reboot")
    one.call("reboot")
    one.link()  # a handshake that was under way
    assert [type(action) for _, action in one.done[-1:]] == [Disconnect]
    assert not one.is_ready


def test_steps_take_their_time_and_report_progress() -> None:
    steps: tuple[Step, ...] = (
        ReportStep(patch=template({"fw": {"status": "downloading", "to": "${request.version}"}})),
        WaitStep(Fixed(2)),
        ReportStep(patch=template({"fw": {"progress": "${progress}"}}), times=4, every=Fixed(1)),
        SendStep(payload=template({"event": "done"}), properties={"kind": template("fw ${count}")}),
        ReportStep(patch=template({"fw": {"status": "current"}})),
    )
    one = device(MethodRule(status=202, then=steps), "update")
    one.call("update", {"version": "2"})
    one.run_until(100)
    assert one.answers[0][0] == 0
    assert one.reports == [
        (0, {"fw": {"status": "downloading", "to": "2"}}),
        *((2 + number, {"fw": {"progress": 25 * (number + 1)}}) for number in range(4)),
        (5, {"fw": {"status": "current"}}),
    ]
    ((at, message),) = one.messages
    assert (at, message.body, message.properties["kind"]) == (5, b'{"event": "done"}', "fw 1")


def test_a_chance_step_replaces_all_that_follow() -> None:
    steps = (
        ChanceStep(rate=0.3, instead=(ReportStep(patch=template({"fw": "failed"})),)),
        ReportStep(patch=template({"fw": "current"})),
    )
    devices = [device(MethodRule(then=steps), device_id=f"d-{number}") for number in range(500)]
    for each in devices:
        each.call("m")
    assert all(len(each.reports) == 1 for each in devices), "one of the two, and no more"
    ends = Counter(each.reported["fw"] for each in devices)
    assert set(ends) == {"failed", "current"} and ends["failed"] == pytest.approx(150, abs=40)


def test_what_is_reported_while_the_link_is_lost_is_reported_when_it_is_back() -> None:
    steps = (
        WaitStep(Fixed(1)),
        ReportStep(patch=template({"fw": {"status": "applying", "step": 1}})),
        WaitStep(Fixed(1)),
        ReportStep(patch=template({"fw": {"status": "current"}})),
    )
    one = device(MethodRule(then=steps))
    one.call("m")
    one.lose_link()
    one.run_until(60)
    assert one.reports == []
    one.link()
    assert one.reports == [(60, {"fw": {"status": "current", "step": 1}})]
